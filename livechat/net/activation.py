"""
Listening sockets that are handed to this process when it starts, and that outlive it.

systemd keeps those of a socket unit (sd_listen_fds(3)); a supervisor keeps those of its workers,
and hands them over in the same way, but for LISTEN_PID: it does not know the number beforehand.
Connections wait in them while nobody accepts any.

    LISTEN_FDS        how many there are, from descriptor 3 on
    LISTEN_PID        the process that they are for
    LISTEN_FDNAMES    their names, with colons between them
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from livechat.errors import StartError

#: The first descriptor that is handed over.
FIRST: Final = 3
#: The most sockets that are taken.
MOST: Final = 64
_COUNT: Final = "LISTEN_FDS"
_PROCESS: Final = "LISTEN_PID"
_NAMES: Final = "LISTEN_FDNAMES"
_VARIABLES: Final = (_COUNT, _PROCESS, _NAMES)
_AT_START: Final = Path("/proc/self/environ")
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
_KINDS: Final = {
    socket.SOCK_DGRAM: "a datagram socket",
    socket.SOCK_SEQPACKET: "a socket of sequential packets",
}


class Inherited(NamedTuple):
    """
    A listening socket that was handed over.

    @ivar name: the one that its keeper gave it.
    """

    name: str
    socket: socket.socket


def inherited(environment: MutableMapping[str, str], *, worker: bool = False) -> list[Inherited]:
    """
    Take the sockets that were handed to this process, and their variables out of *environment*.

    @param worker: a supervisor handed them over.
    @raise StartError: they are for another process, or cannot be listened on.
    """
    count, process, names = (environment.pop(each, None) for each in _VARIABLES)
    if count is None and not worker:
        # Twisted's endpoints, if imported, have removed these variables, and would use no such
        # socket.
        count, process, names = map(_as_started(os.getpid()).get, _VARIABLES)
    if count is None:
        return []
    if not worker and process != str(os.getpid()):
        raise StartError(
            f"{_PROCESS}: the sockets are for process {process}, and this one is {os.getpid()}:"
            " let nothing stand between systemd and twistd"
        )
    if not count.isascii() or not count.isdigit() or not 0 < int(count) <= MOST:
        raise StartError(f"{_COUNT}: {count!r} must be a whole number from 1 to {MOST}")
    known = (names or "").split(":")
    known += [""] * (int(count) - len(known))
    found: list[Inherited] = []
    try:
        for number, name in zip(range(FIRST, FIRST + int(count)), known, strict=False):
            found.append(Inherited(name, _listening(number, name)))
    except BaseException:
        for each in found:
            each.socket.close()
        raise
    return found


def _as_started(process: int) -> Mapping[str, str]:
    """Return the variables with which *process*, this one, was started, if sockets were for it."""
    try:
        lines = _AT_START.read_bytes().split(b"\0")
    except OSError:
        return {}
    found = dict(line.decode(errors="replace").partition("=")[::2] for line in lines)
    return found if found.get(_PROCESS) == str(process) else {}


def handed(sockets: Sequence[Inherited]) -> Mapping[str, str]:
    """Return the variables with which a process `inherited` *sockets*, from descriptor 3 on."""
    return {_COUNT: str(len(sockets)), _NAMES: ":".join(each.name for each in sockets)}


def _listening(number: int, name: str) -> socket.socket:
    """
    @raise StartError: descriptor *number* is no stream socket that listens.
    """
    which = f"{_COUNT}: descriptor {number}" + (f" ({name})" if name else "")
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise StartError(f"{which} is not a socket")
        os.set_inheritable(number, False)
        found = socket.socket(fileno=number)
    except OSError as reason:
        raise StartError(f"{which} cannot be used: {reason.strerror}") from None
    wrong = _fault(found)
    if wrong is not None:
        found.close()
        raise StartError(f"{which} is {wrong}; it must be a ListenStream= of the socket unit")
    found.setblocking(False)
    return found


def _fault(found: socket.socket) -> str | None:
    if found.type != socket.SOCK_STREAM:
        return _KINDS.get(socket.SocketKind(found.type), "no stream socket")
    if found.family not in _FAMILIES:
        return f"of the family {socket.AddressFamily(found.family).name}"
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        # As with Accept=yes, which starts a process for each connection.
        return "a connection, or does not listen"
    return None
