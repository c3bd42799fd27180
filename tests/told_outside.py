"""Messages of a backend, and what of them waits for receivers outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import gatherResults

from livechat.interfaces import Waiting
from livechat.protocol.messages import Draft, Entry, Message, Page, User
from tests.act_contract import ANN
from tests.support.outcomes import publish

A, B = "a", "b"


async def say(backend: Any, *texts: str, room: str = "r", user: User | None = ANN) -> list[Message]:
    """Publish *texts* in one turn."""
    return await gatherResults(
        [publish(backend.messages, Draft(room, text, user)) for text in texts]
    )


async def epoch_of(backend: Any, room: str = "r") -> str:
    page: Page = await backend.messages.read(room, 0, 0)
    return page.position.epoch


async def advance(backend: Any, number: int, receiver: str = A, room: str = "r") -> None:
    await backend.outbox.advance(receiver, {room: (await epoch_of(backend, room), number)})


async def waiting(backend: Any, receiver: str = A) -> list[Waiting]:
    """The rooms of which something waits, in truth, page by page."""
    found: list[Waiting] = []
    after = ""
    while True:
        page: Sequence[Waiting] = await backend.outbox.waiting(receiver, after, 7)
        names = [each.room for each in page]
        assert names == sorted(names)
        assert len(names) <= 7
        assert all(name > after for name in names)
        if not page:
            return found
        after = names[-1]
        found += [each for each in page if each.top > each.told]


async def rooms(backend: Any, receiver: str = A) -> list[str]:
    return [each.room for each in await waiting(backend, receiver)]


async def first(
    backend: Any, receiver: str = A, room: str = "r", limit: int = 1_000
) -> list[Entry]:
    """A page of what waits."""
    page: Page = await backend.outbox.read(receiver, room, limit)
    assert len(page.entries) <= limit
    return list(page.entries)


async def take(backend: Any, receiver: str = A, room: str = "r", limit: int = 1_000) -> list[Entry]:
    """All that waits, told page by page, and without a hole behind the first entry."""
    found: list[Entry] = []
    while entries := await first(backend, receiver, room, limit):
        numbers = [entry.seq for entry in entries]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not found or numbers[0] == found[-1].seq + 1
        found += entries
        await advance(backend, numbers[-1], receiver, room)
    return found


def texts(entries: Sequence[Entry]) -> list[str]:
    return [entry.message for entry in entries if isinstance(entry, Message)]


def numbers(entries: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in entries]
