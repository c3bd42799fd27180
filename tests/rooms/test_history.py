"""`livechat.rooms.history`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import integers, text
from twisted.internet.defer import Deferred, succeed

from livechat.backends.retention import Retention
from livechat.protocol.messages import Gone, Message, Page, Position
from livechat.rooms.history import LONGEST_HISTORY, History, Window
from tests.rooms.saying import say, seqs
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
def test_a_window_is_exactly_what_was_asked_for(
    world: World, window: Window, expected: list[int]
) -> None:
    """A history's part is exactly what was asked for, oldest first."""
    say(world, *(str(number) for number in range(150)))
    assert seqs(world, window) == list(expected)


def test_a_page_is_bounded(world: World) -> None:
    """However much is asked for, a history has no more than its longest page."""
    say(world, *("x" for _ in range(LONGEST_HISTORY + 5)))
    assert seqs(world, Window(limit=5_000)) == list(range(6, LONGEST_HISTORY + 6))


def test_an_unknown_room_is_empty(world: World) -> None:
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


def log_of(kinds: str) -> Any:
    """A log of one room: an ``m`` is a message, and an ``e`` an event.  Counts what it reads."""

    class Log:
        read_entries = 0

        def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
            entries = [
                Message("x", seq, 0) if kind == "m" else Gone(seq, 0)
                for seq, kind in enumerate(kinds, 1)
            ]
            # Pages end where they are long.
            page = tuple(entries[after : after + min(limit, 7)])
            self.read_entries += len(page)
            position = Position("k", len(kinds), 1, kinds.rfind("e") + 1)
            return succeed(Page(position, page))

    return Log()


def found_in(log: Any, window: Window) -> tuple[list[int], tuple[int, int]]:
    history = run(History.of(log, "r", window))

    async def all_of_it() -> list[int]:
        return [message.seq async for page in history.pages() for message in page]

    return run(all_of_it()), (history.first, history.last)


@pytest.mark.parametrize(
    ("kinds", "window", "seqs", "looked_at"),
    [
        ("memem", Window(limit=2), [3, 5], (3, 5)),
        ("memem", Window(limit=3), [1, 3, 5], (1, 5)),
        ("memem", Window(limit=9), [1, 3, 5], (1, 5)),
        ("memem", Window(limit=1, before=5), [3], (3, 4)),
        ("memem", Window(limit=1, after=1), [3], (2, 3)),
        ("memem", Window(limit=2, after=0), [1, 3], (1, 3)),
        ("memem", Window(limit=9, after=3), [5], (4, 5)),
        ("memem", Window(limit=0), [], (6, 5)),
        ("e", Window(), [], (1, 1)),
        ("m" + "e" * 30, Window(limit=2), [], (12, 31)),
        ("m" + "e" * 30, Window(limit=2, before=12), [1], (1, 11)),
        ("e" * 30 + "m", Window(limit=2, after=0), [], (1, 20)),
        ("e" * 30 + "m", Window(limit=2, after=20), [31], (21, 31)),
    ],
)
def test_messages_are_counted(
    kinds: str, window: Window, seqs: list[int], looked_at: tuple[int, int]
) -> None:
    """A limit counts messages; ten entries at most are looked at for each."""
    assert found_in(log_of(kinds), window) == (seqs, looked_at)


def test_rooms_without_events_are_read_once() -> None:
    """Nor is anything counted where the events are older than what is asked for."""
    log = log_of("e" + "m" * 60)
    assert found_in(log, Window(limit=50))[1] == (12, 61)
    assert log.read_entries == 50


@given(
    kinds=text("me", min_size=0, max_size=120),
    limit=integers(1, 30),
)
def test_paging_back_finds_every_message(kinds: str, limit: int) -> None:
    """Page after page, every message comes once, however many events are between."""
    log, found, before = log_of(kinds), list[int](), len(kinds) + 1
    while before > 1:
        history = run(History.of(log, "r", Window(limit, before)))
        seqs, _ = found_in(log, Window(limit, before))
        assert len(seqs) <= limit
        found = seqs + found
        before = history.older or 1
    assert found == [seq for seq, kind in enumerate(kinds, 1) if kind == "m"]
