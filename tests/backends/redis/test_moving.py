"""`livechat.backends.redis.moving`, on a real Redis."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Raw
from twisted.internet import reactor as installed

from livechat.backends.exports import ADDED, OTHER, THERE, Room, Said, Value, to_line
from livechat.backends.redis import moving
from livechat.backends.redis.address import parse
from livechat.backends.redis.connection import RefusedError
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.moving import SCRIPTS, OneRedis, Rooms
from livechat.backends.redis.once import connected
from livechat.backends.redis.tls import TLSFiles
from livechat.protocol.messages import Draft, Edit, Retraction
from tests.backends.redis.processes import ProcessesTest, until
from tests.backends.redis.server import RedisServer
from tests.support.furnished import ANN, BO
from tests.support.outcomes import amend, publish

reactor: Any = installed
ROOM = Room("new", "brought", 3, 2, 50, 3)
ENTRIES = [Said(2, 40, "hi", ANN), Said(3, 50, "", None, 3)]


@asynccontextmanager
async def rooms_of(server: RedisServer) -> AsyncIterator[Rooms]:
    async with connected(parse(server.url), reactor, TLSFiles(), SCRIPTS) as connection:
        await connection.load_scripts()
        yield Rooms([OneRedis(connection, Keys(), reactor)])


async def read(rooms: Rooms, name: str) -> tuple[Room | None, list[bytes]]:
    spool = io.BytesIO()
    room = await rooms.read(name, spool)
    return room, spool.getvalue().splitlines(keepends=True)


class MovingTest(ProcessesTest):
    """Rooms on their way, while two processes use them."""

    @pytest.fixture(autouse=True)
    def _patching(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patching = monkeypatch

    async def test_rooms_are_exported_in_steps(self) -> None:
        """All that is kept, in steps, with what was changed; and the epoch that members know."""
        self.patching.setattr(moving, "ENTRIES", 3)
        log = self.here.backend.messages
        for number in range(10):
            await publish(log, Draft("r", f"m{number}", BO))
        await amend(log, Edit("r", 4, "edited", BO.subject))
        await amend(log, Retraction("r", (5,), None, moderates=True))
        page = await log.read("r", 0, 100)
        async with rooms_of(self.server) as rooms:
            await rooms.look()
            room, lines = await read(rooms, "r")
            assert [sorted(some) async for some in rooms.names() if some] == [["r"]]
            assert await read(rooms, "never") == (None, [])
        assert room == Room("r", page.position.epoch, 12, 1, page.entries[-1].time, 12)
        assert len(lines) == 12
        assert b"m4" not in b"".join(lines)
        assert b'"text":"edited","user":{"id":"g1"' in lines[3]

    async def test_a_room_changed_between_two_steps_is_read_anew(self) -> None:
        """A room in which an entry is retracted between two steps is read anew."""
        self.patching.setattr(moving, "ENTRIES", 3)
        log = self.here.backend.messages
        for number in range(10):
            await publish(log, Draft("r", f"m{number}", BO))
        async with rooms_of(self.server) as rooms:
            step, calls = moving.Part._step, 0

            async def interrupted(part: Any, name: str, start: int) -> Any:
                nonlocal calls
                calls += 1
                found = await step(part, name, start)
                if calls == 2:
                    await amend(log, Retraction("r", (1,), None, moderates=True))
                return found

            self.patching.setattr(moving.Part, "_step", interrupted)
            room, lines = await read(rooms, "r")
        assert room is not None
        assert room.top == len(lines) == 11
        assert b"m0" not in b"".join(lines)
        assert calls > 5

    async def test_a_room_is_imported_as_it_was(self) -> None:
        """A room is there as it was, for processes that live: they go on from it."""
        async with rooms_of(self.server) as rooms:
            assert await rooms.prepare(None) == THERE
            assert await rooms.add_room(ROOM, [ENTRIES[:1], ENTRIES[1:]], anew=False) == ADDED
            assert await read(rooms, "new") == (ROOM, [to_line(each) for each in ENTRIES])
            assert await rooms.add_room(ROOM, [], anew=False) == THERE
            for other in (Room("new", "else", 3, 2, 50), Room("new", "brought", 4, 2, 50)):
                assert await rooms.add_room(other, [ENTRIES], anew=False) == OTHER
        page = await self.here.backend.messages.read("new", 0, 10)
        assert page.position.epoch == "brought"
        assert [each.seq for each in page.entries] == [2, 3]
        assert (await publish(self.there.backend.messages, Draft("new", "next"))).seq == 4
        await amend(self.here.backend.messages, Retraction("new", (2,), None, moderates=True))
        assert self.server.ask("EXISTS", "lc:{new}:d") == "0"
        # The room is swept like others.
        assert self.server.ask("ZSCORE", "lc:{!}:idle", "lc:{new}:s")

    async def test_a_room_brought_to_a_redis_that_lost_messages_has_another_epoch(self) -> None:
        """Once Redis has lost messages, a room that was brought has another epoch, too."""
        async with rooms_of(self.server) as rooms:
            await rooms.add_room(ROOM, [ENTRIES], anew=False)
        await self.here.backend.begin_anew()
        page = await self.here.backend.messages.read("new", 0, 10)
        assert page.position.epoch != "brought"

    async def test_a_room_is_imported_under_another_epoch(self) -> None:
        async with rooms_of(self.server) as rooms:
            assert await rooms.add_room(ROOM, [ENTRIES], anew=True) == ADDED
            room, lines = await read(rooms, "new")
        assert room is not None
        assert room.epoch != "brought"
        assert len(lines) == 2

    async def test_a_room_that_talks_again_is_not_imported(self) -> None:
        """A room in which somebody has begun to talk stays as it is."""

        def entries() -> Iterator[list[Said]]:
            yield ENTRIES[:1]
            self.server.ask("XADD", "lc:{new}:s", "1-0", "t", "1", "i", "x", "m", "first")
            yield ENTRIES[1:]

        async with rooms_of(self.server) as rooms:
            assert await rooms.add_room(ROOM, entries(), anew=False) == OTHER
        assert self.server.ask("XLEN", "lc:{new}:s") == "1"
        assert self.server.ask("EXISTS", "lc:{new}:d") == "0"

    async def test_a_room_without_entries(self) -> None:
        """An empty room's numbers go on."""
        async with rooms_of(self.server) as rooms:
            empty = Room("new", "brought", 7, 8, 50)
            assert await rooms.add_room(empty, [], anew=False) == ADDED
            assert await read(rooms, "new") == (empty, [])
        assert (await publish(self.here.backend.messages, Draft("new", "next"))).seq == 8

    async def test_values_are_added_where_there_are_none(self) -> None:
        """Added where there is none; processes that live hear of it."""
        shared = self.here.backend.shared_map("rooms", most=10, largest=100)
        async with rooms_of(self.server) as rooms:
            for value, outcome in ((b"1", ADDED), (b"1", THERE), (b"2", OTHER)):
                assert await rooms.add_value(Value("rooms", "k", Raw(value))) == outcome
            assert [each async for each in rooms.values(["rooms", "never"])] == [
                Value("rooms", "k", Raw(b"1"))
            ]
        await until(lambda: shared.get("k") == b"1")

    async def test_nobody_has_it(self) -> None:
        """An export of a Redis without rooms is refused, and an import makes what is needed."""
        async with rooms_of(self.server) as rooms:
            self.server.ask("FLUSHALL")
            with pytest.raises(RefusedError):
                await rooms.look()
            assert await rooms.prepare(b"s" * 32) == ADDED
            assert await rooms.prepare(b"s" * 32) == THERE
            assert await rooms.prepare(b"t" * 32) == OTHER
            await rooms.look()
            assert await rooms.secret() == b"s" * 32

    async def test_another_layout_is_not_moved(self) -> None:
        async with rooms_of(self.server) as rooms:
            self.server.ask("SET", "lc:{!}:format", "99")
            for call in (rooms.look(), rooms.prepare(None)):
                with pytest.raises(RefusedError):
                    await call
