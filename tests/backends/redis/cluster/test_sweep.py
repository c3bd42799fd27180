"""`livechat.backends.redis.cluster.sweep`, with a real cluster."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet.defer import gatherResults

from livechat.backends.redis import sweep
from livechat.backends.redis.cluster.slots import SLOTS
from livechat.backends.redis.cluster.sweep import SLOTS_PER_STEP
from livechat.backends.redis.connection import UnansweredError
from livechat.protocol.messages import Draft
from tests.backends.redis.cluster.processes import ClusterProcessesTest
from tests.backends.redis.processes import Process
from tests.support.outcomes import publish

AGE = 30 * 86_400
NOW = 1_790_000_000.0
#: Steps in which all slots are looked at, and some more.
ROUND = SLOTS // SLOTS_PER_STEP + 4
ROOMS = [f"room{number}" for number in range(60)]


class ClusterSweepTest(ClusterProcessesTest):
    """
    Messages that are too old, or too many, under a clock that the test moves.

    @ivar later: seconds that have passed.
    """

    masters = 3

    async def setUp(self) -> None:  # type: ignore[override]
        self.later = 0.0
        for name in ("STEP_EVERY", "LOOK_EVERY"):
            self.patch(sweep, name, 1_000.0)
        await super().setUp()
        leader = self.process(seconds=AGE)
        await leader.usable()
        self.backend: Any = leader.backend
        await gatherResults([publish(self.backend.messages, Draft(room, "x")) for room in ROOMS])

    def process(self, **options: int) -> Process:
        made = super().process(**options)
        made.backend.wall._wall = lambda: NOW + self.later
        made.backend.wall._elapsed = lambda: self.later
        return made

    async def sweep(self, steps: int = ROUND) -> None:
        for _ in range(steps):
            # On a busy machine an answer may come too late; the next step is another attempt.
            with contextlib.suppress(UnansweredError):
                await self.backend._sweep.step()

    def streams(self) -> int:
        """The number of streams at all masters."""
        found = [node.ask("--scan", "--pattern", "lc:{room*}:s") for node in self.cluster.nodes]
        return sum(len(each.split()) for each in found)

    def grow_old(self, seconds: float) -> None:
        self.later += seconds
        self.backend.wall.compare()

    async def test_a_round_sweeps_all_slots(self) -> None:
        """A round looks at all slots: old messages go, newer ones beside them stay."""
        self.grow_old(AGE / 2)
        await publish(self.backend.messages, Draft("room7", "y"))
        await self.sweep()
        assert self.streams() == len(ROOMS)
        self.grow_old(AGE / 2 + 1)
        await self.sweep()
        assert self.streams() == 1
        page = await self.backend.messages.read("room7", 0, 9)
        assert [message.seq for message in page.messages] == [2]
        assert (await publish(self.backend.messages, Draft("room8", "z"))).seq == 2

    async def test_sets_that_were_lost(self) -> None:
        """Streams that are in no set are looked for at each master."""
        for node in self.cluster.nodes:
            for key in node.ask("--scan", "--pattern", "lc:*:idle").split():
                node.ask("DEL", key)
            node.ask("DEL", "lc:{!}:searched")
        self.grow_old(AGE + 1)
        await self.sweep(2)
        await self.sweep()
        assert self.streams() == 0

    async def test_a_master_that_is_away(self) -> None:
        """The slots of a master that is away are skipped."""
        for node in self.cluster.nodes:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        self.grow_old(AGE + 1)
        home = self.backend._home.place.port
        away = next(node for node in self.cluster.nodes if node.port != home)
        away.kill()
        await self.sweep()
        assert self.streams() == 0
        away.start()
        await self.usable()
        # The backend may connect to it a little later.
        while self.streams():
            await self.sweep()
