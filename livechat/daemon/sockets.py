"""
The listening sockets of workers, which their supervisor keeps.

So a worker that takes another's place takes its socket too, and no connection is lost that waits
in it.  Workers on a port of their own have a socket each (SO_REUSEPORT): the kernel spreads
connections evenly over them.  Sockets that systemd keeps, and those with files, are shared by all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from livechat.net.activation import Inherited
from livechat.net.listening import Listening, listen


class WorkerSockets(Protocol):
    """Sockets to hand to workers, by the number of their place."""

    def take(self, place: int) -> Sequence[Inherited]:
        """
        Return the sockets of *place*, which stay open here.

        @raise StartError: there can be none.
        """

    def drop(self, place: int) -> None:
        """Close the socket of *place*: its worker has broken, and it may be long until the next."""

    def close(self) -> None:
        """Keep none any more."""

    def clean(self) -> None:
        """Remove what is left of them: the workers have closed theirs, too."""


class OfPorts:
    """A socket on the same ports for each worker; those that have files are for all."""

    def __init__(self, reserved: Sequence[Listening]) -> None:
        """
        @param reserved: sockets that hold the ports while no worker has one, and sockets with
            files, which listen.
        """
        self._reserved = reserved
        self._ports = tuple(dict.fromkeys(each.address for each in reserved if each.file is None))
        self._files = [_named(each) for each in reserved if each.file is not None]
        self._sockets: dict[int, Sequence[Inherited]] = {}

    def take(self, place: int) -> Sequence[Inherited]:
        if place not in self._sockets:
            self._sockets[place] = [_named(each) for each in listen(self._ports, shared=True)]
        return [*self._sockets[place], *self._files]

    def drop(self, place: int) -> None:
        for each in self._sockets.pop(place, ()):
            each.socket.close()

    def close(self) -> None:
        for place in tuple(self._sockets):
            self.drop(place)
        for each in self._reserved:
            each.socket.close()

    def clean(self) -> None:
        for each in self._reserved:
            each.close()


def _named(listening: Listening) -> Inherited:
    """Name a socket for workers: the name tells them how to serve there."""
    return Inherited(listening.address.kind, listening.socket)


class Kept:
    """Sockets that somebody else keeps, for all workers."""

    def __init__(self, sockets: Sequence[Inherited]) -> None:
        self._sockets = sockets

    def take(self, place: int) -> Sequence[Inherited]:
        return self._sockets

    def drop(self, place: int) -> None:
        """No-op: the others accept what waits."""

    def close(self) -> None:
        for each in self._sockets:
            each.socket.close()

    def clean(self) -> None:
        """No-op: files are removed by the process that has made them."""
