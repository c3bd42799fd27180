"""
The contract of entries that are held for receivers: no history shows them any more.

Its tests are mixed in with those of `tests.outbox_contract`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livechat.backends import outbox as bounds
from livechat.protocol.messages import Page
from tests.map_contract import MapContract
from tests.told_outside import (
    A,
    first,
    numbers,
    say,
    take,
    texts,
    waiting,
)


class HeldContract(MapContract):
    """
    Tests of one backend, which the class that mixes it in makes.

    Bounds are looked up in `livechat.backends.outbox` when they are needed, so that tests can
    change them.
    """

    patch: Callable[[Any, str, Any], Any]

    async def settle(self, backend: Any) -> None:
        """Have *backend* remove all that it may remove now."""

    async def shown(self, backend: Any, room: str = "r") -> list[int]:
        """The numbers that the history shows."""
        found: list[int] = []
        page: Page = await backend.messages.read(room, 0, 1_000)
        while page.entries:
            found += numbers(page.entries)
            page = await backend.messages.read(room, found[-1], 1_000)
        return found

    async def told(self, *receivers: str, **options: int) -> Any:
        """A backend with these receivers."""
        backend = await self.begin(**options)
        await backend.outbox.keep(receivers or (A,))
        return backend

    async def test_held_beyond_the_history(self) -> None:
        """Entries that no history shows wait all the same, and go once they were told."""
        for limit in (1, 10):
            backend = await self.told(history_limit=limit)
            said = await say(backend, *map(str, range(300)), room=f"r{limit}")
            await self.settle(backend)
            assert numbers(await first(backend, room=f"r{limit}"))[:2] == [1, 2]
            assert await self.shown(backend, f"r{limit}") == list(range(301 - limit, 301))
            assert await take(backend, room=f"r{limit}", limit=99) == said
            await self.settle(backend)
            assert await self.shown(backend, f"r{limit}") == list(range(301 - limit, 301))
            await backend.stop()

    async def test_five_thousand_wait(self) -> None:
        """None of very many is lost, with a history of one entry."""
        backend = await self.told(history_limit=1)
        for start in range(0, 5_000, 1_000):
            await say(backend, *map(str, range(start, start + 1_000)))
        await self.settle(backend)
        (room,) = await waiting(backend)
        assert (room.told, room.top) == (0, 5_000)
        assert texts(await take(backend)) == [*map(str, range(5_000))]
        assert await self.shown(backend) == [5_000]

    async def test_held_beyond_the_age(self) -> None:
        """Entries that are too old for the history wait."""
        backend = await self.told(history_age=60)
        said = await say(backend, "a", "b")
        self.set_time(1_000)
        await self.settle(backend)
        assert await self.shown(backend) == []
        assert await first(backend) == said
        said += await say(backend, "c")
        await self.settle(backend)
        assert await self.shown(backend) == [3]
        assert await take(backend) == said

    async def test_held_does_not_come_back(self) -> None:
        """A larger history does not show what was only held."""
        backend = await self.told(history_limit=2)
        said = await say(backend, *"abcdef")
        await self.settle(backend)
        await backend.stop()
        backend = await self.told(history_limit=5)
        await self.settle(backend)
        assert await self.shown(backend) == [5, 6]
        assert await take(backend) == said
        assert numbers(await say(backend, "g")) == [7]
        assert await self.shown(backend) == [5, 6, 7]

    async def test_rooms_that_keep_less(self) -> None:
        """Entries that a room's own limit hides wait."""
        backend = await self.told()
        backend.messages.retain(lambda room: (2, 0) if room == "r" else (0, 0))
        said = await say(backend, *"abcdef")
        await self.settle(backend)
        assert await self.shown(backend) == [5, 6]
        assert await take(backend) == said

    async def test_nothing_held_without_receivers(self) -> None:
        """Without a receiver nothing is held, and a new one is not told of it."""
        backend = await self.told(history_limit=2)
        await backend.outbox.keep([])
        await say(backend, *"abcdef")
        await self.settle(backend)
        await backend.outbox.keep([A])
        assert await first(backend) == []
        assert await backend.outbox.rewind(A, 0) == 1
        assert texts(await take(backend)) == ["e", "f"]

    async def test_held_entries_are_bounded_in_a_room(self) -> None:
        """Beyond the bound the oldest are dropped, and the first number says how many."""
        self.patch(bounds, "MOST", 20)
        backend = await self.told(history_limit=3)
        await say(backend, *map(str, range(1, 101)))
        await self.settle(backend)
        assert numbers(await first(backend)) == list(range(81, 101))
        (room,) = await waiting(backend)
        assert (room.told, room.top) == (0, 100)
        assert len(await take(backend)) == 20

    async def test_bounds_hide_nothing_of_a_history(self) -> None:
        """A history that is longer than the bound waits as a whole."""
        self.patch(bounds, "MOST", 5)
        backend = await self.told(history_limit=50)
        await say(backend, *map(str, range(1, 101)))
        await self.settle(backend)
        assert numbers(await first(backend)) == list(range(51, 101))

    async def test_held_entries_are_bounded_in_all_rooms(self) -> None:
        """A single bound holds for all rooms; the room that holds most loses first."""
        self.patch(bounds, "MOST", 30)
        backend = await self.told(history_limit=1)
        await say(backend, *map(str, range(5)), room="small")
        for room in ("x", "y"):
            await say(backend, *map(str, range(40)), room=room)
        await self.settle(backend)
        found = [numbers(await first(backend, room=room)) for room in ("small", "x", "y")]
        assert found[0] == [1, 2, 3, 4, 5]
        assert all(each[-1] == 40 for each in found[1:])
        assert sum(map(len, found)) <= 30 + 3
