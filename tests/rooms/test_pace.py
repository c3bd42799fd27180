"""`livechat.rooms.pace`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
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
def test_users(verified: bool) -> None:
    """A user of the site has one rate at all its addresses; guests with that id have none."""
    pace = Pace(Time(Clock()), per_ip=0, per_user=1)
    user = User("42", "Ann", verified=verified)
    kind = "user" if verified else "guest"
    actors = [Actor(kind, source(f"192.0.2.{n}"), user) for n in range(3)]  # type: ignore[arg-type]
    assert [refused(pace, each) for each in actors] == [False, False, verified]


def test_addresses() -> None:
    """An address has one rate, whoever is there."""
    pace = Pace(Time(Clock()), per_ip=1, per_user=0)
    assert [refused(pace, Actor("guest", source())) for _ in range(3)] == [False, False, True]
    assert not refused(pace, Actor("guest", source("192.0.2.2")))
