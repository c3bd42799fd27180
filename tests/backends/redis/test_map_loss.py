"""Shared maps outlive their Redis: with real ones, which lose what they have."""

from __future__ import annotations

import random
import shutil
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, gatherResults

from livechat.backends.maps import MapEntry
from livechat.backends.redis.map_store import Reading
from livechat.backends.redis.map_version import Version
from livechat.backends.redis.shared_map import RedisMap
from livechat.errors import ChatError
from tests.backends.redis.processes import Process, ProcessesTest, until

KEY = "lc:{!}:shared:x"
LATER = 2**40


def map_of(process: Process) -> RedisMap:
    return process.backend.shared_map("x", most=5_000, largest=100)


class LossTest(ProcessesTest):
    """Two processes with copies of one map, which compare them only when they are told to."""

    options = ("--appendonly", "no", "--save", "")

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.one, self.two = map_of(self.here), map_of(self.there)
        self.quiet(self.here, self.there)
        await self.one.put("banned", b"1", LATER)
        await self.one.put("pardoned", b"1")
        await self.one.put("ends", b"1", 1)
        await self.one.drop("pardoned")
        await self.agree()

    def quiet(self, *processes: Process) -> None:
        for each in processes:
            each.backend._beating.stop()

    async def agree(self) -> None:
        await until(lambda: self.one._version == self.two._version)
        assert self.one.entries() == self.two.entries()
        for each in (self.one, self.two):
            # A comparison that is under way would still put back what the test removes.
            await each._refreshing.run(lambda: None)

    async def kept(self) -> Reading:
        """The map as Redis has it."""
        return await self.two._store.read_at_once()

    def cut_off(self, process: Process) -> None:
        """Make *process* hear of no change; it compares when the test says so."""
        process.backend.published = lambda *_: None  # type: ignore[method-assign]

    async def test_everything_is_lost(self) -> None:
        """A lost map is restored as it was, once, by whichever process comes first."""
        before, version = await self.kept(), self.one._version
        self.server.ask("FLUSHALL")
        assert self.one.get("banned") == self.two.get("banned") == b"1"
        await gatherResults([self.one.catch_up(), self.two.catch_up()])
        assert await self.kept() == before
        assert self.one._version == self.two._version == version
        assert before.entries.keys() == {"banned", "ends"}
        assert self.server.ask("KEYS", "lc:{!}:draft:*") == ""
        await self.two.put("new", b"1")
        await until(lambda: self.one.get("new"))

    async def test_the_beat_restores_a_lost_map(self) -> None:
        """So does a process that nobody asks."""
        before = await self.kept()
        self.server.ask("FLUSHALL")
        await self.two_beats()
        await until(lambda: self.server.ask("EXISTS", KEY) == "1")
        assert await self.kept() == before

    async def two_beats(self) -> None:
        for each in (self.here, self.there):
            await each.backend.beat()

    async def test_one_process_is_left(self) -> None:
        before = await self.kept()
        await self.here.backend.stop()
        self.server.ask("FLUSHALL")
        await self.two.catch_up()
        assert await self.kept() == before

    async def test_changes_race_the_restoration(self) -> None:
        """A change waits until all that its process knows is there again."""
        self.server.ask("FLUSHALL")
        changes = [each.put(f"{n}", b"1") for n in range(20) for each in (self.one, self.two)]
        assert await gatherResults([*changes, self.one.put("banned", b"2", expect=b"1")])
        await gatherResults([self.one.drop("banned"), self.two.drop("1")])
        await self.agree()
        assert len(self.one.items()) == 19
        assert len((await self.kept()).entries) == 19

    async def test_a_large_map_is_restored_in_steps(self) -> None:
        """A large map is restored in steps, by one process."""
        many = {f"{n}": MapEntry(b"x" * 90, LATER) for n in range(3_000)}
        version = self.one._version
        assert await self.one._store.restore(version, version._replace(number=99), many)
        await gatherResults([self.one.catch_up(), self.two.catch_up()])
        assert self.one.entries() == many
        before = await self.kept()
        self.server.ask("FLUSHALL")
        await gatherResults([self.one.catch_up(), self.two.catch_up()])
        assert await self.kept() == before

    async def test_a_new_process_learns_nothing_from_an_empty_redis(self) -> None:
        """A new process learns nothing from an empty Redis, and all once the map is back."""
        self.server.ask("FLUSHALL")
        third = self.process()
        three = map_of(third)
        await third.usable()
        assert three.items() == []
        assert (await self.kept()).entries == {}
        await self.one.catch_up()
        await until(lambda: three.get("banned") == b"1")
        assert three._version == self.one._version

    async def test_a_new_process_that_begins_another_map(self) -> None:
        """Both are joined: nobody is pardoned, and what was said meanwhile holds."""
        await self.one.put("both", b"old")
        await self.agree()
        self.server.ask("FLUSHALL")
        self.cut_off(self.here)
        self.cut_off(self.there)
        third = self.process()
        three = map_of(third)
        await third.usable()
        for number in range(20):
            await three.put("both", b"%d" % number)
        await gatherResults([self.one.catch_up(), self.two.catch_up(), three.catch_up()])
        await gatherResults([each.catch_up() for each in (self.one, self.two, three)])
        for each in (self.one, self.two, three):
            assert dict(each.items()) == {"banned": b"1", "both": b"19"}
            assert each._version == self.one._version
        # A copy from before the joining is older: what was dropped since does not come back.
        three._version, stale = Version(b"other", 99, b"t"), self.two._version
        await self.one.drop("banned")
        self.two._version = stale._replace(word=self.one._version.former[0], number=999)
        await self.two.catch_up()
        assert self.two.get("banned") is None

    async def test_lost_and_put_back_while_it_is_read(self) -> None:
        """A part of a map is never taken for all of it, though its version is the same."""
        many = {f"{n}": MapEntry(b"1", LATER) for n in range(3_000)}
        version = self.one._version
        assert await self.one._store.restore(version, version._replace(number=99), many)
        await self.one.catch_up()
        third = self.process()
        await third.usable()
        three, connection = map_of(third), third.backend._connection
        command = connection.command
        lost: list[str] = []

        async def losing(*words: bytes) -> Any:
            if words[0] == b"HSCAN" and words[2] != b"0" and not lost:
                lost.append(self.server.ask("FLUSHALL"))
                answer = await command(*words)
                await self.one.catch_up()
                return answer
            return await command(*words)

        connection.command = lambda *words: Deferred.fromCoroutine(losing(*words))  # type: ignore[method-assign]
        await three.catch_up()
        assert lost
        assert three.entries() == many

    async def test_an_older_copy_replaces_no_newer_map(self) -> None:
        """A process that was cut off never replaces a newer map by its copy."""
        self.cut_off(self.there)
        await self.one.put("later", b"1")
        await self.one.drop("banned")
        before = await self.kept()
        await self.two.catch_up()
        assert self.two.get("banned") is None
        assert await self.kept() == before

    async def test_an_older_copy_comes_first(self) -> None:
        """An older copy is restored first, and replaced by the newer one."""
        self.cut_off(self.there)
        await self.one.put("later", b"1")
        await self.one.drop("banned")
        self.server.ask("FLUSHALL")
        await self.two.catch_up()
        assert self.two.get("banned") == b"1"
        await self.one.catch_up()
        assert self.one.get("later") == b"1"
        await self.two.catch_up()
        await self.agree()
        assert self.two.get("banned") is None

    async def test_other_changes_of_the_same_numbers(self) -> None:
        """Copies are equal only if their changes are, not their numbers."""
        self.cut_off(self.there)
        old = self.one._version, dict(self.one.entries())
        await self.one.put("lost", b"1")
        assert await self.one._store.restore(self.one._version, *old)
        await self.two.put("other", b"1")
        await until(lambda: self.one.get("other"))
        assert self.one._version == self.two._version
        assert self.one.get("lost") is None

    async def test_a_backup_is_restored(self) -> None:
        """A Redis with an earlier state gets the newer one."""
        rdb = self.server.directory / "dump.rdb"
        self.server.ask("SAVE")
        shutil.copy(rdb, rdb.with_suffix(".old"))
        await self.one.put("later", b"1")
        await self.one.drop("banned")
        await self.agree()
        before = await self.kept()
        await self.kill()
        shutil.copy(rdb.with_suffix(".old"), rdb)
        self.server.start()
        await self.usable()
        await self.agree()
        assert await self.kept() == before
        assert self.two.items() == [("later", b"1")]

    async def test_everything_is_lost_while_it_is_away(self) -> None:
        """A Redis that comes back empty has the maps before anything is taken."""
        before = await self.kept()
        await self.kill()
        (self.server.directory / "dump.rdb").unlink(missing_ok=True)
        self.server.start()
        await self.usable()
        assert await self.kept() == before
        assert self.one.entries()["ends"] == MapEntry(b"1", 1)

    async def test_whatever_is_lost_whenever(self) -> None:
        """However changes, losses and cuts come, all copies and Redis have the same in the end."""
        third = self.process()
        three = map_of(third)
        await third.usable()
        self.quiet(third)
        maps = [self.one, self.two, three]
        rng = random.Random(7)
        saved = self.one._version, dict(self.one.entries())
        for _ in range(8):
            deaf = rng.choice([self.here, self.there, third])
            published, deaf.backend.published = deaf.backend.published, lambda *_: None  # type: ignore[method-assign]
            done: list[Deferred[Any]] = []
            for _ in range(12):
                each, key = rng.choice(maps), rng.choice("abcdef")
                what = rng.randrange(12)
                if what == 0:
                    self.server.ask("FLUSHALL")
                elif what == 1:
                    version, entries = saved
                    await each._store.restore(await each._store.version(), version, entries)
                elif what == 2:
                    saved = each._version, dict(each.entries())
                elif what < 5:
                    done.append(each.drop(key))
                else:
                    done.append(each.put(key, b"%d" % rng.randrange(99)))
            results = await DeferredList(done, consumeErrors=True)
            refused = [failure.value for good, failure in results if not good]
            # A process that hears nothing gets an error where its change waits for others'.
            assert all(isinstance(error, ChatError) for error in refused)
            deaf.backend.published = published  # type: ignore[method-assign]
            for each in (*maps, *maps):
                await each.catch_up()
            kept = await self.kept()
            for each in maps:
                assert each._version == kept.ended
                assert each.entries() == kept.entries
                assert each._expected == {}
