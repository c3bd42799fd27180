"""
`livechat.net.fast` in plain Python: the same names with the same promises.

It runs if the C part was not built, and tests compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from select import POLLIN
from typing import Any, Final

from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib

from livechat.net.records import MOST_RECEIVED, receive

#: Bytes that one call of `write_all` sends to one connection.
MOST_SENT: Final = 128 * 1024
#: The largest size that OpenSSL can be given.
_INT_MAX: Final = 2**31 - 1
#: Events that one call of `turn` handles, and bytes that it reads.
MOST_EVENTS: Final = 1_024
ARENA: Final = 1024 * 1024
#: The largest data of a TLS record.
_RECORD: Final = 16_384
#: The first byte of a text message's only frame, and of a pong.
_TEXT: Final = 0x81
_PONG: Final = 0x8A
#: Bytes of a frame's head with the shortest and with the longer length, and its mask.
_SHORT_HEAD: Final = 6
_LONG_HEAD: Final = 8


class Wire:
    """
    The part of a connection that the loops look at.  A connection inherits from it, and does
    not hold one: each object more is one that the processor has to wait for.

    @ivar ssl: cffi's object that owns the ``SSL *``; None before `attach` and after `detach`.
    @ivar open: what arrives is the protocol's: the handshake is done, and nobody has closed.
    @ivar direct: a write may go to OpenSSL, past the transport's buffer: the handshake is done,
        nothing waits, nobody has closed, and nobody is to be asked for more when it is sent.
    @ivar ready: the protocol lets frames out at once.
    @ivar longest: the most bytes of a text frame that `turn` may take of what arrives, which
        begins with a frame then; 0: what arrives is the transport's to read.
    """

    __slots__ = ("direct", "longest", "open", "ready", "ssl")

    def __init__(self) -> None:
        self.ssl: Any = None
        self.open = self.direct = self.ready = False
        self.longest = 0

    def attach(self, ssl: Any) -> None:
        """
        Read from and write to *ssl* from now on.

        @raise RuntimeError: there is one already.
        """
        if self.ssl is not None:
            raise RuntimeError("the wire has an SSL already")
        self.ssl = ssl

    def detach(self) -> None:
        """Stop reading and writing: *ssl* may be freed."""
        self.ssl = None
        self.open = self.direct = self.ready = False
        self.longest = 0


def write_all(wires: list[Any], data: bytes, start: int, stop: int, /) -> list[tuple[int, int]]:
    """
    Write *data* to each of ``wires[start:stop]`` that is ready and direct.

    Nothing else of Python runs meanwhile.  An object that is no `Wire` is never ready.

    @return: of those that have not got all, the index and the bytes they have got, in the
        order of the list; -1 if nothing was tried.  Where something was, OpenSSL may have begun
        to send more: whatever is written next must begin with the rest of *data*.
    @raise ValueError: start and stop are no range of the list.
    """
    if not 0 <= start <= stop <= len(wires):
        raise ValueError("start and stop are no range of the list")
    size = len(data)
    if not size:
        return []
    write, fits = _lib.SSL_write, size <= _INT_MAX
    left = []
    for index in range(start, stop):
        wire = wires[index]
        try:
            clear = wire.ready and wire.direct and fits
        except AttributeError:
            clear = False
        sent = -1
        if clear:
            sent = write(wire.ssl, data, size)
            if sent != size:
                sent = _rest(wire.ssl, data, sent)
        if sent != size:
            left.append((index, sent))
    return left


def _rest(ssl: Any, data: bytes, result: int) -> int:
    """
    Send on where OpenSSL, given all of *data*, has said *result* and not taken all.

    @return: how many bytes are sent.
    """
    start, size, sent = _ffi.from_buffer(data), len(data), 0
    while result > 0:
        sent += result
        if sent == size or sent >= MOST_SENT:
            return sent
        result = _lib.SSL_write(ssl, start + sent, size - sent)
    _lib.ERR_clear_error()
    return sent


def take(data: bytes, most: int, longest: int, /) -> tuple[list[bytes | None], bytes]:
    """
    Take the frames that *data* begins with, as far as they are of the usual kinds: whole text
    messages, masked, in UTF-8 and in a frame with at most 16 bits of length; and empty pongs.

    @param most: the number of frames at most.
    @param longest: bytes of a text at most; 0: nothing is taken.
    @return: the texts, with None for a pong; and the rest of *data*.
    """
    frames: list[bytes | None] = []
    at, end = 0, len(data) if longest > 0 else 0
    while end - at >= _SHORT_HEAD and len(frames) < most:
        opening, size, start = data[at], data[at + 1] - 0x80, at + _SHORT_HEAD
        if opening == _PONG and size == 0:
            frames.append(None)
            at = start
            continue
        if size == 126 and end - at >= _LONG_HEAD:
            size = data[at + 2] << 8 | data[at + 3]
            start = at + _LONG_HEAD
            if size < 126:
                break
        elif not 0 <= size < 126:
            break
        stop = start + size
        if opening != _TEXT or stop > end or size > longest:
            break
        payload = _unmasked(data[start - 4 : start], data[start:stop])
        if not payload.isascii() and not _is_utf8(payload):
            break
        frames.append(payload)
        at = stop
    return frames, data[at:] if at else data


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    """Return *payload* without its mask (RFC 6455, section 5.3)."""
    size = len(payload)
    pattern = (mask * (size // 4 + 1))[:size]
    plain = int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")
    return plain.to_bytes(size, "little")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def turn(
    epoll: Any, selectables: Mapping[int, Any], seconds: float, most: int, /
) -> tuple[list[tuple[Any, list[bytes | None], bytes, bool]], list[tuple[int, int]]]:
    """
    Wait for events, and read what has arrived for wires that are open and have a `Wire.longest`.

    Events of unknown descriptors are dropped.  A wire for whose data there is no room any more in
    this turn is told of as another event: were it left to the next one, others that always
    have much could come first for ever.

    @param epoll: a `select.epoll`.
    @param selectables: by their descriptors; wires among them.
    @param seconds: the time to wait at most; negative: without end.
    @param most: the number of frames that are taken of a wire.
    @return: the results and all other events.  A result has the wire, what `take` has
        returned, and whether OpenSSL had something to say but data, as it will again.
    """
    results, others, room = [], [], ARENA
    for event in epoll.poll(seconds, MOST_EVENTS):
        fileno, what = event
        wire = selectables.get(fileno)
        if (
            what == POLLIN
            and isinstance(wire, Wire)
            and wire.longest > 0
            and wire.open
            and room >= MOST_RECEIVED + _RECORD
        ):
            data, result = receive(wire.ssl, fileno)
            ended = result <= 0 and _has_ended(wire.ssl, result)
            if data or ended:
                room -= len(data)
                results.append((wire, *take(data, most, wire.longest), ended))
        elif wire is not None:
            others.append(event)
    return results, others


def _has_ended(ssl: Any, result: int) -> bool:
    """Tell whether OpenSSL means something else by *result* than that there is no more to read."""
    ended: bool = _lib.SSL_get_error(ssl, result) != _lib.SSL_ERROR_WANT_READ
    if ended:
        _lib.ERR_clear_error()
    return ended
