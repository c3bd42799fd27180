"""Asks other people's code (`livechat.interfaces.IAuthenticator`) whom a request is from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, internal
from livechat.identity.actor import OPERATOR
from livechat.identity.guests import cleaned_name
from livechat.interfaces import Credentials, IAuthenticator, Identity
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.looks import is_reserved
from livechat.protocol.messages import User

#: Seconds that authenticators have for one client, all together.
TIMEOUT: Final = 5.0
#: Seconds between two lines of the same kind in the log.
LOG_EVERY: Final = 10.0
#: An id of a site's user: printable ASCII without blanks.
_ID: Final = re.compile(r"[!-~]{1,64}", re.ASCII)
#: Operators' ids begin so.
_OWN: Final = OPERATOR.id.partition(":")[0] + ":"

_log = Logger(namespace="livechat")


class Authentication:
    """The authenticators of a process."""

    def __init__(self, authenticators: Sequence[IAuthenticator], clock: IReactorTime) -> None:
        self._authenticators = tuple(authenticators)
        self._clock = clock
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))

    def __bool__(self) -> bool:
        """Tell whether an authenticator is installed."""
        return bool(self._authenticators)

    async def user(self, credentials: Credentials) -> User | None:
        """
        The user whom a request is from; None if no authenticator knows.

        @raise ChatError: an authenticator turns the client away, fails, or takes too long.
        """
        try:
            identity = await self._within(self._ask(credentials))
            return None if identity is None else _user(identity)
        except ChatError:
            raise
        except Exception:  # noqa: BLE001 - somebody else's code may raise anything
            more = self._failures.due(self._clock.seconds())
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
        """The result of *asking*, or an error in time, even if it cannot be cancelled."""
        asked: Deferred[Any] = Deferred.fromCoroutine(asking)
        answer: Deferred[Identity | None] = Deferred(lambda _: asked.cancel())

        def late() -> None:
            error = ChatError(Kind.UNAVAILABLE, "It cannot be found out in time who you are.")
            answer.errback(error)
            asked.cancel()

        def answered(result: Any) -> None:
            if timer.active():
                timer.cancel()
            if not answer.called:
                answer.callback(result)

        timer = self._clock.callLater(TIMEOUT, late)
        asked.addBoth(answered)
        return answer


def _user(identity: object) -> User:
    """
    @raise TypeError: an authenticator returned something that is no identity.
    @raise ValueError: nobody may have its id.
    """
    if not isinstance(identity, Identity):
        raise TypeError(f"an authenticator returned {identity!r}, which is no Identity")
    known_as = identity.id
    if not isinstance(known_as, str) or _ID.fullmatch(known_as) is None or "!" in known_as:
        raise ValueError(f"an authenticator returned the id {known_as!r}")
    if known_as.startswith(_OWN):
        raise ValueError(f"an authenticator returned the id {known_as!r}, which is livechat's own")
    for name in (identity.name, known_as):
        cleaned = None if name is None else cleaned_name(name)
        if cleaned is not None and not is_reserved(cleaned):
            return User(known_as, cleaned, verified=True)
    return User(known_as, f"user-{known_as[:8]}", verified=True)
