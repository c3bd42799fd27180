"""`livechat.backends.sqlite.health`."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.backends.sqlite.health import PROBE_EVERY, Health


def test_the_end_of_trouble_is_noticed_in_silence() -> None:
    """The end of the trouble is noticed even if nobody sends, and logged once."""
    clock = Clock()
    outcomes: list[Deferred[None]] = [succeed(None), fail(OSError("still full"))]
    health = Health(clock, outcomes.pop, lambda: recovered.append(True))
    recovered: list[bool] = []
    with capturedLogs() as events:
        health.failed("disk is full")
        health.failed("disk is full")
        assert health.trouble == "messages cannot be stored: disk is full"
        clock.advance(PROBE_EVERY)
        assert "still full" in str(health.trouble)
        clock.advance(PROBE_EVERY)
        assert health.trouble is None
        health.fine()
    assert recovered == [True]
    assert [event["log_level"].name for event in events] == ["error", "info"]
    assert clock.getDelayedCalls() == []


def test_no_probe_outlives_the_backend() -> None:
    """No probe outlives the backend."""
    clock = Clock()
    health = Health(clock, lambda: succeed(None), lambda: None)
    health.failed("x")
    health.stop()
    health.failed("x")
    assert clock.getDelayedCalls() == []
