"""`livechat.backends.redis.shared_map`, with a real Redis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from livechat.backends.maps import MapEntry
from livechat.backends.redis.map_store import FORMER_LASTS, Reading
from livechat.backends.redis.map_version import Version
from livechat.backends.redis.shared_map import RedisMap
from livechat.errors import ChatError, Kind
from tests.backends.redis.processes import Process, ProcessesTest, until


def map_of(process: Process, name: str = "x") -> RedisMap:
    return process.backend.shared_map(name, most=1_000, largest=100)


class RedisMapTest(ProcessesTest):
    """A map of which two processes have copies."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.one, self.two = map_of(self.here), map_of(self.there)
        self.told: list[str] = []
        self.two.watch(self.told.extend)

    async def agree(self) -> None:
        await until(lambda: sorted(self.one.items()) == sorted(self.two.items()))

    async def fill(self, names: Sequence[str], *until: int) -> None:
        """Put these entries, a hundred in a turn: all of a turn must be in force in time."""
        for first in range(0, len(names), 100):
            some = names[first : first + 100]
            await gatherResults([self.one.put(name, b"1", *until) for name in some])

    async def test_a_change_is_in_force_at_both_processes(self) -> None:
        """A change at one process is in force at both, and a comparison counts at both."""
        await self.one.put("a", b"1")
        await until(lambda: self.two.get("a") == b"1")
        assert not await self.two.put("a", b"2", expect=None)
        assert await self.two.put("a", b"2", expect=b"1")
        await until(lambda: self.one.get("a") == b"2")
        await self.one.drop("a")
        await until(lambda: self.two.get("a") is None)
        assert self.told == ["a", "a", "a"]

    async def test_at_the_same_time(self) -> None:
        """Concurrent changes are in force at both; among concurrent comparisons one wins."""
        changes = [
            each.put(f"{number % 40}", b"%d" % number)
            for number in range(200)
            for each in (self.one, self.two)
        ]
        await gatherResults(changes)
        won = await gatherResults(
            [each.put("new", b"1", expect=None) for each in (self.one, self.two)]
        )
        assert sorted(won) == [False, True]
        await self.agree()
        assert len(self.one.items()) == 41
        assert self.one._expected == self.two._expected == {}

    async def test_a_comparison_that_fails(self) -> None:
        """The copy has the other value by then: it may be tried again at once."""
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.one.put("a", b"1")
        assert not await self.two.put("a", b"2", expect=None)
        assert self.two.get("a") == b"1"

    async def test_a_change_that_is_lost(self) -> None:
        """A hole is read soon, and what nobody hears of with the next beat."""
        published = self.there.backend.published
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.one.put("a", b"1")
        self.there.backend.published = published  # type: ignore[method-assign]
        await self.one.put("b", b"1")
        await until(lambda: self.two.get("a") == self.two.get("b") == b"1")
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.one.put("c", b"1")
        self.there.backend.published = published  # type: ignore[method-assign]
        await self.there.backend.beat()
        await until(lambda: self.two.get("c"))

    async def test_a_deaf_process_catches_up_before_it_asks(self) -> None:
        """A process that hears nothing knows all that was stored before it asks."""
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.one.put("a", b"1")
        await self.two.catch_up()
        assert self.two.get("a") == b"1"

    async def test_a_copy_stays_in_force_while_redis_is_away(self) -> None:
        """While Redis is away the copy stays in force, and nothing can be changed."""
        await self.one.put("a", b"1")
        await self.agree()
        await self.kill()
        for each in (self.one, self.two):
            assert each.get("a") == b"1"
            for call in (each.put("a", b"2"), each.drop("a"), each.catch_up()):
                error = await call.addErrback(lambda failure: failure.value)
                assert isinstance(error, ChatError)
                assert error.kind is Kind.UNAVAILABLE
        reached: list[object] = []
        self.two.watch(reached.append)
        self.server.start()
        await until(lambda: () in reached)
        await self.two.put("a", b"2")
        await until(lambda: self.one.get("a") == b"2")

    async def test_missed_while_away(self) -> None:
        """A change missed while disconnected is known with the next connection."""
        await self.one.put("a", b"1")
        await self.agree()
        self.there.backend._connection.drop("a test")
        await self.one.put("a", b"2")
        await self.one.put("b", b"2")
        await self.there.usable()
        await self.agree()
        assert self.two.get("b") == b"2"

    async def test_what_is_over_leaves(self) -> None:
        """A change takes with it what is over, from Redis and from every copy."""
        await self.fill([f"over{n}" for n in range(300)], 1)
        for _ in range(3):
            await self.two.catch_up()
            await self.two.put("a", b"1")
        assert self.server.ask("HKEYS", "lc:{!}:shared:x") == "a"
        await until(lambda: self.one._version == self.two._version)
        assert self.one.entries().keys() == self.two.entries().keys() == {"a"}

    async def test_changes_while_it_is_read(self) -> None:
        """A reading in steps is completed by what is heard meanwhile."""
        await self.fill([f"{n}" for n in range(999)], 2**40)
        third = self.process()
        three = map_of(third)
        for turn in range(5):
            await third.usable()
            changes: list[Deferred[Any]] = [
                self.one.put(f"{n}", b"%d" % turn) for n in range(0, 999, 90)
            ]
            changes.append(self.one.drop(f"{90 * turn + 1}"))
            three._version = Version()
            await gatherResults([*changes, three.catch_up()])
            await until(lambda: three._version == self.one._version)
            assert three.entries() == self.one.entries()

    async def test_changes_that_are_not_heard_while_it_is_read(self) -> None:
        """The map is read at once then, and as it was at one moment."""
        await self.fill([f"{n}" for n in range(999)])
        third = self.process()
        third.backend.published = lambda *_: None  # type: ignore[method-assign]
        three = map_of(third)
        await third.usable()
        read = three._store.read

        async def read_slowly() -> Reading:
            reading = await read()
            await self.one.put("a", b"1")
            return reading._replace(ended=self.one._version)

        three._store.read = read_slowly  # type: ignore[method-assign]
        await self.one.put("a", b"1")
        await three.catch_up()
        assert three._version == self.one._version
        assert three.entries() == self.one.entries()


#: As the version before has kept it.
DOCUMENT = json.dumps(
    {"sessions": {"h1": 1_790_000_000, "h2": 5}, "addresses": ["192.0.2.1", "::"]}
)
ENTRIES = [
    ("addresses:192.0.2.1", b"0"),
    ("addresses:::", b"1"),
    ("sessions:h1", b"1790000000"),
    ("sessions:h2", b"5"),
]


class DocumentTest(ProcessesTest):
    """Redis's document of the version before becomes a map."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.server.ask("SET", "lc:{!}:shelf:operators", DOCUMENT)
        await super().setUp()

    async def test_the_old_document_is_taken_over_once(self) -> None:
        """The old document enters the map once: a key dropped afterwards does not come back."""
        one, two = (map_of(each, "operators") for each in (self.here, self.there))
        await gatherResults([one.catch_up(), two.catch_up()])
        assert sorted(one.items()) == sorted(two.items()) == ENTRIES
        await one.drop("sessions:h1")
        third = self.process()
        shared = map_of(third, "operators")
        await third.usable()
        assert shared.get("sessions:h1") is None
        assert shared.get("sessions:h2") == b"5"

    async def test_a_process_of_the_version_before(self) -> None:
        """An older process goes on with the document, which stays for a day."""
        one = map_of(self.here, "operators")
        await one.catch_up()
        assert self.server.ask("GET", "lc:{!}:shelf:operators") == DOCUMENT
        assert 0 < int(self.server.ask("TTL", "lc:{!}:shelf:operators")) <= FORMER_LASTS
        self.server.ask("SET", "lc:{!}:shelf:operators", "{}")
        self.server.ask("PUBLISH", "lc:0:{!}", "lc:{!}:shelf:operators")
        await self.here.backend.beat()
        await one.put("sessions:h3", b"1")
        assert sorted(one.items()) == [*ENTRIES, ("sessions:h3", b"1")]

    async def test_a_map_of_the_version_before(self) -> None:
        """A map of the former version replaces the document that it was made of."""
        self.server.ask("HSET", "lc:{!}:map:new", "", "w 7", "a", "5 1", "b", "0 2")
        self.server.ask("SET", "lc:{!}:shelf:new", DOCUMENT)
        one = map_of(self.here, "new")
        await one.catch_up()
        assert one.entries() == {"a": MapEntry(b"1", 5), "b": MapEntry(b"2")}
        await one.drop("b")
        assert self.server.ask("HEXISTS", "lc:{!}:map:new", "b") == "1"
        assert 0 < int(self.server.ask("TTL", "lc:{!}:map:new")) <= FORMER_LASTS
        two = map_of(self.there, "new")
        await two.catch_up()
        assert two.entries() == one.entries()

    async def test_a_damaged_document_is_empty(self) -> None:
        """A damaged document signs nobody in, and the map works."""
        self.server.ask("SET", "lc:{!}:shelf:damaged", "{")
        one = map_of(self.here, "damaged")
        await one.catch_up()
        assert one.items() == []
        await one.put("a", b"1")
