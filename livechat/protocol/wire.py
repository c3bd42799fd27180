r"""
What crosses the wire, as typed structs, and how it is encoded.

Plain mode, on the socket:

    -> {"message": "text"}                                  other keys are ignored
    <- {"message": "text"}                                  to everyone in the room
    <- {"error": {"code": "...", "detail": "..."}}          to the sender of a bad frame

A message's text is UTF-8 of at most ``--max-message`` bytes.  JSON may spend
six bytes on one byte of text (``\u0007``), so frames and bodies are bounded by
`wire_limit`, not by the text's own limit; and it may be nested `DEEPEST` deep, in
keys that are ignored too.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from livechat.errors import ChatError, Kind

#: Bytes that JSON may need for one byte of text: ``\u0007``.
_ESCAPE: Final = 6
#: Bytes granted to a frame or body for its keys, brackets and spaces.
_ENVELOPE: Final = 4096
#: Objects and arrays within each other, in what clients send.
DEEPEST: Final = 32
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")
#: Separates an id from a role in stored users.
_ROLE: Final = "\t"


def wire_limit(max_message: int) -> int:
    """The most bytes that a frame, a fragmented message or an HTTP body may have."""
    return _ESCAPE * max_message + _ENVELOPE


class User(Struct, frozen=True, omit_defaults=True):
    """
    Who somebody is, as others see it.

    @ivar id: nobody else has it; 1 to 64 characters without blanks.
    @ivar name: 1 to 40 characters, which others may have too.
    @ivar role: ``operator`` for an operator, left out for a guest; others may come.
    """

    id: str
    name: str
    role: str | None = None


def user_to_text(user: User) -> str:
    """
    Write a user as stores keep it: ``id name``, or ``id``, a tab and ``role name``.

    A livechat that knows no roles reads the second form too, as a longer id.
    """
    if user.role is None:
        return f"{user.id} {user.name}"
    return f"{user.id}{_ROLE}{user.role} {user.name}"


def user_of_text(text: str) -> User:
    """
    Read a user back from `user_to_text`.

    @raise ValueError: the text is no user.
    """
    # The role stands before the first blank: no name can bring one along.
    head, _, name = text.partition(" ")
    known_as, _, role = head.partition(_ROLE)
    if not (known_as and name):
        raise ValueError("not a user")
    return User(known_as, name, role or None)


class Draft(Struct, frozen=True):
    """
    A message that a client asked to send: checked, but neither numbered nor stored.

    @ivar user: whose it is; None where nobody said.
    @ivar nonce: of two messages of a room with the same one, only the first is stored.
    @ivar sender: what counts as the address that it came from.
    """

    room: str
    message: str
    user: User | None = None
    nonce: str | None = None
    sender: str = ""


class Message(Struct, frozen=True, omit_defaults=True):
    """
    A stored message, as it stands in a history.

    @ivar seq: its number in the room's stream: 1, 2, 3, ... without holes.
    @ivar time: when it was stored, in milliseconds since 1970, UTC; never
        less than that of the message before it.
    @ivar user: whose it is, where that is known.
    """

    message: str
    seq: int
    time: int
    user: User | None = None


class Repeated(Message, frozen=True):
    """
    A message whose nonce was known: as it was stored the first time.  It was delivered
    then, and is not now.
    """


class Place(NamedTuple):
    """A place in a room's stream: behind message *seq* of *epoch*; 0 is the beginning."""

    epoch: str
    seq: int


class Position(Struct, frozen=True):
    """
    Where a room's stream stands.

    @ivar epoch: names the numbering.  While it stays the same, a `seq` means
        the same message; two positions of different epochs do not compare.
    @ivar seq: the number of the newest message; 0 where there never was one.
    @ivar oldest: the number of the oldest message kept; ``seq + 1`` where none is.
    """

    epoch: str
    seq: int
    oldest: int


class Page(Struct, frozen=True):
    """Consecutive messages of one room, oldest first, and where its stream stood."""

    position: Position
    messages: tuple[Message, ...]


class Newest(Struct, frozen=True, gc=False):
    """
    The newest message that a room ever had, kept or not.

    @ivar seq: its number; 0 where there never was one.
    @ivar time: when it was stored, in milliseconds since 1970, UTC; or 0.
    """

    seq: int
    time: int


class SendRequest(Struct, frozen=True):
    """The JSON body of ``POST /chat/send/``."""

    message: str
    room: str | None = None


class Sent(Struct, frozen=True):
    """The answer to a stored ``POST /chat/send/``."""

    message: str = "Message sent!"


class Allowance(Struct, frozen=True):
    """
    Whether the page that asks may use the chat.

    @ivar origin: the page's, as the server reads it; null where there is none.
    @ivar option: what would allow it; null where it is allowed, or cannot be.
    """

    allowed: bool
    origin: str | None = None
    option: str | None = None


class Problem(Struct, frozen=True):
    """RFC 9457's problem details, with livechat's stable `code`."""

    title: str
    status: int
    code: str
    detail: str


class PlainFrame(Struct, frozen=True):
    """A message in plain mode, in either direction."""

    message: str


class PlainErrorText(Struct, frozen=True):
    """What went wrong: for programs, and for people."""

    code: str
    detail: str


class PlainError(Struct, frozen=True):
    """A frame was refused, in plain mode."""

    error: PlainErrorText


_encoder: Final = msgspec.json.Encoder()
_plain_frame: Final = msgspec.json.Decoder(PlainFrame)
_send_request: Final = msgspec.json.Decoder(SendRequest)

encode = _encoder.encode


def check_depth(data: bytes) -> None:
    """
    @raise ChatError: the JSON is nested more than `DEEPEST` deep, if it is JSON.
    """
    if data.count(b"{") + data.count(b"[") <= DEEPEST:
        return
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", data)):
        depth += 1 if bracket[0] in b"{[" else -1
        if depth > DEEPEST:
            raise ChatError(Kind.BAD_JSON, f"This JSON is nested more than {DEEPEST} deep.")


def decode_plain(data: bytes) -> str:
    """
    The text of a plain client's frame.

    @param data: the frame's payload, known to be UTF-8.
    @raise ChatError: not JSON, or not an object with a string called ``message``.
    """
    check_depth(data)
    try:
        return _plain_frame.decode(data).message
    except ValueError as reason:
        raise explained(reason) from None


def decode_send_request(data: bytes) -> SendRequest:
    """
    The JSON body of ``POST /chat/send/``.

    @raise ChatError: not UTF-8, not JSON, or not an object of that form.
    """
    check_depth(data)
    try:
        # msgspec looks at the strings that it returns, not at those it skips.
        data.decode()
        return _send_request.decode(data)
    except ValueError as reason:
        raise explained(reason) from None


def explained(reason: Exception) -> ChatError:
    """What msgspec found, as an error for whoever sent it."""
    if isinstance(reason, msgspec.ValidationError):
        return ChatError(Kind.BAD_MESSAGE, _mismatch(str(reason)))
    if isinstance(reason, UnicodeDecodeError):
        return ChatError(Kind.BAD_JSON, "This is not UTF-8.")
    text = str(reason)
    # Of a lone surrogate msgspec says "Input data was truncated": it misleads.
    where = text if text.startswith("JSON is malformed") else "This is not valid JSON"
    return ChatError(Kind.BAD_JSON, f"{where}.")


def _mismatch(found: str) -> str:
    """What msgspec says of JSON that is not of the form, in the words of this protocol."""
    if "missing required field" in found:
        return "The object has no key 'message'."
    _, at, key = found.partition("$.")
    if at:
        return f"The value of '{key.rstrip('`')}' must be a string."
    return 'Send a JSON object, such as {"message": "text"}.'


def plain_frame(message: Message) -> bytes:
    """A message as plain members get it, framed."""
    return text_frame(_encoder.encode(PlainFrame(message.message)))


def error_frame(error: ChatError) -> bytes:
    """An error as a plain client gets it, framed."""
    return text_frame(_encoder.encode(PlainError(PlainErrorText(error.kind.code, error.detail))))


def text_frame(payload: bytes) -> bytes:
    """One whole, unmasked text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)
