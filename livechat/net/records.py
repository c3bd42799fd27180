"""
Reading TLS records by OpenSSL itself.

pyOpenSSL's own send and recv look for errors of callbacks and of OpenSSL around each call, and
make a buffer for it: a microsecond each, of the six that sending a message takes.  So where a
connection just reads or writes, OpenSSL is called as pyOpenSSL 26.4 does it, and any result but
success is given back to pyOpenSSL to explain.
"""

from __future__ import annotations

import socket
from fcntl import ioctl
from termios import FIONREAD
from typing import Any, Final

from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

#: The most plaintext in a TLS record (RFC 8446, section 5.1), and so of one read.
_RECORD: Final = 16_384
#: Records and bytes that are read in one turn of the reactor.
MOST_RECORDS: Final = 64
MOST_RECEIVED: Final = 64 * 1024

_RECEIVED: Final = _ffi.new("char[]", _RECORD)
#: A buffer for data that is thrown away.
_DROPPED: Final = bytearray(MOST_RECEIVED)
#: The result of FIONREAD where nothing has arrived.
_NOTHING: Final = bytes(4)


def receive(ssl: Any, fileno: int) -> tuple[bytes, int]:
    """
    Read all records that have arrived, up to a bound.

    @return: their data, joined; and the result of OpenSSL's last call, which is positive if
        that was a success.
    """
    records = []
    left = MOST_RECEIVED
    for _ in range(MOST_RECORDS):
        size = _lib.SSL_read(ssl, _RECEIVED, _RECORD)
        if size <= 0:
            break
        records.append(_ffi.buffer(_RECEIVED, size)[:])
        left -= size
        # OpenSSL reads no further than a record.  To ask the kernel whether there is
        # more costs less than to have OpenSSL find that there is not.
        if left <= 0 or ioctl(fileno, FIONREAD, _NOTHING) == _NOTHING:
            break
    return (records[0] if len(records) == 1 else b"".join(records)), size


def drop(plain: socket.socket) -> Exception | None:
    """
    Throw away what has arrived, as it is: to decrypt what a flood still sends would cost more
    than all else that is done about it.

    @return: how the connection ended, if it did.
    """
    try:
        dropped = plain.recv_into(_DROPPED)
    except BlockingIOError:
        return None
    except OSError:
        return CONNECTION_LOST
    return None if dropped else CONNECTION_DONE
