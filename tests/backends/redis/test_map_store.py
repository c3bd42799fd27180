"""`livechat.backends.redis.map_store`, with a real Redis."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from livechat.backends.maps import MapEntry
from livechat.backends.redis.connection import UnansweredError
from livechat.backends.redis.map_store import DRAFT_LASTS, FEWEST, MOST, STEP, MapStore
from livechat.backends.redis.map_version import Version
from tests.backends.redis.processes import ProcessesTest

ONE, TWO = Version(b"w", 1, b"t1"), Version(b"w", 2, b"t2", (b"v",))
MANY = {f"{number}": MapEntry(b"x" * 90, number) for number in range(2_000)}


class MapStoreTest(ProcessesTest):
    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.connection = self.here.backend._connection
        self.store = self.of(90)

    def of(self, largest: int) -> MapStore:
        return MapStore("x", self.connection, self.here.backend._keys, largest)

    def drafts(self) -> list[str]:
        return self.server.ask("KEYS", "lc:{!}:draft:*").split()

    async def test_restoring_replaces_only_the_map_that_was_seen(self) -> None:
        """A map replaces the one that was seen, and no other; no draft is left."""
        assert (await self.store.read()).entries == {}
        assert await self.store.restore(Version(), ONE, MANY)
        for reading in (await self.store.read(), await self.store.read_at_once()):
            assert reading == (ONE, MANY, ONE, 2_000)
        assert not await self.store.restore(Version(), TWO, {})
        assert not await self.store.restore(TWO, TWO, {})
        assert await self.store.version() == ONE
        assert await self.store.restore(ONE, TWO, {})
        assert await self.store.read_at_once() == (TWO, {}, TWO, 0)
        assert self.drafts() == []
        assert self.server.ask("TTL", "lc:{!}:shared:x") == "-1"

    async def test_steps_are_small_where_values_are_large(self) -> None:
        """A step has few keys where values are large, and no key is left out."""
        asked: list[int] = []
        command = self.connection.command

        def counted(*words: bytes) -> Deferred[object]:
            asked.append(len(words))
            return command(*words)

        self.connection.command = counted  # type: ignore[method-assign]
        for largest, step in ((1, MOST), (STEP // 100, 100), (STEP, FEWEST)):
            asked.clear()
            store = self.of(largest)
            assert await store.restore(await store.version(), ONE, MANY)
            assert max(asked) == 2 + 2 * step
            assert (await store.read()).entries == MANY
            assert store.takes_steps(step + 1)
            assert not store.takes_steps(step)

    async def test_a_draft_that_is_not_finished(self) -> None:
        """An unfinished draft expires; one that expired meanwhile replaces nothing."""
        call = self.connection.call

        def lost(*args: object) -> Deferred[object]:
            raise UnansweredError("it was lost", sent=False)

        self.connection.call = lost  # type: ignore[method-assign, assignment]
        try:
            await self.store.restore(Version(), ONE, MANY)
        except UnansweredError:
            (draft,) = self.drafts()
        assert 0 < int(self.server.ask("TTL", draft)) <= DRAFT_LASTS

        def late(*args: object) -> Deferred[object]:
            self.server.ask("FLUSHALL")
            return call(*args)  # type: ignore[arg-type]

        self.connection.call = late  # type: ignore[method-assign, assignment]
        assert not await self.store.restore(Version(), ONE, MANY)
        assert await self.store.version() == Version()
