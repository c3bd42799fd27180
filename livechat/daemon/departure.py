"""The end of a process: /readyz goes first, then the port, then the clients, told one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import sample
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.protocol.counts import counted

_log = Logger(namespace="livechat")

#: Least seconds over which clients are told to leave a process that has a successor: clients that
#: have just come have the time to end their handshakes.
SETTLE: Final = 1.0


class Departure(Service):
    """
    Begins the end of a process.  It is the last service to start, and so the first to stop.

    @ivar drain: seconds over which clients are told.
    @ivar begun: the process is about to end.
    """

    name = "departure"

    def __init__(
        self,
        clock: IReactorTime,
        *,
        linger: float = 0.0,
        drain: float = 0.0,
        begins: Callable[[float], None] = lambda _: None,
    ) -> None:
        """
        @param linger: seconds for which connections are still taken.
        @param begins: called when the end begins, with the seconds by which it takes longer than
            usual.
        """
        self._clock = clock
        self._linger = linger
        self.drain = drain
        self.begun = False
        self._begins = begins

    @property
    def seconds(self) -> float:
        """The seconds that the end takes longer than usual."""
        return self._linger + self.drain

    def followed(self) -> None:
        """End lingering: another process takes connections at the same socket."""
        self._linger = 0.0
        self.drain = max(self.drain, SETTLE)

    def trouble(self) -> str | None:
        """The reason why no new clients should come; None if they may."""
        return "the server is about to stop" if self.begun else None

    def stopService(self) -> Deferred[None] | None:
        super().stopService()
        self.begun = True
        self._begins(self.seconds)
        if not self._linger:
            return None
        _log.info("Connections are taken for {span} more.", span=counted(self._linger, "second"))
        return deferLater(self._clock, self._linger, lambda: None)


async def one_by_one(
    clock: IReactorTime, seconds: float, acts: Sequence[Callable[[], None]]
) -> None:
    """Call *acts* in any order, spread evenly over so many *seconds*."""
    began = clock.seconds()
    for index, act in enumerate(sample(acts, len(acts))):
        wait = began + seconds * index / len(acts) - clock.seconds()
        if wait > 0:
            await deferLater(clock, wait, lambda: None)
        try:
            act()
        except Exception:  # noqa: BLE001 - the others must be told all the same
            _log.failure("A client could not be told that the server stops.")
