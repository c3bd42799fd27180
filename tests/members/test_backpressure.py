"""`livechat.members.backpressure`."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

from livechat.limits.rates import Rate
from livechat.members.backpressure import HARD_LIMIT, LARGEST_FRAMES, SOFT_SECONDS, Backpressure
from livechat.protocol.wire import wire_limit
from tests.support.services import config


class Slow:
    closed = 0

    def too_slow(self) -> None:
        self.closed += 1

    def met_a_bug(self) -> None:
        """Never drains."""


def test_soft_and_hard_limit() -> None:
    """More than the bound may wait for a while; far more may not wait at all."""
    clock, one, two = Clock(), Slow(), Slow()
    backpressure = Backpressure(clock, max_frame=10, max_unsent=100)
    backpressure.check(one, 101)
    clock.advance(SOFT_SECONDS - 1)
    # To wait for more does not begin it anew.
    backpressure.check(one, 200)
    backpressure.check(two, 101)
    assert len(backpressure) == 2
    backpressure.check(two, 100)
    clock.advance(1)
    assert (one.closed, two.closed) == (1, 0)
    backpressure.check(two, HARD_LIMIT * 100 + 1)
    assert two.closed == 1
    backpressure.check(one, 101)
    backpressure.forget(one)
    clock.advance(SOFT_SECONDS)
    assert one.closed == 1
    assert not clock.getDelayedCalls()


def test_a_few_of_the_largest_frames_may_wait() -> None:
    """A few of the largest frames may always wait."""
    assert (
        Backpressure(Clock(), max_frame=1_000, max_unsent=100).soft_limit == 1_000 * LARGEST_FRAMES
    )


def test_the_largest_burst_is_below_the_hard_limit(tmp_path: Path) -> None:
    """The burst that an address has by default, of the largest messages, may wait for a while."""
    given = config(tmp_path)
    frame = wire_limit(given.max_message)
    backpressure = Backpressure(Clock(), max_frame=frame, max_unsent=given.max_unsent)
    burst = Rate.of(given.rate_per_ip).burst * frame
    assert backpressure.soft_limit < burst < HARD_LIMIT * backpressure.soft_limit
