"""
`livechat.net.fast` in plain Python: the same names with the same promises.

It runs where the C part was not built, and is what that is compared with in tests.
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib

#: Bytes that one call of `write_all` sends to one connection.
MOST_SENT: Final = 128 * 1024
#: The largest size that OpenSSL can be given.
_INT_MAX: Final = 2**31 - 1


class Wire:
    """
    The part of a connection that the loops look at.  A connection inherits from it, and does
    not hold one: each object more is one that the processor has to wait for.

    @ivar ssl: cffi's object that owns the ``SSL *``; None before `attach` and after `detach`.
    @ivar open: what arrives is the protocol's: the handshake is done, and nobody has closed.
    @ivar direct: a write may go to OpenSSL, past the transport's buffer: the handshake is done,
        nothing waits, nobody has closed, and nobody is to be asked for more when it is sent.
    @ivar ready: the protocol lets frames out at once.
    """

    __slots__ = ("direct", "open", "ready", "ssl")

    def __init__(self) -> None:
        self.ssl: Any = None
        self.open = self.direct = self.ready = False

    def attach(self, ssl: Any) -> None:
        """
        Read from and write to *ssl* from now on.

        @raise RuntimeError: there is one already.
        """
        if self.ssl is not None:
            raise RuntimeError("the wire has an SSL already")
        self.ssl = ssl

    def detach(self) -> None:
        """Neither read nor write any more: *ssl* may be freed."""
        self.ssl = None
        self.open = self.direct = self.ready = False


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
