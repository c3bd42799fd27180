"""A removal at one process: its job, and the actor that waits for it (`livechat.rooms.removal`)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind, internal
from livechat.rooms.sweeping import Job

_log = Logger()


class Removed(Struct, frozen=True):
    """
    The result of a removal.

    @ivar count: messages that were retracted.
    @ivar seq: the number of the last event; None where nothing was found.
    @ivar time: in milliseconds since 1970, UTC.
    """

    count: int
    seq: int | None
    time: int


class LostError(Exception):
    """The job has gone to another process, or this one stops."""


class Run:
    """
    A job, and this process's state of it.

    @ivar value: the job as the map has it; empty until it does.
    @ivar renewed: the second of the reactor's clock when the map got that.
    @ivar answer: fires for the actor that ordered the job, if it waits here.
    @ivar lock: held while the map is changed.
    @ivar timer: begins the second sweep.
    """

    __slots__ = ("answer", "job", "key", "lock", "renewed", "timer", "value")

    def __init__(self, key: str, job: Job, value: bytes = b"") -> None:
        self.key = key
        self.job = job
        self.value = value
        self.renewed = 0.0
        self.answer: Deferred[Removed] | None = None
        self.lock = DeferredLock()
        self.timer: IDelayedCall | None = None

    def succeed(self, now: int) -> None:
        """Answer the actor; no-op if none waits."""
        job, answer = self.job, self.answer
        if answer is not None and not answer.called:
            answer.callback(Removed(job.count, job.seq or None, job.time or now))

    def refuse(self, reason: BaseException | Failure) -> None:
        """Answer the actor with an error; no-op if none waits."""
        if self.answer is not None and not self.answer.called:
            self.answer.errback(reason)

    def failed(self, failure: Failure) -> None:
        """Log why the work ended before its end, and answer the actor."""
        if not isinstance(failure.value, ChatError | LostError):
            _log.failure("A removal in {room} failed.", failure, room=self.job.room)
            self.refuse(internal())
            return
        if isinstance(failure.value, ChatError):
            _log.warn(
                "A removal in {room} was interrupted, and goes on by itself: {reason}",
                room=self.job.room,
                reason=failure.value.detail,
            )
        self.refuse(unfinished())

    def late(self) -> Any:
        """Tell the actor, who waits no longer, whether the job was begun."""
        if self.value:
            raise unfinished()
        raise ChatError(Kind.UNAVAILABLE, "This is being done already, and it takes long.")


def unfinished() -> ChatError:
    """Make the answer to an actor whose job goes on without it."""
    return ChatError(Kind.UNKNOWN, "This was begun, and goes on by itself.")
