"""`livechat.identity.leases`: what holds connections; tests/members/test_known.py has the rest."""

from __future__ import annotations

from twisted.internet.task import Clock

from livechat.backends.alone import LoneMaps
from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor, Lease
from livechat.identity.leases import EXPIRING, GRACE, Leases
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.messages import User
from livechat.system.time import Time
from tests.support import kind, result

SOURCE = Source("192.0.2.1", Rate.of(0))


class Desk:
    """Leases of a process, by a wall clock that can be set."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ahead = 1_000.0
        self.time = Time(self.clock, lambda: self.clock.seconds() + self.ahead)
        self.map = LoneMaps(self.time.wall).get("revoked", most=2, largest=32)
        self.leases = Leases(self.map, self.time, 3_600)


class Holder:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[Kind | None] = []

    def expiring(self) -> None:
        self.told.append(None)

    def lapsed(self, reason: ChatError) -> None:
        self.told.append(reason.kind)


def actor(lease: Lease, known_as: str = "42") -> Actor:
    return Actor("user", SOURCE, User(known_as, "Ann", verified=True), lease=lease)


def holder(desk: Desk, lease: Lease, known_as: str = "42") -> Holder:
    made = Holder()
    desk.leases.hold(actor(lease, known_as), made)  # type: ignore[arg-type]
    return made


def test_a_guest_has_no_lease() -> None:
    """A guest's identity cannot end, and costs nothing."""
    desk = Desk()
    assert desk.leases.hold(Actor("guest", SOURCE), Holder()) is None  # type: ignore[arg-type]
    desk.leases.check(Actor("guest", SOURCE))


def test_a_lease_without_an_end_has_no_timer() -> None:
    """A lease without an end needs no timer."""
    desk = Desk()
    held = holder(desk, Lease(1_000))
    assert desk.clock.getDelayedCalls() == []
    assert held.told == []


def test_the_wall_clock_goes_back() -> None:
    """A timer that fires too early by the wall clock is set again."""
    desk = Desk()
    held = holder(desk, Lease(1_000, 1_100))
    desk.ahead -= 50
    desk.clock.advance(100 - EXPIRING)
    assert held.told == []
    desk.clock.advance(50)
    assert held.told == [None]
    desk.clock.advance(EXPIRING + GRACE)
    assert held.told == [None, Kind.TOKEN_EXPIRED]
    assert desk.clock.getDelayedCalls() == []


def test_a_dropped_key_closes_all_that_came_with_it() -> None:
    """All that came with it close, and nobody else."""
    desk = Desk()
    one, other = holder(desk, Lease(key="a")), holder(desk, Lease(key="b"))
    desk.leases.drop_key("a", ChatError(Kind.TOKEN_REVOKED, "The key was dropped."))
    assert (one.told, other.told) == ([Kind.TOKEN_REVOKED], [])


def test_a_full_map_refuses_a_revocation() -> None:
    """Nothing is dropped: whoever revokes one more is told, and nothing has happened."""
    desk = Desk()
    held = holder(desk, Lease(1_000), "3")
    for known_as in "12":
        result(desk.leases.revoke_user(known_as))
    assert kind(desk.leases.revoke_user("3")) is Kind.OVERLOADED
    assert held.told == []


def test_revocations_last_as_long_as_tokens() -> None:
    """Revocations last as long as the longest token, and half a minute."""
    desk = Desk()
    result(desk.leases.revoke_user("42"))
    desk.ahead += 3_600 + 29
    assert len(desk.map.items()) == 1
    desk.ahead += 2
    assert desk.map.items() == []


def test_told_of_nothing_in_particular() -> None:
    """A map that tells of a change without a key has all looked at."""
    desk = Desk()
    held = holder(desk, Lease(1_000))
    desk.map._entries.clear()  # as a copy that was cut off has it
    desk.leases._changed(())
    assert held.told == []


def test_a_missing_key_ends_its_connections() -> None:
    """A key that is not in the map any more ends what came with it, also what comes late."""
    desk = Desk()
    keys = LoneMaps(desk.time.wall).get("keys", most=3, largest=32)
    desk.leases = Leases(desk.map, desk.time, 3_600, keys)
    for key in "ab":
        result(keys.put(key, b"1"))
    one, other, local = (holder(desk, Lease(key=key)) for key in ("a", "b", "local"))
    result(keys.drop("a"))
    late = holder(desk, Lease(key="a"))
    assert one.told == late.told == [Kind.TOKEN_REVOKED]
    assert other.told == local.told == []
    keys._entries.clear()
    desk.leases._keys_changed(())
    assert (other.told, local.told) == ([Kind.TOKEN_REVOKED], [])


def test_the_end_of_a_key_closes_at_once() -> None:
    """A key's end closes its connection at once: no renewal is asked for, no grace is given."""
    desk = Desk()
    held = holder(desk, Lease(key="a", ends=1_100))
    desk.clock.advance(99)
    assert held.told == []
    desk.clock.advance(1)
    assert held.told == [Kind.TOKEN_REVOKED]
    assert desk.clock.getDelayedCalls() == []
