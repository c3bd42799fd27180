"""`livechat.limits.rates`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.errors import ChatError, Kind
from livechat.limits.rates import Bucket, Buckets, Connections, Rate, Seldom, address_key
from tests.support import result


def test_a_burst_then_the_rate() -> None:
    """Twice the rate may come at once, then one each time the rate allows."""
    bucket = Bucket(Rate.of(20))
    assert [bucket.take(100.0) for _ in range(40)] == [0.0] * 40
    wait = bucket.take(100.0)
    assert wait == pytest.approx(0.05)
    assert bucket.take(100.0) == wait, "a refused event costs nothing"
    assert bucket.take(100.0 + wait) == 0
    assert bucket.take(100.0 + wait) > 0


@pytest.mark.parametrize("per_second", [0.1, 0.4, 0.5, 1])
def test_slow_rates(per_second: float) -> None:
    """However slow a rate is, one event is admitted, and the next when its time has come."""
    bucket = Bucket(Rate.of(per_second))
    now = 1_000.0
    while not bucket.take(now):
        pass
    now += bucket.take(now)
    assert bucket.take(now) == 0


def test_rest_restores_the_burst() -> None:
    """A bucket that had time to empty takes a whole burst again, and no more."""
    bucket = Bucket(Rate.of(5))
    for _ in range(10):
        bucket.take(0.0)
    assert bucket.take(0.0) > 0
    assert [bucket.take(1_000.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1_000.0) > 0


def test_no_limit() -> None:
    """A rate of 0 admits everything and remembers nobody."""
    bucket, buckets = Bucket(Rate.of(0)), Buckets(Rate.of(0))
    assert not any(bucket.take(0.0) for _ in range(10_000))
    assert not any(buckets.take("a", 0.0) for _ in range(10_000))
    assert len(buckets) == 0


@given(st.lists(st.floats(0, 3), max_size=60), st.sampled_from([0.5, 1, 7, 20]))
def test_never_more_than_promised(gaps: list[float], per_second: float) -> None:
    """In no stretch of time are more events admitted than its length and a burst allow."""
    rate = Rate(per_second, burst=3)
    bucket, now, admitted = Bucket(rate), 0.0, []
    for gap in gaps:
        now += gap
        if not bucket.take(now):
            admitted.append(now)
    for first, start in enumerate(admitted):
        for count, end in enumerate(admitted[first:], 1):
            assert count <= rate.burst + (end - start) * per_second + 1e-6


def test_keys_are_apart_and_forgotten() -> None:
    """Each key has a bucket of its own, which is forgotten when it is empty."""
    buckets = Buckets(Rate(1, 1))
    assert buckets.take("a", 0.0) == 0
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("b", 0.0) == 0
    assert len(buckets) == 2
    buckets.take("c", 1_000.0)
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
def test_addresses(host: str, key: str) -> None:
    """An IPv4 address counts as itself, an IPv6 address as its network."""
    assert address_key(host) == key


def test_connections_of_one_address() -> None:
    """One address gets its share and is told so; another one is not affected."""
    connections = Connections(most=0, most_per_address=2)
    first, second = connections.enter("a"), connections.enter("a")
    assert first is not None
    assert second is not None
    assert first.refusal is second.refusal is None
    third, other = connections.enter("a"), connections.enter("b")
    assert third is not None
    assert third.refusal is not None
    assert third.refusal.kind is Kind.TOO_MANY_CONNECTIONS
    assert other is not None
    assert other.refusal is None
    first.leave()
    first.leave()
    again = connections.enter("a")
    assert again is not None
    assert again.refusal is None


def test_connections_in_all() -> None:
    """When the server is full everybody is told so, whatever their address."""
    connections = Connections(most=1, most_per_address=0)
    assert connections.enter("a") is not None
    refused = connections.enter("b")
    assert refused is not None
    assert refused.refusal is not None
    assert refused.refusal.kind is Kind.OVERLOADED


def test_the_refused_are_bounded_too() -> None:
    """Only so many are let in to be told; then connections are closed unheard."""
    connections = Connections(most=1, most_per_address=0)
    entered = [connections.enter("a") for _ in range(200)]
    held = [each for each in entered if each is not None]
    assert 1 < len(held) < 100
    for each in held:
        each.leave()
    assert len(connections) == 0
    fresh = connections.enter("a")
    assert fresh is not None
    assert fresh.refusal is None


def test_emptied() -> None:
    """Whoever waits for the last connection to go is told when it has."""
    connections = Connections(0, 0)
    assert result(connections.emptied()) is None
    one, two = connections.enter("a"), connections.enter("b")
    assert one is not None
    assert two is not None
    waiting = connections.emptied()
    one.leave()
    assert not waiting.called
    two.leave()
    assert result(waiting) is None


def test_giving_back() -> None:
    """What is given back can be taken again; without a limit there is nothing to give."""
    bucket, buckets = Bucket(Rate(1, 2)), Buckets(Rate(1, 2))
    for _ in range(10):
        assert not bucket.take(100)
        assert not buckets.take("a", 100)
        bucket.give_back()
        buckets.give_back("a")
    assert not bucket.take(100)
    assert not bucket.take(100)
    assert bucket.take(100) == 1
    buckets.give_back("unknown")
    free = Bucket(Rate(0, 1))
    free.give_back()
    assert not free.take(100)


def test_an_address_that_turns_out_later() -> None:
    """A connection counts for the address that it turns out to be of, if that may have one more."""
    connections = Connections(10, 1)
    one, two, three = (connections.enter(None) for _ in range(3))
    assert one is not None
    assert two is not None
    assert three is not None
    one.belongs_to("a")
    one.belongs_to("a")
    two.belongs_to("b")
    with pytest.raises(ChatError) as caught:
        three.belongs_to("a")
    assert caught.value.kind is Kind.TOO_MANY_CONNECTIONS
    three.refuse(caught.value)
    three.refuse(caught.value)
    assert (len(connections), connections._open, connections._excess) == (3, 2, 1)
    one.leave()
    four = connections.enter("a")
    assert four is not None
    assert four.refusal is None
    for each in (two, three, four, four):
        each.leave()
    assert (connections._open, connections._excess, connections._by_address) == (0, 0, {})


def test_seldom() -> None:
    """What is not said is counted, and told with what is said next."""
    seldom = Seldom(Rate(per_second=0.1, burst=2))
    said = [seldom.due(now) for now in (0, 1, 2, 3, 9, 10, 11, 30)]
    assert said == ["", "", None, None, None, " (3 more since the last one)", None,
                    " (1 more since the last one)"]  # fmt: skip
