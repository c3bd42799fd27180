"""`livechat.limits.rates`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.limits.rates import Bucket, Buckets, LogLimit, Rate, address_key


def test_a_burst_then_the_rate() -> None:
    """Twice the rate may come at once, then one each time the rate allows."""
    bucket = Bucket(Rate.of(20))
    assert [bucket.admit(100.0) for _ in range(40)] == [0.0] * 40
    wait = bucket.admit(100.0)
    assert wait == pytest.approx(0.05)
    assert bucket.admit(100.0) == wait, "a refused event costs nothing"
    assert bucket.admit(100.0 + wait) == 0
    assert bucket.admit(100.0 + wait) > 0


@pytest.mark.parametrize("per_second", [0.1, 0.4, 0.5, 1])
def test_a_slow_rate_admits_one_event(per_second: float) -> None:
    """However slow a rate is, one event is admitted, and the next when its time has come."""
    bucket = Bucket(Rate.of(per_second))
    now = 1_000.0
    while not bucket.admit(now):
        pass
    now += bucket.admit(now)
    assert bucket.admit(now) == 0


def test_rest_restores_the_burst() -> None:
    """A bucket that had time to empty takes a whole burst again, and no more."""
    bucket = Bucket(Rate.of(5))
    for _ in range(10):
        bucket.admit(0.0)
    assert bucket.admit(0.0) > 0
    assert [bucket.admit(1_000.0) for _ in range(10)] == [0.0] * 10
    assert bucket.admit(1_000.0) > 0


def test_a_rate_of_zero_admits_everything() -> None:
    """A rate of 0 admits everything and remembers nobody."""
    bucket, buckets = Bucket(Rate.of(0)), Buckets(Rate.of(0))
    assert not any(bucket.admit(0.0) for _ in range(10_000))
    assert not any(buckets.admit("a", 0.0) for _ in range(10_000))
    assert len(buckets) == 0


@given(st.lists(st.floats(0, 3), max_size=60), st.sampled_from([0.5, 1, 7, 20]))
def test_never_more_than_promised(gaps: list[float], per_second: float) -> None:
    """The events admitted in any stretch of time are at most its length's and a burst."""
    rate = Rate(per_second, burst=3)
    bucket, now, admitted = Bucket(rate), 0.0, []
    for gap in gaps:
        now += gap
        if not bucket.admit(now):
            admitted.append(now)
    for first, start in enumerate(admitted):
        for count, end in enumerate(admitted[first:], 1):
            assert count <= rate.burst + (end - start) * per_second + 1e-6


def test_keys_are_apart_and_forgotten() -> None:
    """Each key has a bucket of its own, which is forgotten when it is empty."""
    buckets = Buckets(Rate(1, 1))
    assert buckets.admit("a", 0.0) == 0
    assert buckets.admit("a", 0.0) > 0
    assert buckets.admit("b", 0.0) == 0
    assert len(buckets) == 2
    buckets.admit("c", 1_000.0)
    assert len(buckets) == 1


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_addresses_count_by_their_network(host: str, key: str) -> None:
    """An IPv4 address counts as itself, an IPv6 address as its network."""
    assert address_key(host) == key


def test_a_refunded_event_is_admitted_again() -> None:
    """A refunded event can be admitted again; no-op without a limit."""
    bucket, buckets = Bucket(Rate(1, 2)), Buckets(Rate(1, 2))
    for _ in range(10):
        assert not bucket.admit(100)
        assert not buckets.admit("a", 100)
        bucket.refund()
        buckets.refund("a")
    assert not bucket.admit(100)
    assert not bucket.admit(100)
    assert bucket.admit(100) == 1
    buckets.refund("unknown")
    free = Bucket(Rate(0, 1))
    free.refund()
    assert not free.admit(100)


def test_left_out_lines_are_counted() -> None:
    """Lines left out are counted, and the next line says how many."""
    limit = LogLimit(Rate(per_second=0.1, burst=2))
    said = [limit.due(now) for now in (0, 1, 2, 3, 9, 10, 11, 30)]
    assert said == ["", "", None, None, None, " (3 more since the last one)", None,
                    " (1 more since the last one)"]  # fmt: skip
