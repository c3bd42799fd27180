"""`livechat.backends.redis.cluster.slots`."""

from __future__ import annotations

import pytest

from livechat.backends.redis.cluster.slots import (
    SLOTS,
    ClusterKeys,
    Master,
    Place,
    Redirection,
    masters,
    ranges,
    redirection,
    slot_of,
    slot_of_room,
    tags,
)
from livechat.backends.redis.connection import RefusedError

ASKED = Place("asked", 7)


def test_slots_agree_with_the_specification() -> None:
    """Slots are those of the specification and of `CLUSTER KEYSLOT`."""
    for key, slot in (
        (b"123456789", 0x31C3),
        (b"foo", 12182),
        (b"{user1000}.following", slot_of(b"user1000")),
        (b"foo{}{bar}", slot_of(b"foo{}{bar}")),
        (b"foo{{bar}}zap", slot_of(b"{bar")),
        (b"foo{bar}{zap}", slot_of(b"bar")),
        (b"{", slot_of(b"{")),
    ):
        assert slot_of(key) == slot % SLOTS
    assert slot_of(b"foo{}{bar}") != slot_of(b"bar")


def test_all_of_a_room_is_in_one_slot() -> None:
    """A room's keys share its slot, as do all keys that belong to no room."""
    keys = ClusterKeys("a-b")
    for room in ("r", "room.1", "!audit", "~x", "a" * 128):
        found = [*keys.numbering(room), keys.channel(room), keys.nonce(room, "n{x}")]
        found += [keys.last_of(room, "m"), keys.rate(room), keys.presence(room)]
        found += [keys.idle_of(keys.stream(room)), keys.trial_in(slot_of_room(room))]
        found += [keys.trial_channel_in(slot_of_room(room))]
        assert {slot_of(key) for key in found} == {slot_of_room(room)}
    common = [keys.format, keys.generation, keys.secret, keys.processes, keys.process(b"x")]
    common += [keys.clock, keys.sweeper, keys.searched, keys.control, keys.map("x")]
    common += [keys.map_draft("x", "w")]
    assert len({slot_of(key) for key in common}) == 1
    assert keys.renamed() == []


def test_each_slot_has_one_tag() -> None:
    """Each slot has one tag, which no room and no other key uses."""
    assert [slot_of(f"x:{{{tag}}}:y".encode()) for tag in tags()] == list(range(SLOTS))
    assert all(tag[0] == "!" and tag[1:].isdigit() for tag in tags())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MOVED 3999 127.0.0.1:6381", Redirection(False, 3999, Place("127.0.0.1", 6381))),
        ("ASK 3999 redis.example:6381", Redirection(True, 3999, Place("redis.example", 6381))),
        ("MOVED 0 ::1:6381", Redirection(False, 0, Place("::1", 6381))),
        ("MOVED 0 [::1]:6381", Redirection(False, 0, Place("::1", 6381))),
        # A node that does not know its own address.
        ("MOVED 1 :6381", Redirection(False, 1, Place("asked", 6381))),
        ("MOVED 1 ?:6381", Redirection(False, 1, Place("asked", 6381))),
        ("MOVED 16384 a:1", None),
        ("MOVED x a:1", None),
        ("MOVED another node is at a:1", None),
        ("TRYAGAIN Multiple keys request during rehashing of slot", None),
        ("CLUSTERDOWN Hash slot not served", None),
        ("ERR MOVED 1 a:1", None),
    ],
)
def test_redirections_are_read(text: str, expected: Redirection | None) -> None:
    assert redirection(RefusedError(text), ASKED) == expected


def test_masters_are_read_from_any_version() -> None:
    """Ranges of one master are put together; replicas are left out; versions say more, or less."""
    replica = [b"10.0.0.9", 7, b"x", []]
    answer = [
        [0, 99, [b"10.0.0.1", 1, b"a", [b"hostname", b"h"]], replica],
        [200, 200, [b"10.0.0.1", 1, b"a", []]],
        [100, 199, [b"redis.example", 2, b"b"]],
        [300, 301, [None, 3]],
        [302, 302, [b"", 4, b"d"]],
    ]
    assert masters(answer, ASKED) == {
        Master(Place("10.0.0.1", 1), "a"): frozenset([*range(100), 200]),
        Master(Place("redis.example", 2), "b"): frozenset(range(100, 200)),
        Master(Place("asked", 3), ""): {300, 301},
        Master(Place("asked", 4), "d"): {302},
    }
    assert masters([], ASKED) == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"OK",
        7,
        None,
        [b"x"],
        [[0]],
        [[0, 1, b"host"]],
        [[0, SLOTS, [b"h", 1, b"a"]]],
        [[2, 1, [b"h", 1, b"a"]]],
        [[0, 1, [b"h", b"port", b"a"]]],
        [[0, 1, [b"\xff", 1, b"a"]]],
        [[b"0", b"1", [b"h", 1, b"a"]]],
    ],
)
def test_answers_that_are_no_slots_are_refused(answer: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        masters(answer, ASKED)


def test_ranges_of_slots_are_joined() -> None:
    assert ranges([]) == ""
    assert ranges([0, 1, 2, 7, 9, 10]) == "0-2 7 9-10"
    assert ranges(range(0, 40, 2)) == "0 2 4 6 8 ..."
