"""`livechat.members.backpressure`."""

from __future__ import annotations

from twisted.internet.task import Clock

from livechat.members.backpressure import FAR_TOO_MUCH, LARGEST_FRAMES, SLOW, Patience


class Slow:
    closed = 0

    def too_slow(self) -> None:
        self.closed += 1

    def met_a_bug(self) -> None:
        """Never drains."""


def test_patience() -> None:
    """More than the bound may wait for a while; far more may not wait at all."""
    clock, one, two = Clock(), Slow(), Slow()
    patience = Patience(clock, max_frame=10, max_unsent=100)
    patience.look(one, 101)
    clock.advance(SLOW - 1)
    # To wait for more does not begin it anew.
    patience.look(one, 200)
    patience.look(two, 101)
    assert len(patience) == 2
    patience.look(two, 100)
    clock.advance(1)
    assert (one.closed, two.closed) == (1, 0)
    patience.look(two, FAR_TOO_MUCH * 100 + 1)
    assert two.closed == 1
    patience.look(one, 101)
    patience.done(one)
    clock.advance(SLOW)
    assert one.closed == 1
    assert not clock.getDelayedCalls()


def test_large_frames() -> None:
    """A few of the largest frames may always wait."""
    assert Patience(Clock(), max_frame=1_000, max_unsent=100).unsent == 1_000 * LARGEST_FRAMES
