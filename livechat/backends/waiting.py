"""
Senders that wait for their messages to be stored: bounded in number, characters and time.

Both backends share it.  A sender is answered once, whatever comes first: its message is
stored, it is refused, or its time is up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Amendment, Draft, Retraction, Submission

#: Most messages, and characters of them, that wait to be stored.
MESSAGES: Final = 10_000
CHARACTERS: Final = 32 * 1024 * 1024
#: Characters that retracting a message counts as: it is about as much work.
_RETRACTING: Final = 64


def size(submission: Submission) -> int:
    """Estimate how much there is to store, in characters."""
    if isinstance(submission, Retraction):
        return _RETRACTING * len(submission.refs)
    data = submission.data
    return len(submission.message) + (len(bytes(data)) if data is not None else 0)


class Act:
    """
    An act whose actor waits until it is stored.

    @ivar characters: how long it is.
    @ivar deadline: the second of the reactor's clock until which the actor waits.
    @ivar answer: None once the actor was answered.
    """

    __slots__ = ("answer", "characters", "deadline")

    def __init__(self, characters: int, deadline: float = 0.0) -> None:
        self.characters = characters
        self.deadline = deadline
        self.answer: Deferred[Any] | None = Deferred()

    def stored(self, result: Any) -> None:
        """Answer that it is stored; no-op if the actor was answered."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(result)

    def refused(self, reason: BaseException) -> None:
        """Answer that it is not; no-op if the actor was answered."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(reason)


class Waiting(Act):
    """A message whose sender waits.  The answer is the stored `Message`."""

    __slots__ = ("draft",)

    def __init__(self, draft: Draft, deadline: float = 0.0) -> None:
        super().__init__(size(draft), deadline)
        self.draft = draft


class Amending(Act):
    """An edit or a retraction whose actor waits.  The answer is an `Amended`."""

    __slots__ = ("amendment",)

    def __init__(self, amendment: Amendment, deadline: float = 0.0) -> None:
        super().__init__(size(amendment), deadline)
        self.amendment = amendment


_W = TypeVar("_W", bound=Act)


class Waitlist(Generic[_W]):
    """
    All senders of a process that wait, in the order of their calls.

    Deadlines are equally long, so the first sender is out of time first.
    """

    def __init__(self, clock: IReactorTime, seconds: float, late: Callable[[_W], None]) -> None:
        """
        @param seconds: how long a sender waits.
        @param late: refuses a message whose sender is out of time.
        """
        self._clock = clock
        self._seconds = seconds
        self._late = late
        self._all: deque[_W] = deque()
        self._characters = 0
        self._timer: IDelayedCall | None = None
        self._emptied: Deferred[None] | None = None

    def add(self, waiting: _W) -> Deferred[Any]:
        """
        Let the sender of *waiting* wait from now on; returns its answer.

        @raise ChatError: too much is waiting already.
        """
        characters = self._characters + waiting.characters
        if characters > CHARACTERS or len(self._all) >= MESSAGES:
            raise ChatError(Kind.OVERLOADED, "Too many messages are waiting to be stored.")
        answer = waiting.answer
        assert answer is not None
        self._characters = characters
        waiting.deadline = self._clock.seconds() + self._seconds
        self._all.append(waiting)
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._end)
        return answer

    def settle(self) -> None:
        """Forget those at the front that were answered."""
        waiting = self._all
        while waiting and waiting[0].answer is None:
            self._characters -= waiting.popleft().characters
        if self._emptied is not None and not waiting:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _end(self) -> None:
        """Answer senders who have waited long enough."""
        self._timer = None
        now = self._clock.seconds()
        self.settle()
        while self._all and self._all[0].deadline <= now:
            self._late(self._all[0])
            self.settle()
        if self._all:
            left = max(0.0, self._all[0].deadline - now)
            self._timer = self._clock.callLater(left, self._end)

    def emptied(self) -> Deferred[None]:
        """Fires when everybody was answered, when the last one's time is up at the latest."""
        self.settle()
        if not self._all:
            return succeed(None)
        self._emptied = Deferred()
        return self._emptied

    def stop(self) -> None:
        """End; nobody is answered any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def late() -> ChatError:
    """The refusal of a message that was not stored before its sender's time was up."""
    return ChatError(Kind.UNAVAILABLE, "The message could not be stored in time.")


def not_stored() -> ChatError:
    """The refusal of a message that is not stored."""
    return ChatError(Kind.UNAVAILABLE, "The message could not be stored just now.")


def unknown() -> ChatError:
    """The refusal of a message that may be stored."""
    return ChatError(Kind.UNKNOWN, "The message may have been stored.")


def unstorable() -> ChatError:
    """The refusal of a message that no store takes."""
    return ChatError(Kind.BAD_MESSAGE, "This text cannot be stored.")
