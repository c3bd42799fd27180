"""`livechat.backends.redis.registry`, with a real Redis."""

from __future__ import annotations

from msgspec import structs
from twisted.internet.task import deferLater

from livechat.backends.redis import registry
from tests.backends.redis.processes import Process, ProcessesTest
from tests.map_contract import REPORT


class ProcessRegistryTest(ProcessesTest):
    """Processes know of each other."""

    async def known(self, process: Process) -> list[str]:
        """Processes that *process* knows at present."""
        process.backend.processes._asked_at = float("-inf")
        return [report.process for report in await process.backend.processes.reports()]

    async def until_known(self, process: Process, *expected: str) -> None:
        while await self.known(process) != list(expected):
            await deferLater(self.reactor, 0.01)

    async def test_two_processes_know_each_other(self) -> None:
        """Each knows the others, and itself first, as it is now."""
        self.here.report = structs.replace(REPORT, process="here")
        self.there.report = structs.replace(REPORT, process="there")
        for process in (self.here, self.there):
            await process.backend.beat()
        assert await self.known(self.here) == ["here", "there"]
        assert await self.known(self.there) == ["there", "here"]
        self.here.report = structs.replace(REPORT, process="now")
        assert await self.known(self.here) == ["now", "there"]
        (_, other) = await self.here.backend.processes.reports()
        assert other == self.there.report

    async def test_a_stopped_process_is_gone_at_once(self) -> None:
        """A process that stops is gone at once."""
        third = self.process()
        third.report = structs.replace(REPORT, process="third")
        await third.usable()
        await third.backend.beat()
        assert "third" in await self.known(self.here)
        await third.backend.stop()
        assert "third" not in await self.known(self.here)

    async def test_a_beat_that_is_overtaken(self) -> None:
        """A beat that waits while its process stops does not bring it back."""
        third = self.process()
        third.report = structs.replace(REPORT, process="third")
        await third.usable()
        left = third.backend.processes
        assert left is not None
        await left.leave()
        await left.beat()
        assert "third" not in await self.known(self.here)

    async def test_whose_people_may_be_back(self) -> None:
        """A stopped process counts as alive for a while, since its users may return."""
        third = self.process()
        await third.usable()
        await third.backend.beat()
        left, seen = third.backend.processes, self.here.backend.processes
        await third.backend.stop()
        assert left.name in await seen.alive()
        now = seen._now
        # The processes' clocks differ a little, hence a second more.
        self.patch(seen, "_now", lambda: now() + int(1000 * (registry.FAREWELL + 1)))
        assert left.name not in await seen.alive()

    async def test_a_silent_process_is_forgotten_with_its_lease(self) -> None:
        """A process that falls silent is forgotten when its lease ends."""
        self.there.report = structs.replace(REPORT, process="there")
        await self.there.backend.beat()
        assert await self.known(self.here) == [REPORT.process, "there"]
        self.there.backend._beating.stop()
        self.patch(registry, "LEASE", 0.3)
        await self.there.backend.beat()
        await self.until_known(self.here, REPORT.process)
        await self.here.backend.beat()
        assert self.server.ask("ZCARD", "lc:{!}:processes") == "1"

    async def test_a_process_of_another_version_is_left_out(self) -> None:
        """A process that is not understood is left out."""
        await self.here.backend.beat()
        self.server.ask("SET", "lc:{!}:process:x", "what is that")
        self.server.ask("ZADD", "lc:{!}:processes", "9e15", "lc:{!}:process:x")
        assert len(await self.known(self.here)) == 2

    async def test_a_process_without_redis_knows_itself(self) -> None:
        """A process without Redis knows only itself."""
        await self.kill()
        assert await self.known(self.here) == [REPORT.process]

    async def test_a_write_that_fails(self) -> None:
        """Redis takes nothing: it is found while nobody sends, and so is the end of it."""
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        await self.here.backend.beat()
        assert "OOM" in str(self.here.backend.trouble())
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        await self.here.backend.beat()
        assert self.here.backend.trouble() is None
