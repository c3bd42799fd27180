"""`livechat.rooms.history`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from livechat.backends.retention import Retention
from livechat.rooms.history import LONGEST_HISTORY, History, Window
from tests.rooms.test_chat import say, seqs
from tests.support import (
    SOMEBODY,
    World,
    run,
)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(), range(51, 151)),
        (Window(limit=3), [148, 149, 150]),
        (Window(limit=0), []),
        (Window(limit=LONGEST_HISTORY + 1), range(1, 151)),
        (Window(limit=3, after=0), [1, 2, 3]),
        (Window(limit=3, after=148), [149, 150]),
        (Window(limit=3, after=150), []),
        (Window(limit=3, after=999), []),
        (Window(limit=3, before=151), [148, 149, 150]),
        (Window(limit=3, before=999), [148, 149, 150]),
        (Window(limit=3, before=3), [1, 2]),
        (Window(limit=3, before=1), []),
        (Window(limit=3, before=0), []),
        (Window(limit=0, before=9), []),
        (Window(limit=0, after=9), []),
    ],
)
def test_windows(world: World, window: Window, expected: list[int]) -> None:
    """A history's part is exactly what was asked for, oldest first."""
    say(world, *(str(number) for number in range(150)))
    assert seqs(world, window) == list(expected)


def test_longest_page(world: World) -> None:
    """However much is asked for, a history has no more than its longest page."""
    say(world, *("x" for _ in range(LONGEST_HISTORY + 5)))
    assert seqs(world, Window(limit=5_000)) == list(range(6, LONGEST_HISTORY + 6))


def test_unknown_room(world: World) -> None:
    """A room in which nothing was said has an empty history and a position all the same."""
    history = run(world.chat.history(SOMEBODY, "nowhere", Window()))
    assert (history.position.seq, history.position.oldest) == (0, 1)
    assert history.position.epoch
    assert history.last == history.first - 1


def test_long_texts_come_in_pages(world: World) -> None:
    """Long messages are read a few at a time, and all of them arrive."""
    say(world, *("x" * 16_000 for _ in range(20)))

    async def sizes() -> list[int]:
        history = await world.chat.history(SOMEBODY, "r", Window())
        return [len(page) async for page in history.pages()]

    found = run(sizes())
    assert sum(found) == 20
    assert max(found) <= 5


def test_history_while_messages_expire(make_world: Callable[..., World]) -> None:
    """A history that is read slowly has no messages but those it began with."""
    world = make_world(retention=Retention(5, 0))
    say(world, *"12345")
    early, late = (run(world.chat.history(SOMEBODY, "r", Window())) for _ in range(2))

    async def rest(history: History) -> list[int]:
        return [message.seq async for page in history.pages() for message in page]

    say(world, *"678")
    assert run(rest(early)) == [4, 5]
    say(world, *"90123")
    assert run(rest(late)) == []
