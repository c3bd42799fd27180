"""`livechat.backends.pacing`; its rules are in `tests.pace_contract`."""

from __future__ import annotations

import pytest

from livechat.backends import pacing
from livechat.backends.pacing import Pacing
from livechat.protocol.messages import Throttle

NOW = 1_790_000_000_000


def test_what_is_over_is_forgotten() -> None:
    """However many keys and rooms there were, only those are kept that hold somebody up."""
    paces = Pacing()
    for number in range(20 * pacing.FEW):
        throttle = Throttle("", 1 if number % 100 else 10**6, 1)
        assert paces.admit(f"r{number}", number, throttle, NOW + 10 * number) is None
        assert len(paces.spoken) + len(paces.due) <= pacing.FEW + 400
    assert paces.admit("r", 0, Throttle("", 10**6), NOW + 10) is not None
    paces.forget_over(NOW + 2 * 10**9)
    assert (paces.spoken, paces.due) == ({}, {})


@pytest.mark.parametrize("rate", [1, 3, 7, 999, 1_000])
def test_any_rate_admits_a_second_at_once(rate: int) -> None:
    """A second's worth at once, then as many in each second."""
    paces, throttle = Pacing(), Throttle("", 0, rate)
    found = [paces.admit("r", "", throttle, NOW) for _ in range(1_001)]
    assert [each is None for each in found] == [True] * rate + [False] * (1_001 - rate)
    found = [paces.admit("r", "", throttle, NOW + at) for at in range(3_001)]
    assert abs(sum(each is None for each in found) - 3 * rate) <= 1


def test_waits_are_true() -> None:
    """A message that comes when it was told to is let through; a millisecond before, not."""
    for throttle in (Throttle("", 7), Throttle("", 0, 3), Throttle("", 0, 1_000)):
        paces = Pacing()
        now = NOW
        for _ in range(1_100):
            refusal = paces.admit("r", "", throttle, now)
            if refusal is None:
                continue
            assert refusal.retry_after is not None
            wait = round(1000 * refusal.retry_after)
            assert wait >= 1
            if wait > 1:
                assert paces.admit("r", "", throttle, now + wait - 1) is not None
            now += wait
            assert paces.admit("r", "", throttle, now) is None
