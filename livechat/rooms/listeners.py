"""Calls other people's code (`livechat.interfaces.IListener`) after events in rooms."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat.interfaces import IListener
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.messages import Edited, Entry, Gone, Message, Retracted, User

#: Events that may wait for listeners.
LONGEST: Final = 10_000
#: Seconds of one turn of the reactor that listeners may take, before others have theirs.
SLICE: Final = 0.005
#: Seconds beyond which a single call is logged, since it holds everybody up.
SLOW: Final = 0.1
#: Seconds between two lines of the same kind in the log.
LOG_EVERY: Final = 10.0

_Told = Message | Edited | Retracted | User

_log = Logger(namespace="livechat")


class Listeners:
    """
    The listeners of a process, and the events that wait for them.

    Events wait in one queue and are told in later turns of the reactor, after their messages were
    delivered: a listener delays no member by more than its own longest call.
    """

    def __init__(self, listeners: Sequence[IListener], clock: IReactorTime) -> None:
        self._listeners = tuple(listeners)
        self._clock = clock
        # The method, the room, and the method's other arguments.
        self._waiting: deque[tuple[str, str, _Told]] = deque()
        self._telling = False
        rate = Rate(1 / LOG_EVERY, 1)
        self._failures, self._slow, self._dropped = LogLimit(rate), LogLimit(rate), LogLimit(rate)

    def stored(self, room: str, entries: Sequence[Entry]) -> None:
        """Tell that *entries* were stored in *room*."""
        if self._listeners:
            for each in entries:
                if isinstance(each, Message):
                    self._tell("stored", room, each)
                elif not isinstance(each, Gone):
                    self._tell("amended", room, each)

    def joined(self, room: str, user: User) -> None:
        """Tell that *user* has a connection in *room* now."""
        self._tell("joined", room, user)

    def left(self, room: str, user: User) -> None:
        """Tell that *user* has no connection in *room* any more."""
        self._tell("left", room, user)

    def _tell(self, method: str, room: str, what: _Told) -> None:
        if not self._listeners:
            return
        if len(self._waiting) >= LONGEST:
            self._say_dropped()
            return
        self._waiting.append((method, room, what))
        if not self._telling:
            self._telling = True
            self._clock.callLater(0, self._drain)

    def _drain(self) -> None:
        now = self._clock.seconds()
        until = now + SLICE
        while self._waiting and now < until:
            event = self._waiting.popleft()
            for listener in self._listeners:
                now = self._call(listener, *event, begun=now)
        self._telling = bool(self._waiting)
        if self._telling:
            self._clock.callLater(0, self._drain)

    def _call(
        self, listener: IListener, method: str, room: str, what: _Told, *, begun: float
    ) -> float:
        """Make one call; returns when it ended."""
        try:
            getattr(listener, method)(room, what)
        except Exception:  # noqa: BLE001 - somebody else's code may raise anything
            more = self._failures.due(begun)
            if more is not None:
                _log.failure("The listener {name!r} failed{more}.", name=listener, more=more)
        ended = self._clock.seconds()
        if ended - begun > SLOW and (more := self._slow.due(ended)) is not None:
            _log.warn(
                "The listener {name!r} took {seconds:.2f} s, in which nobody was served{more}.",
                name=listener,
                seconds=ended - begun,
                more=more,
            )
        return ended

    def _say_dropped(self) -> None:
        more = self._dropped.due(self._clock.seconds())
        if more is not None:
            _log.error(
                "Listeners are too slow: {count} events wait, and others are dropped{more}.",
                count=LONGEST,
                more=more,
            )
