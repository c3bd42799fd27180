"""`livechat.backends.redis.history`, with a real Redis."""

from __future__ import annotations

from livechat.backends.redis.entries import State
from tests.backends.redis.processes import ProcessesTest


class HistoryTest(ProcessesTest):
    """Parts of a history, as they are read where something is missing."""

    async def test_entries_later_than_a_time_are_found(self) -> None:
        """Entries later than a time are found in a long history too, and page by page."""
        history = self.here.backend.history
        for number in range(100):
            now = 1.0 + 0.01 * (number // 2)
            self.here.backend.wall.now = lambda now=now: now  # type: ignore[method-assign,misc]
            await self.send(self.here, f"{number}")
        for time, expected in (
            (0, 1),
            (1_000, 3),
            (1_005, 3),
            (1_010, 5),
            (1_480, 99),
            (1_490, 101),
        ):
            part = await history.read("r", 0, 1_000, later=time)
            assert [entry.seq for entry in part.entries] == list(range(expected, 101))
        part = await history.read("r", 50, 7, later=1_100)
        assert [entry.seq for entry in part.entries] == list(range(51, 58))
        assert (part.newest.seq, part.oldest) == (100, 1)
        assert part.tag_of(51) == part.entries[0].tag
        assert part.tag_of(50) is None

    async def test_states_of_many_rooms_come_in_order(self) -> None:
        """States of many rooms come in order, with zeros for an unknown room."""
        await self.send(self.here, "x")
        rooms = [*map(str, range(1_100)), "r"]
        found = [each async for each in self.here.backend.history.states(rooms)]
        assert [name for name, _ in found] == rooms
        assert {state for _, state in found[:-1]} == {State(0, 0, b"")}
        assert found[-1][1] == (await self.here.backend.history.read("r", 0, 0)).newest
        assert found[-1][1].seq == 1

    async def test_a_counter_left_behind(self) -> None:
        """A script that ended in the middle does no harm: the next message finds out."""
        await self.send(self.here, "a")
        self.server.ask("XADD", "lc:{r}:s", "2-0", "t", "1790000000000", "i", "x", "m", "half")
        await self.send(self.here, "b")
        assert await self.stored() == ["a", "half", "b"]
        await self.until_heard(["a", "half", "b"])

    async def until_heard(self, expected: list[str]) -> None:
        for process in (self.here, self.there):
            await self.hears(process, len(expected))
            assert process.heard() == expected
