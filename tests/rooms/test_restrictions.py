"""`livechat.rooms.restrictions`."""

from __future__ import annotations

import inspect
import tracemalloc
from typing import Any

import msgspec
import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from livechat.backends.alone import LoneMaps
from livechat.backends.maps import MapEntry
from livechat.identity.actor import Actor
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import LONGEST_ADDRESS, Restriction
from livechat.rooms.restrictions import (
    FULL,
    MOST_ADDRESSES,
    MOST_REMEMBERED,
    REMEMBERED,
    Origins,
    Restrictions,
)
from livechat.system.time import Time
from tests.support import run

NOW = 1_790_000_000
ANN = User("ann", "Ann", verified=True)
GUEST = User("ann", "Ann")
MOD = Author("operator")


def came(user: User | None, address: str = "192.0.2.1") -> Actor:
    """An actor from there."""
    source = Source(address, Rate.of(0))
    source.marked(b"secret")
    return Actor("guest", source, user)


def banned(user: User = ANN, **more: Any) -> Restriction:
    return Restriction("ban", "moderate", user, MOD, NOW, **more)


class Here:
    """The restrictions at a process, on a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.time = Time(self.clock, self.clock.seconds)
        self.shared: Any = LoneMaps(self.time.wall).get("restrictions", most=1_000, largest=4_096)
        self.restrictions = Restrictions(self.shared, self.time)


@pytest.fixture
def here() -> Here:
    return Here()


def kinds(here: Here, actor: Actor, room: str = "r") -> list[str]:
    return [each.kind for each in here.restrictions.of(actor, room)]


def test_two_name_spaces(here: Here) -> None:
    """A guest with the id of a user of the site is somebody else."""
    run(here.restrictions.put("r", ANN.subject, banned()))
    assert kinds(here, came(ANN)) == ["ban"]
    assert kinds(here, came(GUEST)) == kinds(here, came(None)) == []
    assert kinds(here, came(ANN), "other") == []


def test_a_restriction_everywhere_counts_in_each_room(here: Here) -> None:
    """A restriction in all rooms counts beside that in one."""
    run(here.restrictions.put("*", ANN.subject, banned()))
    mute = Restriction("mute", "moderate", ANN, MOD, NOW)
    run(here.restrictions.put("r", ANN.subject, mute))
    assert sorted(kinds(here, came(ANN))) == ["ban", "mute"]
    assert kinds(here, came(ANN), "other") == ["ban"]


def test_ids_with_bars(here: Here) -> None:
    """A bar in an id makes it nobody else's."""
    odd = User("x|u:ann", "Odd", verified=True)
    run(here.restrictions.put("r", odd.subject, banned(odd)))
    assert kinds(here, came(ANN)) == []
    assert kinds(here, came(odd)) == ["ban"]
    assert [subject for _, subject, _ in here.restrictions.items()] == ["u:x|u:ann"]


def test_a_restriction_ends_at_its_second(here: Here) -> None:
    """A restriction ends at its second."""
    run(here.restrictions.put("r", ANN.subject, banned(until=NOW + 10)))
    here.clock.advance(9.9)
    assert kinds(here, came(ANN)) == ["ban"]
    here.clock.advance(0.1)
    assert kinds(here, came(ANN)) == []
    assert here.restrictions.get("r", ANN.subject) is None
    assert [*here.restrictions.items()] == []


def test_a_bound_address_keeps_new_keys_out(here: Here) -> None:
    """A bound address keeps out new keys from there, for a day at most."""
    here.restrictions.saw(came(GUEST))
    here.restrictions.saw(came(GUEST, "2001:db8::1"))
    run(here.restrictions.put("r", GUEST.subject, banned(GUEST, address=True)))
    assert here.restrictions.bound("r", GUEST.subject, NOW)
    for address in ("192.0.2.1", "2001:db8::ffff"):
        assert kinds(here, came(User("new", "New"), address)) == ["ban"]
    assert kinds(here, came(User("new", "New"), "192.0.2.2")) == []
    assert kinds(here, came(User("new", "New"), "2001:db8:0:1::1")) == []
    assert "192.0.2" not in repr(here.shared.items())
    here.clock.advance(LONGEST_ADDRESS)
    assert kinds(here, came(User("new", "New"))) == []
    assert kinds(here, came(GUEST)) == ["ban"]


def test_a_pardon_frees_the_address(here: Here) -> None:
    """A pardon frees the person's address too, and no other address."""
    other = User("other", "Other")
    here.restrictions.saw(came(GUEST))
    here.restrictions.saw(came(other, "192.0.2.2"))
    for user in (GUEST, other):
        run(here.restrictions.put("r", user.subject, banned(user, address=True)))
    run(here.restrictions.drop("r", GUEST.subject))
    assert kinds(here, came(GUEST)) == kinds(here, came(None)) == []
    assert kinds(here, came(None, "192.0.2.2")) == ["ban"]
    run(here.restrictions.drop("r", "u:nobody"))


def test_each_process_adds_its_addresses(here: Here) -> None:
    """A process that learns of a restriction adds the addresses that it alone knows."""
    there = Restrictions(here.shared, here.time)
    there.saw(came(GUEST, "192.0.2.7"))
    run(here.restrictions.put("r", GUEST.subject, banned(GUEST, address=True)))
    assert kinds(here, came(None, "192.0.2.7")) == ["ban"]


def test_what_was_missed(here: Here) -> None:
    """Restrictions made while a process was cut off count when it has caught up."""
    value = msgspec.json.encode(banned())
    here.shared.replace({"r|u:ann": MapEntry(value)})
    here.shared.tell(())
    assert kinds(here, came(ANN)) == ["ban"]
    here.shared.replace({})
    here.shared.tell(())
    assert kinds(here, came(ANN)) == []


def test_origins_are_remembered_for_an_hour() -> None:
    """A few addresses of a user are remembered, for an hour, and so many users."""
    clock = Clock()
    origins = Origins(Time(clock))
    for number in range(MOST_ADDRESSES + 2):
        origins.add("u:ann", f"mark{number}")
    assert origins.of("u:ann") == [f"mark{number}" for number in range(MOST_ADDRESSES + 1, 1, -1)]
    clock.advance(REMEMBERED - 1)
    origins.add("u:ann", "mark5")
    assert origins.of("u:ann")[:2] == ["mark5", "mark9"]
    clock.advance(2)
    assert origins.of("u:ann") == ["mark5"]
    for number in range(MOST_REMEMBERED):
        origins.add(f"u:{number}", "mark")
    assert (origins.of("u:ann"), origins.of(f"u:{FULL}")) == ([], ["mark"])


def test_an_address_with_many_guests() -> None:
    """A flood of guests leaves less than 250 bytes of each."""
    origins = Origins(Time(Clock()))
    # As many of them as make two generations: more fill others in the same way.
    count = 2 * FULL
    subjects = [f"g:{number:022}" for number in range(count)]
    tracemalloc.start()
    try:
        for subject in subjects:
            # As each connection brings them: strings of its own.
            origins.add("".join(subject), "".join(["mark", "4711"]))
        # Other threads of this process may allocate meanwhile, and do not count.
        here = [tracemalloc.Filter(True, inspect.getfile(each)) for each in (Origins, Here)]
        found = tracemalloc.take_snapshot().filter_traces(here)
    finally:
        tracemalloc.stop()
    assert 0 < sum(each.size for each in found.traces) < 250 * count


class UnreadableTest(SynchronousTestCase):
    """Map values that no livechat has written."""

    def test_an_unreadable_restriction_costs_itself(self) -> None:
        """An unreadable value is logged and costs only itself."""
        here = Here()
        here.shared.put("r|u:ann", b"7")
        here.shared.put("r|u:bob", msgspec.json.encode(banned()))
        assert kinds(here, came(ANN)) == []
        assert kinds(here, came(User("bob", "Bob", verified=True))) == ["ban"]
