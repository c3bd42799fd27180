"""`livechat.rooms.removal_run`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.protocol.audit import Author
from livechat.rooms.removal_run import LostError, Removed, Run
from livechat.rooms.sweeping import Job


@pytest.fixture
def run() -> Run:
    """A run whose actor waits."""
    made = Run("r|*", Job("r", Author("user"), moderates=True, count=2, seq=7, time=5))
    made.answer = Deferred()
    return made


def outcome(run: Run) -> Any:
    found: list[Any] = []
    assert run.answer is not None
    run.answer.addBoth(found.append)
    return found[0]


def test_an_actor_is_answered_once(run: Run) -> None:
    """A second answer, and one to an actor that does not wait, is a no-op."""
    run.succeed(9)
    run.succeed(10)
    run.refuse(LostError())
    assert outcome(run) == Removed(2, 7, 5)
    run.answer = None
    run.succeed(9)
    run.refuse(LostError())


@pytest.mark.parametrize(
    ("reason", "kind", "logged"),
    [
        (ChatError(Kind.UNAVAILABLE, "Away."), Kind.UNKNOWN, "goes on by itself: Away."),
        (LostError(), Kind.UNKNOWN, None),
        (ZeroDivisionError(), Kind.INTERNAL, None),
    ],
)
def test_work_that_ends_early(run: Run, reason: Exception, kind: Kind, logged: str | None) -> None:
    """An interruption is a warning and goes on; a bug has its traceback; a lost lease is quiet."""
    with capturedLogs() as events:
        run.failed(Failure(reason))
    assert outcome(run).value.kind == kind
    assert len(events) == (0 if isinstance(reason, LostError) else 1)
    if logged is not None:
        assert events[0]["reason"] in logged


@pytest.mark.parametrize(("value", "kind"), [(b"x", Kind.UNKNOWN), (b"", Kind.UNAVAILABLE)])
def test_an_actor_that_waits_no_longer(run: Run, value: bytes, kind: Kind) -> None:
    """A job that is in the map goes on; one that is not was never begun."""
    run.value = value
    with pytest.raises(ChatError) as caught:
        run.late()
    assert caught.value.kind == kind
