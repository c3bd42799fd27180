"""What processes share, where there is only one: nothing is told to anybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from livechat.interfaces import IPresenceRelay, IProcessRegistry
from livechat.protocol.cluster import Report, Share
from livechat.protocol.messages import User


@implementer(IPresenceRelay)
class LonePresenceRelay:
    """Tells nobody of the users here."""

    def share(self, room: str, share: Share) -> None:
        """Nobody else is there."""

    def typing(self, room: str, user: User) -> None:
        """Nobody else is there."""


@implementer(IProcessRegistry)
class LoneProcessRegistry:
    """Knows one process."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._census: Callable[[], Report] | None = None

    def start(self, census: Callable[[], Report]) -> None:
        self._census = census

    def reports(self) -> Deferred[Sequence[Report]]:
        assert self._census is not None
        return succeed([self._census()])

    def secret(self) -> Deferred[bytes]:
        return succeed(self._secret())
