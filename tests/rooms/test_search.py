"""`livechat.rooms.search`."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.errors import Kind
from livechat.identity.actor import Actor
from livechat.protocol.messages import Message, Page, Position, User
from livechat.rooms import search as searching
from livechat.rooms.history import MOST_LOOKED, History, Window
from livechat.rooms.search import (
    MOST_AT_ONCE,
    MOST_WAITING,
    SLICE,
    Matches,
    Searches,
    Wanted,
    folded,
    search,
)
from tests.support import ADMIN, SOMEBODY, World, result, run
from tests.support.outcomes import kind

ANN = Actor("user", SOMEBODY.source, User("1", "Ann", verified=True))
GUEST = Actor("guest", SOMEBODY.source, User("1", "Ann"))


def say(world: World, *texts: str, actor: Actor = SOMEBODY) -> None:
    for text in texts:
        result(world.chat.send(actor, "r", text))


def found(world: World, **wanted: str) -> Matches:
    history: History = run(world.chat.history(SOMEBODY, "r", Window(0)))
    if "text" in wanted:
        wanted["text"] = folded(wanted["text"])
    matches: Matches = run(search(history, Window(), Wanted(**wanted)))
    return matches


def seqs(matches: Matches) -> list[int]:
    async def shown() -> list[int]:
        return [each.seq async for page in matches.pages() for each in page]

    listed: list[int] = run(shown())
    return listed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Straße", "STRASSE"),
        ("ＦＵＬＬ width", "full W"),
        ("cafe\u0301", "café"),
        ("ﬁne", "FINE"),
        ("İstanbul", "i\u0307stan"),
        ("a\u0000b", "A\u0000B"),
        ("x" * 16_000 + "end", "xend"),
        ("\U0001f4a3 boom", "\U0001f4a3"),
    ],
)
def test_a_text_is_found_in_any_form_of_its_letters(world: World, text: str, wanted: str) -> None:
    """A text is found whatever the case, width and composition of its letters."""
    say(world, "other", text)
    assert seqs(found(world, text=wanted)) == [2]


def test_a_letter_with_many_marks_costs_little() -> None:
    """A letter with thousands of marks costs no more than as many letters."""
    began = process_time()
    assert folded("É" + "\u0301\u0323" * 4_000).startswith("\u1eb9")
    assert process_time() - began < 0.1


@pytest.mark.parametrize("wanted", ["%", "_", ".*", "a b", "'", "\\"])
def test_the_wanted_text_is_literal(world: World, wanted: str) -> None:
    """The wanted text is literal, no pattern of any kind."""
    say(world, "ab", f"with {wanted} in it")
    assert seqs(found(world, text=wanted)) == [2]


def test_a_user_and_a_guest_are_two_authors(world: World) -> None:
    """A user of the site and a guest of the same id are two."""
    say(world, "of nobody")
    say(world, "x", actor=ANN)
    say(world, "x", "y", actor=GUEST)
    assert seqs(found(world, subject="u:1")) == [2]
    assert seqs(found(world, subject="g:1")) == [3, 4]
    assert seqs(found(world, subject="g:1", text="Y")) == [4]
    assert seqs(found(world, subject="u:2")) == []


def test_as_it_is_now(world: World) -> None:
    """Edited messages are found by their present text, and retracted ones are not."""
    say(world, "old", "old", actor=ANN)
    result(world.chat.edit(ANN, "r", 1, "new"))
    result(world.chat.retract(ADMIN, "r", [2]))
    assert seqs(found(world, text="old")) == []
    assert seqs(found(world, text="new")) == [1]


@given(
    hits=some.sets(some.integers(1, 60)),
    limit=some.integers(1, 4),
    forward=some.booleans(),
)
def test_every_match_once(hits: set[int], limit: int, forward: bool) -> None:
    """Following the links lists each match once, with no more per page than asked for."""
    texts = ["hit" if number in hits else "miss" for number in range(1, 61)]
    history = Listed(texts).history()
    window = Window(limit, after=0) if forward else Window(limit)
    listed: list[int] = []
    while True:
        matches: Matches = run(search(history, window, Wanted(text="hit")))
        page = [each.seq for each in matches.found]
        assert len(page) <= limit
        assert matches.last - matches.first < MOST_LOOKED * limit
        listed += page if forward else page[::-1]
        following = matches.newer if forward else matches.older
        if following is None:
            break
        window = Window(limit, after=following) if forward else Window(limit, before=following)
    assert sorted(listed) == (listed if forward else listed[::-1]) == sorted(hits)


class Listed:
    """A log that has these texts, and counts the entries that it is asked for."""

    def __init__(self, texts: list[str], most: int = 7) -> None:
        self._entries = [Message(text, number, 0) for number, text in enumerate(texts, 1)]
        self._most = most
        self.read_ = 0

    def history(self) -> History:
        whole = run(self.read("r", 0, 0)).position
        return History(self, "r", whole, 1, 0)  # type: ignore[arg-type]

    async def read(self, room: str, after: int, limit: int) -> Page:
        entries = self._entries[after : after + min(limit, self._most)]
        self.read_ += len(entries)
        return Page(Position("e", len(self._entries), 1), tuple(entries))


def test_bounds_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at ten entries for each that is asked for, or at so many characters."""
    log = Listed(["miss"] * 1_000)
    matches: Matches = run(search(log.history(), Window(3), Wanted(text="hit")))
    assert (matches.first, matches.last, log.read_) == (971, 1_000, 30)
    assert (matches.older, matches.newer) == (971, None)
    matches = run(search(log.history(), Window(3, after=10), Wanted(text="hit")))
    assert (matches.first, matches.last, matches.newer) == (11, 40, 40)
    monkeypatch.setattr(searching, "MOST_CHARACTERS", 20)
    matches = run(search(log.history(), Window(100), Wanted(text="hit")))
    assert (matches.first, matches.last) == (996, 1_000)
    matches = run(search(log.history(), Window(100, after=0), Wanted(text="hit")))
    assert (matches.first, matches.last) == (1, 5)


@pytest.mark.parametrize(
    "window", [Window(0), Window(3, before=0), Window(3, before=1), Window(3, after=9)]
)
def test_nothing_to_look_at(window: Window) -> None:
    matches: Matches = run(search(Listed(["hit"] * 9).history(), window, Wanted(text="hit")))
    assert (matches.found, matches.last) == ((), matches.first - 1)


def test_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty together are a few at a time, all are answered, and beyond a bound some are refused."""
    log = Listed(["hit"] * 9)
    running: list[Deferred[None]] = []
    most = 0

    async def slow(history: History, window: Window, wanted: Wanted, _: Any) -> Matches:
        nonlocal most
        running.append(Deferred())
        most = max(most, len(running))
        await running[-1]
        return await search(history, window, wanted)

    monkeypatch.setattr(searching, "search", slow)
    searches = Searches(Clock())
    asked = [
        Deferred.fromCoroutine(searches.search(log.history(), Window(1), Wanted(text="hit")))
        for _ in range(50)
    ]
    while running:
        running.pop(0).callback(None)
    assert most == MOST_AT_ONCE
    assert all(len(result(each).found) == 1 for each in asked)
    waiting = [
        Deferred.fromCoroutine(searches.search(log.history(), Window(1), Wanted(text="hit")))
        for _ in range(MOST_AT_ONCE + MOST_WAITING + 1)
    ]
    assert kind(waiting.pop()) is Kind.OVERLOADED
    while running:
        running.pop(0).callback(None)
    assert all(each.called for each in waiting)


@pytest.mark.parametrize("text", ["\u0301" * 200, "a" + "\u0315\u0300" * 99, "\ufdfa" * 200])
def test_marks_cost_little(text: str) -> None:
    """Text made of marks, or of ligatures for whole sentences, is searched in bounded time."""
    log = Listed(["e" + "\u0315\u0300\u05ae" * 5_000, "\ufdfa" * 16_000, "x"])
    began = process_time()
    run(search(log.history(), Window(), Wanted(text=folded(text))))
    assert process_time() - began < 2


def test_others_have_turns_within_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn after so many characters, and after so many short entries."""
    clock = Clock()
    turns: list[float] = []
    later = clock.callLater

    def counted(delay: float, *args: Any) -> Any:
        turns.append(delay)
        return later(delay, *args)

    monkeypatch.setattr(clock, "callLater", counted)
    for texts, most in ((["x" * 1_000] * 50, 9), (["x"] * 1_000, SLICE // 50)):
        turns.clear()
        log = Listed(texts, 10_000)
        asked = Deferred.fromCoroutine(
            Searches(clock).search(log.history(), Window(1_000), Wanted(text="hit"))
        )
        assert not asked.called
        clock.advance(0)
        assert result(asked).found == ()
        assert len(turns) >= len(texts) // most
