"""`livechat.backends.redis.sharding`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from twisted.trial.unittest import TestCase

from livechat.backends.redis.sharding import ShardedBackend, jump, shard
from livechat.backends.retention import Retention
from livechat.protocol.messages import Draft
from tests.backends.redis.processes import RedisContract
from tests.backends.redis.server import RedisServer
from tests.support.outcomes import publish


def test_rooms_are_spread_evenly() -> None:
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


def test_the_shard_of_a_room_never_changes() -> None:
    """The shard of a room never changes: other versions of livechat look there too."""
    rooms = ("lobby", "a", "b", "c", "general")
    assert [shard(room, 7) for room in rooms] == [3, 6, 0, 3, 5]


def test_the_hash_agrees_with_other_implementations() -> None:
    """The hash agrees with other implementations."""
    for key, count, expected in (
        (1, 1, 0),
        (42, 57, 43),
        (0xDEAD10CC, 1, 0),
        (0xDEAD10CC, 666, 361),
        (256, 1024, 520),
    ):
        assert jump(key, count) == expected


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    started = [RedisServer(tmp_path_factory.mktemp(f"redis{number}")) for number in range(3)]
    yield started
    for server in started:
        server.kill()


class ShardedContractTest(RedisContract, TestCase):
    """Rooms in several Redis keep the contract too."""

    timeout = 60

    @pytest.fixture(autouse=True)
    def _given(self, servers: list[RedisServer]) -> None:
        self.begin_at(*servers)

    def make(
        self, *, history_limit: int = 0, history_age: int = 0, audit_age: int = 0
    ) -> ShardedBackend:
        return ShardedBackend(self.connected(Retention(history_limit, history_age, audit_age)))

    async def test_all_are_used(self) -> None:
        """Rooms are where their names say, and one that is away takes only its own with it."""
        backend = await self.begin()
        rooms = [str(number) for number in range(30)]
        for room in rooms:
            await publish(backend.messages, Draft(room, "x"))
        for number, server in enumerate(self._servers):
            held = {room for room in rooms if server.ask("EXISTS", f"lc:{{{room}}}:s") == "1"}
            assert held == {room for room in rooms if shard(room, 3) == number}
        await backend._backends[1]._connection.stop()
        assert "of 3 Redis, 1 cannot be used" in str(backend.trouble())
        for room in rooms:
            answer = publish(backend.messages, Draft(room, "y"))
            error = await answer.addCallbacks(lambda _: None, lambda failure: failure.value)
            assert (error is not None) == (shard(room, 3) == 1)
