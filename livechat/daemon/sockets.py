"""
The listening sockets of workers, which their supervisor keeps.

So a worker that takes another's place takes its socket too, and no connection is lost that waits
in it.  Workers on a port of their own have a socket each (SO_REUSEPORT): the kernel spreads
connections evenly over them.  Sockets that systemd keeps are shared by all.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from livechat.net.activation import Inherited
from livechat.net.listening import bind


class WorkerSockets(Protocol):
    """Sockets to hand to workers, by the number of their place."""

    def take(self, place: int) -> Sequence[Inherited]:
        """
        Return the sockets of *place*, which stay open here.

        @raise StartError: there can be none.
        """

    def drop(self, place: int) -> None:
        """Let nobody wait at *place*: its worker has broken, and it may be long until the next."""

    def close(self) -> None:
        """Keep none any more."""


class OfOnePort:
    """A socket on the same port for each worker."""

    def __init__(self, interface: str, reserved: Sequence[socket.socket]) -> None:
        """
        @param reserved: sockets that keep the port while no worker has one.
        """
        self._interface = interface
        self._reserved = reserved
        self._port: int = reserved[0].getsockname()[1]
        self._sockets: dict[int, Sequence[Inherited]] = {}

    def take(self, place: int) -> Sequence[Inherited]:
        if place not in self._sockets:
            made = bind(self._interface, self._port, shared=True)
            self._sockets[place] = [Inherited("", each) for each in made]
        return self._sockets[place]

    def drop(self, place: int) -> None:
        for each in self._sockets.pop(place, ()):
            each.socket.close()

    def close(self) -> None:
        for place in tuple(self._sockets):
            self.drop(place)
        for each in self._reserved:
            each.close()


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
