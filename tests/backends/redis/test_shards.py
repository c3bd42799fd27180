"""`livechat.backends.redis.shards`."""

from __future__ import annotations

from collections import Counter

from livechat.backends.redis.shards import jump, shard


def test_shards() -> None:
    """Rooms are spread evenly, and with one Redis more few of them move, only to that one."""
    rooms = [f"room{number}" for number in range(10_000)]
    assert {shard(room, 1) for room in rooms} == {0}
    for count in (2, 3, 5, 8):
        where = {room: shard(room, count) for room in rooms}
        shares = Counter(where.values())
        assert set(shares) == set(range(count))
        assert max(shares.values()) < 1.1 * len(rooms) / count
        moved = {room for room in rooms if shard(room, count + 1) != where[room]}
        assert {shard(room, count + 1) for room in moved} == {count}
        assert len(moved) < 1.2 * len(rooms) / (count + 1)


def test_shards_stay() -> None:
    """Where a room is must never change: other versions of livechat look there too."""
    rooms = ("lobby", "a", "b", "c", "general")
    assert [shard(room, 7) for room in rooms] == [3, 6, 0, 3, 5]


def test_jump() -> None:
    """As other implementations of the same hash have it."""
    for key, count, expected in (
        (1, 1, 0),
        (42, 57, 43),
        (0xDEAD10CC, 1, 0),
        (0xDEAD10CC, 666, 361),
        (256, 1024, 520),
    ):
        assert jump(key, count) == expected
