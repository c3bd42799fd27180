r"""
Bounded JSON, and WebSocket framing.

A message's text is UTF-8 of at most ``--max-message`` bytes.  JSON may spend
six bytes on one byte of text (``\u0007``), so frames and bodies are bounded by
`wire_limit`, not by the text's own limit; and it may be nested `DEEPEST` deep, in
keys that are ignored too.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from livechat.errors import ChatError, Kind

#: Bytes that JSON may need for one byte of text: ``\u0007``.
_ESCAPE: Final = 6
#: Bytes granted to a frame or body for its keys, brackets and spaces.
_ENVELOPE: Final = 4096
#: Depth of objects and arrays in frames and bodies of clients.
DEEPEST: Final = 32
#: Bytes of a message's `data` without insignificant white space, and how deep they are nested.
LARGEST_DATA: Final = 4096
DEEPEST_DATA: Final = 8
#: The `data` of a message without any.
NO_DATA: Final = msgspec.Raw()
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BLANK: Final = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
_BRACKET: Final = re.compile(rb"[\[\]{}]")

_encoder: Final = msgspec.json.Encoder()

encode = _encoder.encode


def wire_limit(max_message: int) -> int:
    """Return the most bytes of a frame, a fragmented message or an HTTP body."""
    return _ESCAPE * max_message + _ENVELOPE


def check_depth(data: bytes) -> None:
    """
    Refuse JSON that is nested too deep.

    @raise ChatError: the JSON is nested more than `DEEPEST` deep, if it is JSON.
    """
    # Counted here as well, which saves a call: nearly all frames have few brackets.
    if data.count(b"{") + data.count(b"[") > DEEPEST and _deeper(data, DEEPEST):
        raise ChatError(Kind.BAD_JSON, f"This JSON is nested more than {DEEPEST} deep.")


def _deeper(data: bytes, most: int) -> bool:
    if data.count(b"{") + data.count(b"[") <= most:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", data)):
        depth += 1 if bracket[0] in b"{[" else -1
        if depth > most:
            return True
    return False


def checked_data(data: msgspec.Raw) -> msgspec.Raw | None:
    """
    Check the `data` of a message, and take insignificant white space out of it: numbers and
    strings stay as they came, and no line ends in it.

    @param data: empty where there are none.
    @return: None for those, and for ``null``.
    @raise ChatError: the value is no JSON object, or too large, or nested too deep.
    """
    if data is NO_DATA or not (given := bytes(data)):
        return None
    compact = _BLANK.sub(lambda found: found[1] or b"", given)
    if compact == b"null":
        return None
    if len(compact) > LARGEST_DATA:
        raise ChatError(
            Kind.BAD_MESSAGE,
            f"'data' has {len(compact)} bytes; at most {LARGEST_DATA} are allowed.",
        )
    if _deeper(compact, DEEPEST_DATA):
        raise ChatError(Kind.BAD_MESSAGE, f"'data' is nested more than {DEEPEST_DATA} deep.")
    try:
        # msgspec skips raw values without validating them.
        valid = isinstance(msgspec.json.decode(compact), dict)
    except ValueError:
        raise ChatError(Kind.BAD_JSON, "'data' is not valid JSON.") from None
    if not valid:
        raise ChatError(Kind.BAD_MESSAGE, "'data' must be a JSON object.")
    return msgspec.Raw(compact)


def explained(reason: Exception) -> ChatError:
    """Translate msgspec's error into one for the sender of the JSON."""
    if isinstance(reason, msgspec.ValidationError):
        return ChatError(Kind.BAD_MESSAGE, _mismatch(str(reason)))
    if isinstance(reason, UnicodeDecodeError):
        return ChatError(Kind.BAD_JSON, "This is not UTF-8.")
    text = str(reason)
    # msgspec's "Input data was truncated" for a lone surrogate is misleading.
    where = text if text.startswith("JSON is malformed") else "This is not valid JSON"
    return ChatError(Kind.BAD_JSON, f"{where}.")


def _mismatch(found: str) -> str:
    """Say in the protocol's words why JSON does not have the form asked for."""
    if "missing required field" in found:
        return f"The object has no key '{found.split('`')[1]}'."
    what, at, key = found.partition(" - at `$.")
    if at and what.startswith("Expected `str`,"):
        return f"The value of '{key.rstrip('`')}' must be a string."
    if at:
        return f"'{key.rstrip('`')}' is not what it must be: {what}."
    return 'Send a JSON object, such as {"message": "text"}.'


def text_frame(payload: bytes) -> bytes:
    """Frame *payload* as one whole, unmasked text message (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)
