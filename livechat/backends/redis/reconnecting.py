"""
Keep a connection up: connect again and again, the more slowly the longer it is of no use.

That TCP connects says little: a Redis may refuse the password, a port may close at once.
So the wait grows until a connection has been *usable*.
"""

from __future__ import annotations

from collections.abc import Callable
from random import uniform
from typing import Final

from OpenSSL import SSL
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.python.failure import Failure
from zope.interface import implementer, provider

#: Seconds before the first attempt after a loss, the factor of their growth, and the most.
FIRST: Final = 0.075
FACTOR: Final = 1.5
SLOWEST: Final = 8.0
#: Seconds for which a usable connection must have held for the shortest wait; and the attempts by
#: which waits begin later otherwise (0.1 s): a Redis that drops each usable connection would be
#: asked without a pause.
HELD: Final = 1.0
BOUNCED: Final = 1


class Pace:
    """The delays of a connection between attempts; a retry policy of `ClientService`."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._tries = 0
        self._usable_since: float | None = None

    def usable(self) -> None:
        """Note that the connection is usable.  No-op if that is known."""
        if self._usable_since is None:
            self._usable_since = self._clock.seconds()

    def __call__(self, _: object) -> float:
        """Return the seconds until the next attempt, after a loss or a failure."""
        since, self._usable_since = self._usable_since, None
        if since is not None:
            held = self._clock.seconds() - since >= HELD
            self._tries = 0 if held else min(self._tries, BOUNCED)
        # The exponent is bounded: the power would overflow after a day.
        wait = min(SLOWEST, FIRST * FACTOR ** min(self._tries, 50))
        self._tries += 1
        # Processes that lost their connections together come back at different times.
        return wait * uniform(0.8, 1)  # noqa: S311 - no secret


@provider(ILogObserver)
def _unheard(_: LogEvent) -> None:
    """Drop the log's event."""


class Keeper(ClientService):
    """Keeps one connection up.  Says nothing: Twisted logs a line for each attempt."""

    _log = Logger(observer=_unheard)

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        factory: IProtocolFactory,
        clock: IReactorTime,
        failed: Callable[[str], None],
    ) -> None:
        """
        @param failed: called with the reason of a failed attempt.  The protocol reports losses.
        """
        self.pace = Pace(clock)
        watched = _Watched(endpoint, failed)
        super().__init__(watched, factory, retryPolicy=self.pace, clock=clock)


@implementer(IStreamClientEndpoint)
class _Watched:
    """An endpoint that reports failures to connect, which `ClientService` keeps to itself."""

    def __init__(self, endpoint: IStreamClientEndpoint, failed: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._told = failed

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return self._endpoint.connect(factory).addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        self._told(in_words(failure))
        return failure


def in_words(failure: Failure) -> str:
    """Describe in one line why a connection was lost or not made."""
    if failure.check(ConnectionDone):
        return "it closed the connection"
    error = failure.value
    if isinstance(error, SSL.Error):
        # OpenSSL's errors are triples, which end with the reason.
        stack = error.args[0] if error.args else ()
        return "; ".join(["TLS failed", *(each[-1] for each in stack)])
    return str(failure.getErrorMessage())
