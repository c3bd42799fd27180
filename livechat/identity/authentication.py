"""Asks authenticators (`livechat.interfaces.IAuthenticator`) for the user of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, internal
from livechat.identity.known import Known, known
from livechat.interfaces import Credentials, IAuthenticator, Identity
from livechat.limits.rates import LogLimit, Rate
from livechat.system.time import Time

#: Seconds that all authenticators together have for a client.
TIMEOUT: Final = 5.0
#: Seconds between two lines of the same kind in the log.
LOG_EVERY: Final = 10.0

_log = Logger(namespace="livechat")


class Authentication:
    """The authenticators of a process."""

    def __init__(self, authenticators: Sequence[IAuthenticator], time: Time) -> None:
        self._authenticators = tuple(authenticators)
        self._time = time
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))

    def __bool__(self) -> bool:
        """Tell whether an authenticator is installed."""
        return bool(self._authenticators)

    async def user(self, credentials: Credentials) -> Known | None:
        """
        Find the user of a request; None if no authenticator knows one.

        @raise ChatError: an authenticator turns the client away, fails, or takes too long.
        """
        try:
            identity = await self._within(self._ask(credentials))
            return None if identity is None else _checked(identity, self._time.wall())
        except ChatError:
            raise
        except Exception:  # noqa: BLE001 - somebody else's code may raise anything
            more = self._failures.due(self._time.seconds())
            if more is not None:
                _log.failure("A client could not be authenticated{more}.", more=more)
            raise internal() from None

    async def _ask(self, credentials: Credentials) -> Identity | None:
        for authenticator in self._authenticators:
            found = authenticator.authenticate(credentials)
            if isinstance(found, Awaitable):
                found = await found
            if found is not None:
                return found
        return None

    def _within(self, asking: Any) -> Deferred[Identity | None]:
        """
        Return the result of *asking*, or fail in time, even if it cannot be cancelled.
        """
        asked: Deferred[Any] = Deferred.fromCoroutine(asking)
        answer: Deferred[Identity | None] = Deferred(lambda _: asked.cancel())

        def late() -> None:
            error = ChatError(
                Kind.UNAVAILABLE, "The server could not find out in time who you are."
            )
            answer.errback(error)
            asked.cancel()

        def answered(result: Any) -> None:
            if timer.active():
                timer.cancel()
            if not answer.called:
                answer.callback(result)

        timer = self._time.callLater(TIMEOUT, late)
        asked.addBoth(answered)
        return answer


def _checked(identity: object, now: float) -> Known:
    """
    @raise TypeError: an authenticator returned a value that is no identity.
    @raise ValueError: no user can have this identity.
    """
    if not isinstance(identity, Identity):
        raise TypeError(f"an authenticator returned {identity!r}, which is no Identity")
    return known(identity, now)
