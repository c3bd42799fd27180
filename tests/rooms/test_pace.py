"""`livechat.rooms.pace`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor, Lease
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.messages import User
from livechat.rooms.pace import Pace
from livechat.system.time import Time


def source(address: str = "192.0.2.1") -> Source:
    return Source(address, Rate.of(0))


def refused(pace: Pace, actor: Actor) -> bool:
    try:
        pace.spend(actor)
    except ChatError as error:
        return error.kind is Kind.RATE_LIMITED and bool(error.retry_after)
    return False


@pytest.mark.parametrize("verified", [True, False])
def test_a_user_has_one_rate_at_all_addresses(verified: bool) -> None:
    """A user of the site has one rate at all its addresses; guests with that id have none."""
    pace = Pace(Time(Clock()), per_ip=0, per_user=1)
    user = User("42", "Ann", verified=verified)
    kind = "user" if verified else "guest"
    actors = [Actor(kind, source(f"192.0.2.{n}"), user) for n in range(3)]  # type: ignore[arg-type]
    assert [refused(pace, each) for each in actors] == [False, False, verified]


def test_an_address_has_one_rate() -> None:
    """An address has one rate, whoever is there."""
    pace = Pace(Time(Clock()), per_ip=1, per_user=0)
    assert [refused(pace, Actor("guest", source())) for _ in range(3)] == [False, False, True]
    assert not refused(pace, Actor("guest", source("192.0.2.2")))


def key(known_as: str, rate: float, user: User | None = None) -> Actor:
    return Actor("key", Source("192.0.2.1", Rate.of(1)), user, lease=Lease(key=known_as), rate=rate)


def test_a_key_has_one_rate() -> None:
    """A key has one rate, whatever its address and its connections are used for."""
    pace = Pace(Time(Clock()), per_ip=1, per_user=1)
    for _ in range(3):
        refused(pace, Actor("guest", source()))
    ann = User("42", "Ann", verified=True)
    actors = [key("a", 2), key("a", 2, ann), key("a", 2), key("a", 2), key("a", 2)]
    assert [refused(pace, each) for each in actors] == [False] * 4 + [True]
    assert not refused(pace, key("b", 2))
    assert not any(refused(pace, key("c", 0)) for _ in range(10_000))


def test_a_user_harms_no_neighbours() -> None:
    """An act that a user is refused takes nothing of the address's rate."""
    pace = Pace(Time(Clock()), per_ip=5, per_user=1)
    user = Actor("user", source(), User("42", "Ann", verified=True))
    assert sum(not refused(pace, user) for _ in range(100)) == 2
    assert sum(not refused(pace, Actor("guest", source())) for _ in range(100)) == 8
