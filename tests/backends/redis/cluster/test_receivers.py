"""Receivers outside of a real cluster: slots that move, masters that are away."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from livechat.backends.redis.cluster.slots import slot_of
from livechat.backends.redis.keys import Keys
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Entry
from tests.act_contract import refused
from tests.backends.redis.cluster.processes import SLOT, ClusterProcessesTest
from tests.backends.redis.processes import Process, until
from tests.support.outcomes import publish
from tests.told_outside import numbers, rooms, say, take, texts

HOME = slot_of(Keys().control)


class ClusterReceiversTest(ClusterProcessesTest):
    """Two processes, and a receiver `a` of both."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        await self.here.backend.outbox.keep(["a"])
        await until(lambda: self.there.backend.receivers.any)

    async def told(self, process: Process) -> list[Entry]:
        """
        Take all that waits in the room.

        On a busy machine the master may answer too late, and the connection is given up.
        """
        while True:
            await self.usable()
            try:
                return await take(process.backend)
            except ChatError as reason:
                if reason.kind is not Kind.UNAVAILABLE:
                    raise

    async def test_a_slot_moves(self) -> None:
        """The room's entries wait at their new master, cursors and all; nothing is told twice."""
        await self.traffic(10)
        told = await self.told(self.here)
        target = self.others()[0]
        await self.talk_while(self.cluster.move, SLOT, self.server, target)
        self.nobody_was_refused()
        told += await self.told(self.there)
        assert numbers(told) == list(range(1, len(told) + 1))
        assert texts(told) == await self.all_is_well()

    async def test_the_home_moves(self) -> None:
        """The set of rooms moves with the home; rooms that are entered meanwhile are found."""
        source = next(node for node in self.cluster.nodes if self.cluster.has(node, HOME))
        target = next(node for node in self.cluster.nodes if node is not source)
        await say(self.here.backend, "a", room="before")
        await self.in_thread(self.cluster.move, HOME, source, target)
        names = [f"r{number}" for number in range(20)]
        both = (self.here.backend, self.there.backend)
        await gatherResults(
            [publish(both[at % 2].messages, Draft(name, "x")) for at, name in enumerate(names)]
        )
        assert await rooms(self.here.backend) == sorted([*names, "before"])

    async def test_a_master_is_away(self) -> None:
        """
        Rooms of other masters are told of while one is away.  Without the home no quiet room takes
        a message, since nobody could find it.
        """
        nodes = self.cluster.nodes
        home = next(node for node in nodes if self.cluster.has(node, HOME))
        gone = next(node for node in nodes if node is not home)
        slots = {node: self.cluster.slots(node) for node in nodes}
        for node in nodes:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        away, there, quiet = (
            next(
                name
                for name in (f"{begin}{n}" for n in range(999))
                if slot_of(f"{{{name}}}".encode()) in slots[node]
            )
            for begin, node in (("a", gone), ("t", home), ("q", gone))
        )
        for room in (away, there):
            await say(self.here.backend, "x", room=room)
        gone.kill()
        await self.troubled_both()
        assert await rooms(self.here.backend) == [there]
        gone.start()
        await self.usable()
        assert await rooms(self.here.backend) == [away, there]
        home.kill()
        await self.troubled_both()
        unsaid = publish(self.here.backend.messages, Draft(quiet, "x"))
        assert await refused(unsaid) is Kind.UNAVAILABLE
        assert (await self.here.backend.history.read(quiet, 0, 9)).newest.seq == 0
        home.start()
        await self.usable()
        await say(self.here.backend, "x", room=quiet)
        assert quiet in await rooms(self.there.backend)
