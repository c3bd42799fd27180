"""
Acts that wait to be stored: bounded in number, characters and time.

Both backends share it.  A receiver is told once, whatever comes first: its act is
stored, it is refused, or its time is up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from livechat.errors import ChatError, Kind
from livechat.interfaces import IReceiver
from livechat.protocol.messages import Amended, Message, Redaction, Retraction, Submission

#: Messages, and characters of their texts, that wait to be stored at most.
MESSAGES: Final = 10_000
CHARACTERS: Final = 32 * 1024 * 1024
#: Characters as which a retraction counts, by its work.
_RETRACTING: Final = 64

_S = TypeVar("_S", bound=Submission)
_log = Logger()


def size(submission: Submission) -> int:
    """Estimate how much there is to store, in characters."""
    if isinstance(submission, Retraction):
        return _RETRACTING * len(submission.refs)
    if isinstance(submission, Redaction):
        return sum(_RETRACTING + len(text or "") for text in submission.changes.values())
    data = submission.data
    return len(submission.message) + (len(bytes(data)) if data is not None else 0)


def tell_stored(receiver: IReceiver, result: Message | Amended) -> None:
    """Tell *receiver* that its act is stored, whatever it makes of that."""
    try:
        receiver.stored(result)
    except Exception:  # noqa: BLE001 - the others of its group must not notice
        _log.failure("A sender could not be told that its message is stored.")


def refuse(receiver: IReceiver, reason: Exception) -> None:
    """Tell *receiver* that its act is refused, whatever it makes of that."""
    try:
        receiver.not_stored(reason)
    except Exception:  # noqa: BLE001 - as above
        _log.failure("A sender could not be told that its message is refused.")


class Act(Generic[_S]):
    """
    An act on its way into the store.

    @ivar receiver: waits for it; None once it was told.
    @ivar characters: how long it is.
    @ivar deadline: the second of the reactor's clock until which the receiver waits.
    """

    __slots__ = ("characters", "deadline", "receiver", "submission")

    def __init__(self, submission: _S, receiver: IReceiver) -> None:
        self.submission = submission
        self.receiver: IReceiver | None = receiver
        self.characters = size(submission)
        self.deadline = 0.0

    def stored(self, result: Message | Amended) -> None:
        """Tell the receiver that it is stored; no-op if it was told."""
        receiver = self.receiver
        if receiver is not None:
            self.receiver = None
            tell_stored(receiver, result)

    def refused(self, reason: Exception) -> None:
        """Tell the receiver that it is not; no-op if it was told."""
        receiver = self.receiver
        if receiver is not None:
            self.receiver = None
            refuse(receiver, reason)


_A = TypeVar("_A", bound=Act[Any])


class Waitlist(Generic[_A]):
    """
    All acts of a process that wait, in the order of their calls.

    Deadlines are equally long, so the first one is out of time first.
    """

    def __init__(self, clock: IReactorTime, seconds: float, late: Callable[[_A], None]) -> None:
        """
        @param seconds: the time for which a receiver waits.
        @param late: refuses an act whose time is over.
        """
        self._clock = clock
        self._seconds = seconds
        self._late = late
        self._all: deque[_A] = deque()
        self._characters = 0
        self._timer: IDelayedCall | None = None
        self._emptied: Deferred[None] | None = None

    def add(self, act: _A) -> None:
        """
        Add *act* to those that wait.

        @raise ChatError: too much is waiting already.
        """
        characters = self._characters + act.characters
        if characters > CHARACTERS or len(self._all) >= MESSAGES:
            raise ChatError(Kind.OVERLOADED, "Too many messages are waiting to be stored.")
        self._characters = characters
        act.deadline = self._clock.seconds() + self._seconds
        self._all.append(act)
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._end)

    def settle(self) -> None:
        """Forget those at the front whose receivers were told."""
        waiting = self._all
        while waiting and waiting[0].receiver is None:
            self._characters -= waiting.popleft().characters
        if self._emptied is not None and not waiting:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _end(self) -> None:
        """Refuse acts that have waited for too long."""
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
        """Fires when all receivers were told, when the last one's time is up at the latest."""
        self.settle()
        if not self._all:
            return succeed(None)
        self._emptied = Deferred()
        return self._emptied

    def stop(self) -> None:
        """End; no receiver is told any more."""
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
