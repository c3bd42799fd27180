"""`livechat.backends.redis.cluster.archive`; `tests/archive_contract.py` has the rest."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from livechat.backends.redis.cluster.archive import SLOTS_PER_STEP, ClusterArchive
from livechat.backends.redis.cluster.slots import SLOTS, ClusterKeys, slot_of_room
from tests.support.outcomes import run


class FakeCluster:
    """Sets of streams, by key."""

    def __init__(self, keys: ClusterKeys, rooms: list[str]) -> None:
        self.asked = 0
        self.sets: dict[bytes, list[bytes]] = {}
        for room in rooms:
            stream = keys.stream(room)
            self.sets.setdefault(keys.idle_of(stream), []).append(stream)

    def command(self, *words: bytes) -> Deferred[Any]:
        self.asked += 1
        found = self.sets.get(words[1], [])
        if words[0] == b"ZCARD":
            return succeed(len(found))
        pairs = [part for each in found for part in (each, b"1")]
        at = int(words[2])
        return succeed([b"%d" % (at + 1) if at < 1 and len(found) > 1 else b"0", pairs])


def test_rooms_of_every_slot_are_listed() -> None:
    """Every slot is looked at once, a set that takes several steps too; empty ones cost little."""
    keys = ClusterKeys()
    rooms = [f"r{number}" for number in range(50)]
    cluster = FakeCluster(keys, rooms)
    archive = ClusterArchive(cluster, keys, None)  # type: ignore[arg-type]
    found: list[str] = []
    cursor = ""
    while True:
        names, cursor = run(archive._rooms(cursor))
        found += names
        if not cursor:
            break
    assert set(found) == set(rooms)
    slots = {slot_of_room(room) for room in rooms}
    assert cluster.asked < SLOTS + len(slots) * (SLOTS_PER_STEP + 3)


def test_no_room_is_listed() -> None:
    keys = ClusterKeys()
    archive = ClusterArchive(FakeCluster(keys, []), keys, None)  # type: ignore[arg-type]
    assert run(archive._rooms("")) == ((), "")
