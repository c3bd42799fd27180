"""`livechat.backends.redis.generation`: numberings that end and begin, with a real Redis."""

from __future__ import annotations

import shutil
from hashlib import blake2b
from pathlib import Path

from twisted.internet.defer import gatherResults

from livechat.backends.redis import history
from livechat.protocol.messages import Draft, Repeated
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.backends.redis.server import RedisServer
from tests.support.outcomes import publish


class NumberingTest(ProcessesTest):
    """Another numbering is another epoch, at once, and nothing of it is missed."""

    async def epoch(self, room: str = "r") -> str:
        return (await self.there.backend.messages.read(room, 0, 0)).position.epoch

    async def burst(self, process: Process, much: int) -> list[int]:
        """Say *much* at once; returns the numbers in the answers."""
        drafts = [Draft("r", f"new {number}") for number in range(much)]
        sent = [publish(process.backend.messages, draft) for draft in drafts]
        return [message.seq for message in await gatherResults(sent)]

    async def begins_anew(self) -> None:
        """After five messages, more come than there were before."""
        (before,) = self.here.epochs()
        assert await self.burst(self.here, 20) == list(range(1, 21))
        for process in (self.here, self.there):
            await self.hears(process, 25)
            assert process.seqs() == [*range(1, 6), *range(1, 21)]
            assert process.epochs() == [before, await self.epoch()]
        assert await self.epoch() != before

    async def test_all_keys_are_lost(self) -> None:
        """Numbers that were given before are delivered again, and none is missing."""
        await self.traffic(5)
        await self.all_is_well()
        self.server.ask("FLUSHALL")
        await self.begins_anew()

    async def test_a_room_is_lost(self) -> None:
        """The keys of one room alone."""
        await self.traffic(5)
        await self.all_is_well()
        self.server.ask("DEL", "lc:{r}:s", "lc:{r}:m")
        await self.begins_anew()

    async def test_lost_while_nobody_speaks(self) -> None:
        """A client that comes back with a number of before finds another epoch."""
        await self.traffic(5)
        await self.all_is_well()
        before = await self.epoch()
        self.server.ask("DEL", "lc:{r}:s", "lc:{r}:m")
        assert await self.epoch() != before

    async def test_a_state_is_lost(self) -> None:
        """Without its stream: numbers go on, and members get nothing twice."""
        await self.traffic(5)
        await self.all_is_well()
        before = await self.epoch()
        self.server.ask("DEL", "lc:{r}:m")
        assert len((await self.here.backend.messages.read("r", 0, 10)).messages) == 5
        assert await self.epoch() != before
        assert await self.burst(self.here, 3) == [6, 7, 8]
        for process in (self.here, self.there):
            await self.hears(process, 8)
            assert process.seqs() == list(range(1, 9))

    async def test_a_stream_is_lost(self) -> None:
        """Without its state: the messages are gone, and the numbering goes on."""
        await self.traffic(5)
        await self.all_is_well()
        before = await self.epoch()
        self.server.ask("DEL", "lc:{r}:s")
        assert await self.burst(self.here, 3) == [6, 7, 8]
        for process in (self.here, self.there):
            await self.hears(process, 8)
            assert process.seqs() == list(range(1, 9))
        assert await self.epoch() == before

    async def test_a_word_that_comes_late(self) -> None:
        """An answer of a numbering that has ended changes nothing, and is not waited for."""
        await self.traffic(5)
        await self.all_is_well()
        room = self.there.backend._subscriptions._rooms["r"]
        assert room.stream is not None
        stale = (await self.here.backend.history.read("r", 0, 10)).entries[2]
        self.there.backend._subscriptions.published(b"lc:0:{r}", stale._replace(word=b"ended"))
        await self.traffic(5)
        assert len(await self.all_is_well()) == 10
        assert len(self.there.epochs()) == 1

    async def test_a_number_given_again(self) -> None:
        """Another message under the newest number is not taken for a repetition."""
        await self.traffic(5)
        await self.all_is_well()
        newest = (await self.here.backend.history.read("r", 4, 1)).entries[0]
        self.there.backend._subscriptions.published(b"lc:0:{r}", newest._replace(tag=b"other"))
        await self.traffic(5)
        assert len(await self.all_is_well()) == 10

    async def test_a_nonce_of_a_lost_message(self) -> None:
        """The message is stored again: nobody could see the one that had the nonce."""
        first = await publish(self.here.backend.messages, Draft("r", "a", None, "n"))
        assert isinstance(
            await publish(self.here.backend.messages, Draft("r", "a", None, "n")), Repeated
        )
        self.server.ask("DEL", "lc:{r}:s", "lc:{r}:m")
        again = await publish(self.here.backend.messages, Draft("r", "a", None, "n"))
        assert not isinstance(again, Repeated)
        assert again.seq == first.seq
        for process in (self.here, self.there):
            await self.hears(process, 2)
            assert len(process.epochs()) == 2

    async def test_an_empty_room(self) -> None:
        """A room without messages keeps its epoch over the first one, at both processes."""
        for room, process in (("one", self.here), ("two", self.there)):
            before = await self.epoch(room)
            await gatherResults(
                [each.backend.messages.subscribe(room) for each in (self.here, self.there)]
            )
            assert await self.epoch(room) == before
            await publish(process.backend.messages, Draft(room, "first"))
            await self.both_hear(room)
            assert self.here.epochs(room) == self.there.epochs(room) == [before]
            assert await self.epoch(room) == before

    async def both_hear(self, room: str) -> None:
        await until(lambda: self.here.heard(room) and self.there.heard(room))

    async def test_an_empty_room_leaves_nothing(self) -> None:
        """The key of its word ends by itself, and with the first message."""
        await self.here.backend.messages.subscribe("new")
        left = int(self.server.ask("PTTL", "lc:{new}:w"))
        assert 0 < left <= 1000 * history.READ_WORD_LASTS
        await publish(self.here.backend.messages, Draft("new", "first"))
        assert self.server.ask("EXISTS", "lc:{new}:w") == "0"

    async def test_an_empty_room_that_is_lost(self) -> None:
        """Members of a lost empty room hear its first message, under another epoch."""
        before = await self.epoch()
        self.server.ask("FLUSHALL")
        await self.burst(self.there, 3)
        for process in (self.here, self.there):
            await self.hears(process, 3)
            assert process.seqs() == [1, 2, 3]
        assert await self.epoch() != before

    async def test_a_room_of_before(self) -> None:
        """A room that is older than words keeps its epoch, also after its next messages."""
        await self.traffic(5)
        self.server.ask("HDEL", "lc:{r}:m", "w")
        key = self.server.ask("GET", "lc:{!}:generation").encode()
        expected = blake2b(b"r", key=key, digest_size=8).hexdigest()
        assert await self.epoch() == expected
        third = self.process()
        await third.usable()
        await third.backend.messages.subscribe("r")
        await self.traffic(5)
        await self.hears(third, 5)
        assert third.epochs() == [expected]
        assert await self.epoch() == expected
        # The others knew its word, and are told of the change; nothing is said twice.
        await self.all_is_well()
        self.server.ask("DEL", "lc:{r}:s", "lc:{r}:m")
        await self.burst(self.here, 12)
        await self.hears(third, 17)
        assert third.seqs() == [*range(6, 11), *range(1, 13)]
        assert len(third.epochs()) == 2

    async def test_the_generation_is_lost(self) -> None:
        """Alone: it is put back, since nothing else is missing."""
        await self.traffic(5)
        before = await self.epoch()
        self.server.ask("DEL", "lc:{!}:generation")
        await self.here.backend.generation.refresh()
        await self.there.backend.generation.refresh()
        assert await self.epoch() == before
        self.server.ask("DEL", "lc:{!}:generation")
        await self.here.backend.begin_anew()
        await until(lambda: self.there.backend.generation.name == self.here.backend.generation.name)
        assert await self.epoch() != before

    async def test_the_end_is_lost_and_others_wrote_on(self) -> None:
        """
        A Redis that went back has more messages by the time that it is seen again: a
        process that has only listened notices too.
        """
        await self.traffic(10)
        await self.all_is_well()
        listener = self.process()
        await listener.usable()
        await listener.backend.messages.subscribe("r")
        saved = self.server.directory.parent / "saved"
        shutil.copytree(self.server.directory / "appendonlydir", saved / "appendonlydir")
        await self.traffic(10)
        await self.hears(listener, 10)
        await gatherResults([each.backend.stop() for each in (self.here, self.there)])
        self.server.kill()
        await listener.troubled("")
        await self.write_on(saved)
        shutil.rmtree(self.server.directory / "appendonlydir")
        (saved / "appendonlydir").rename(self.server.directory / "appendonlydir")
        self.server.start()
        await self.hears(listener, 25)
        assert listener.seqs() == [*range(11, 21), *range(11, 26)]
        assert listener.heard()[10:] == [f"new {number}" for number in range(15)]
        assert len(listener.epochs()) == 2

    async def write_on(self, directory: Path) -> None:
        with RedisServer(directory) as server:
            url, self.url = self.url, server.url
            other = self.process()
            self.url = url
            await other.usable()
            assert await self.burst(other, 15) == list(range(11, 26))
            await other.backend.stop()
