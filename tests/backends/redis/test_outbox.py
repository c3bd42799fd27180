"""`livechat.backends.redis.outbox`: what receivers outside wait for, with a real Redis."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs

from livechat.backends import outbox as bounds
from livechat.backends.redis import entering, outbox, sweep
from livechat.errors import Kind
from livechat.protocol.messages import Draft, Gone, Retraction
from tests.act_contract import refused
from tests.backends.redis.processes import ProcessesTest, until
from tests.support.outcomes import amend, publish
from tests.told_outside import epoch_of, first, numbers, rooms, say, take, texts, waiting


class OutboxTest(ProcessesTest):
    """Two processes, and a receiver `a` of both."""

    async def setUp(self) -> None:  # type: ignore[override]
        # The tests say when something is removed.
        self.patch(sweep, "STEP_EVERY", 1_000.0)
        await super().setUp()
        await self.here.backend.outbox.keep(["a"])
        await until(lambda: self.there.backend.receivers.any)

    async def test_entries_of_both_processes_wait_in_order(self) -> None:
        """Entries of both processes wait in their order, for whichever asks."""
        await self.traffic(30)
        stored = await self.stored()
        assert texts(await take(self.there.backend)) == stored
        assert await rooms(self.here.backend) == []

    async def test_one_of_two_processes_leads(self) -> None:
        """Two processes ask at once and one leads; the other does after a stop or a kill."""
        self.patch(outbox, "LEASE", 0.5)
        both = [self.here.backend, self.there.backend]
        began = self.reactor.seconds()
        leads = await gatherResults([each.outbox.lead() for each in both])
        assert sorted(leads) == [0.0, 0.5]
        leader, other = (each for _, each in sorted(zip(leads, both, strict=True), reverse=True,
                                                    key=lambda pair: pair[0]))  # fmt: skip
        # As after kill -9: nothing is said any more.
        await leader._connection.stop()
        while not await other.outbox.lead():
            await deferLater(self.reactor, 0.02)
        assert self.reactor.seconds() - began >= 0.45
        self.patch(outbox, "LEASE", 30.0)
        assert await other.outbox.lead() == 30.0
        third = self.process().backend
        await until(lambda: third.trouble() is None)
        assert await third.outbox.lead() == 0.0
        await other.stop()
        while not await third.outbox.lead():
            await deferLater(self.reactor, 0.005)

    async def test_the_archive_finds_held_entries(self) -> None:
        """The archive, which finds all that is kept of somebody, has what is held."""
        backend: Any = self.process(messages=1).backend
        await until(lambda: backend.trouble() is None)
        said = await say(backend, *"abc")
        assert (await backend.messages.read("r", 0, 9)).messages == (said[2],)
        assert (await backend.archive.read("r", 0, 9)).messages == tuple(said)

    async def test_the_leader_hears(self) -> None:
        """The process that leads hears of what the other stores, and after a lost connection."""
        heard: list[str] = []

        def changed(names: Collection[str]) -> None:
            heard.extend(names)

        self.here.backend.outbox.watch(changed)
        silent: list[str] = []
        self.there.backend.outbox.watch(silent.extend)
        assert await self.here.backend.outbox.lead()
        await say(self.there.backend, "a", room="one")
        await until(lambda: heard == ["one"])
        self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        while "two" not in heard:
            await say(self.there.backend, "a", room="two")
            await deferLater(self.reactor, 0.05)
        assert silent == []

    async def test_nothing_without_receivers(self) -> None:
        """Without receivers the keys of a room are what they were; cursors go with the sweep."""
        await say(self.here.backend, "a", room="old")
        await self.here.backend.outbox.keep([])
        await until(lambda: not self.there.backend.receivers.any)
        for process in (self.here, self.there):
            await say(process.backend, "a", "b", room="new")
        found = self.server.ask("KEYS", "lc:{new}:*").split()
        assert sorted(found) == ["lc:{new}:m", "lc:{new}:s"]
        assert set(self.server.ask("HKEYS", "lc:{new}:m").split()) == {"s", "t", "i", "w"}
        assert self.server.ask("EXISTS", "lc:{old}:c") == "1"
        self.server.ask("DEL", "lc:{!}:sweeper")
        await self.here.backend._sweep.step()
        assert self.server.ask("EXISTS", "lc:{old}:c") == "0"
        assert set(self.server.ask("HKEYS", "lc:{old}:m").split()) == {"s", "t", "i", "w"}

    async def test_a_flushed_redis_gets_its_receivers_back(self) -> None:
        """A Redis that is emptied gets its receivers back; what comes then waits from the start."""
        await self.traffic(10)
        before = await epoch_of(self.here.backend)
        await self.here.backend.outbox.advance("a", {"r": (before, 10)})
        self.server.ask("FLUSHALL")
        await say(self.here.backend, "new", "newer")
        # Nothing but its own answer tells the process that the set is lost.
        (room,) = await waiting(self.here.backend)
        assert (room.room, room.told, room.top) == ("r", 0, 2)
        assert room.epoch == await epoch_of(self.here.backend) != before
        await self.here.backend.outbox.advance("a", {"r": (before, 2)})
        assert texts(await take(self.there.backend)) == ["new", "newer"]
        await self.here.backend.beat()
        assert self.server.ask("GET", "lc:{!}:receivers") == "1 a@1"

    async def test_a_lost_end(self) -> None:
        """
        After a failover that lost the end of one room, that room is told anew under another epoch;
        another room goes on where its cursor stands.
        """
        backend = self.here.backend
        await say(backend, "a", "b", "c")
        await say(backend, "x", "y", room="s")
        before = await epoch_of(backend, "s")
        for room, seq in (("r", 3), ("s", 1)):
            await backend.outbox.advance("a", {room: (await epoch_of(backend, room), seq)})
        # As the replica had it that was promoted.
        self.server.ask("XDEL", "lc:{r}:s", "3-0")
        self.server.ask("XSETID", "lc:{r}:s", "2-0")
        tag = self.server.ask("XREVRANGE", "lc:{r}:s", "+", "-", "COUNT", "1").split()[4]
        self.server.ask("HSET", "lc:{r}:m", "s", "2", "i", tag)
        await backend.begin_anew()
        await say(backend, "other")
        found = await waiting(backend)
        assert [(each.room, each.told, each.top) for each in found] == [("r", 0, 3), ("s", 1, 2)]
        assert found[1].epoch != before
        assert texts(await take(backend)) == ["a", "b", "other"]
        assert texts(await take(backend, room="s")) == ["y"]

    async def test_a_full_redis_refuses_what_it_could_not_tell(self) -> None:
        """A Redis without room refuses, and stores nothing that is not told later."""
        backend = self.here.backend
        await say(backend, "a")
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        for room in ("r", "fresh"):
            assert await refused(publish(backend.messages, Draft(room, "no"))) is Kind.UNAVAILABLE
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: backend.trouble() is None)
        for room in ("r", "fresh"):
            await say(backend, "b", room=room)
        await backend.beat()
        assert await rooms(self.there.backend) == ["fresh", "r"]
        assert texts(await take(backend)) == ["a", "b"]
        assert texts(await take(backend, room="fresh")) == ["b"]

    async def test_a_room_with_all_told_leaves_the_set(self) -> None:
        """A room in which all is told is taken out after a while, and comes back."""
        self.patch(entering, "STAYS", 0.0)
        backend = self.here.backend
        for room in ("quiet", "r"):
            await say(backend, "a", room=room)
        await take(backend, room="quiet")
        for _ in range(2):
            assert await rooms(backend) == ["r"]
        assert self.server.ask("ZRANGE", "lc:{!}:entered", "0", "-1") == "r"
        assert self.server.ask("HKEYS", "lc:{!}:marks") == "r"
        # Another process, which has not entered it yet.
        await say(self.there.backend, "b", room="quiet")
        assert await rooms(backend) == ["quiet", "r"]

    async def test_erased_to_the_end(self) -> None:
        """Emptied words are in no key, though they share a node with the newest entry."""
        backend = self.here.backend
        await say(backend, "secret", "words", "stay", room="!events")
        self.patch(outbox, "ERASED", 2)
        assert await backend.outbox.erase("!events") == 3
        kept = "".join(self.server.ask("--no-raw", "DUMP", key) for key in
                       self.server.ask("KEYS", "*{!events}*").split())  # fmt: skip
        assert "secret" not in kept
        assert "words" not in kept
        await say(backend, "later", room="!events")
        found = await take(backend, room="!events")
        assert [type(each) for each in found[:3]] == [Gone] * 3
        assert texts(found) == ["later"]

    async def test_said_when_dropped(self) -> None:
        """Entries that are dropped for want of room are counted in the log; so is their gap."""
        self.patch(bounds, "MOST", 10)
        backend = self.process(messages=1).backend
        await until(lambda: backend.trouble() is None)
        for room in ("r", "s"):
            await say(backend, *map(str, range(10)), room=room)
        with capturedLogs() as events:
            assert await backend.outbox.lead()
        (said,) = [each for each in events if "dropped" in each["log_format"]]
        assert said["entries"] == "8 entries were"
        assert numbers(await first(backend))[0] == 5

    async def test_amended_while_held(self) -> None:
        """A retraction of what both history and receivers have is told as it is now."""
        backend: Any = self.here.backend
        await say(backend, "a", "b")
        await amend(backend.messages, Retraction("r", (1,), moderates=True))
        entries = await first(self.there.backend)
        assert [type(each).__name__ for each in entries] == ["Gone", "Message", "Retracted"]

    async def test_everything_is_refused_while_redis_is_away(self) -> None:
        """Everything is refused while Redis is away, and the log says why, once in a while."""
        self.server.kill()
        await self.here.troubled("")
        await until(lambda: not self.here.backend.ready)
        box = self.here.backend.outbox
        for call in (box.lead, lambda: box.waiting("a"), lambda: box.erase("r")):
            assert await refused(call()) is Kind.UNAVAILABLE
