"""`livechat.backends.redis.entering`, with a Redis that answers when the test says so."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.task import Clock

from livechat.backends.redis.connection import UnansweredError
from livechat.backends.redis.entering import AGAIN, MOST, STAYS, TELL_EVERY, Entered, Entering
from livechat.backends.redis.keys import Keys
from tests.backends.redis.cluster.fakes import FakeConnection
from tests.support.outcomes import run


class World:
    """A process that enters rooms."""

    def __init__(self, *, ordered: bool = True) -> None:
        self.redis = FakeConnection()
        self.clock = Clock()
        fake: Any = self.redis
        self.entering = Entering(fake, Keys(), self.clock, ordered=ordered)

    def given(self) -> list[str]:
        """The rooms that were entered, or told of, since the last look."""
        found = [each.split(b" ") for each in self.redis.given]
        self.redis.given.clear()
        return [
            word.decode()
            for words in found
            for word in (words[3::2] if words[0] == b"ZADD" else words[2:])
            if words[0] in (b"ZADD", b"PUBLISH")
        ]

    def answer(self, answer: Any = 1) -> None:
        while self.redis.unanswered:
            self.redis.answer(answer)


def test_before_it_is_stored() -> None:
    """A room is entered at once, its mark first, and not again for a while."""
    world = World()
    assert world.entering.enter("r") is None
    assert [each.split()[0] for each in world.redis.given] == [b"HSET", b"ZADD"]
    assert world.given() == ["r"]
    world.clock.advance(AGAIN - 1)
    assert world.entering.enter("r") is None
    assert world.given() == []
    world.clock.advance(1)
    assert world.entering.enter("r") is None
    assert world.given() == ["r"]


def _note(order: list[int], number: int, _: object) -> None:
    order.append(number)


def test_members_wait_while_several_masters_are_asked() -> None:
    """Members wait in order while commands go to several masters."""
    world = World(ordered=False)
    order: list[int] = []
    for number in range(3):
        waiting = world.entering.enter("r")
        assert waiting is not None
        waiting.addCallback(partial(_note, order, number))
    assert world.given() == ["r"]
    world.answer()
    assert order == [0, 1, 2]
    assert world.entering.enter("r") is None


def test_refused_while_waited_for() -> None:
    """All who wait are told, and the next one tries again."""
    world = World(ordered=False)
    waiting = [world.entering.enter("r") for _ in range(2)]
    reasons: list[Any] = []
    for each in waiting:
        assert each is not None
        each.addErrback(reasons.append)
    world.redis.lose()
    assert [reason.check(UnansweredError) for reason in reasons] == [UnansweredError] * 2
    assert world.entering.enter("r") is not None


def test_a_room_is_entered_once_redis_has_room() -> None:
    """A room that could not be entered, by a full Redis, is entered later."""
    world = World()
    world.entering.enter("r")
    world.answer("OOM no")
    world.given()
    world.entering.enter_missing()
    assert world.given() == ["r"]
    world.answer()
    world.entering.enter_missing()
    assert world.given() == []


def test_a_lost_connection_enters_all_rooms_anew() -> None:
    """After a lost connection all rooms are entered anew."""
    world = World()
    for room in ("a", "b"):
        world.entering.enter(room)
    world.answer()
    world.given()
    world.entering.doubt()
    world.entering.enter_missing()
    assert world.given() == ["a", "b"]


def test_a_new_numbering_enters_its_room_at_once() -> None:
    """A room whose numbering began anew is entered at once: the set was lost with it."""
    world = World()
    world.entering.enter("r")
    world.entering.stored("r", b"one")
    world.entering.stored("r", b"one")
    assert world.given() == ["r"]
    world.entering.stored("r", b"two")
    assert world.given() == ["r"]
    world.entering.stored("r", b"two")
    assert world.given() == []


def test_the_memory_of_entered_rooms_is_bounded() -> None:
    """Rooms without end take no memory without end: the oldest are entered again."""
    world = World()
    for number in range(MOST + 5):
        world.entering.enter(f"r{number}")
    assert len(world.entering._entered) == MOST
    world.given()
    world.entering.enter("r0")
    assert world.given() == ["r0"]


def test_rooms_are_told_of_together_after_the_first() -> None:
    """Rooms are told of at once after a silence, and then together."""
    world = World()
    world.entering.stored("a", b"")
    world.clock.advance(0)
    assert world.given() == ["a"]
    for room in ("a", "c", "b", "b"):
        world.entering.stored(room, b"")
    world.clock.advance(TELL_EVERY / 2)
    assert world.given() == []
    world.clock.advance(TELL_EVERY)
    assert world.given() == ["a", "b", "c"]
    world.entering.stored("z", b"")
    world.entering.stop()
    assert world.given() == ["z"]
    assert not world.clock.getDelayedCalls()
    world.answer("NOPERM no")


class Reader:
    """Takes rooms out, and notes which."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.left: list[bytes] = []
        this: Any = self
        self.entered = Entered(this, Keys(), self.clock)

    async def call(self, _: object, __: object, args: list[bytes]) -> None:
        self.left += args

    def look(self, **quiet: str) -> None:
        marks = {room: mark.encode() for room, mark in quiet.items()}
        run(self.entered.leave(marks, [] if "r" in marks else ["r"]))


def test_leaves_when_quiet() -> None:
    """A room is taken out once its mark has stayed, and nothing waited meanwhile."""
    reader = Reader()
    reader.look(r="1")
    reader.clock.advance(STAYS - 1)
    reader.look(r="1")
    assert reader.left == []
    reader.look(r="2")
    reader.clock.advance(STAYS - 1)
    reader.look()
    reader.look(r="2")
    reader.clock.advance(STAYS - 1)
    reader.look(r="2")
    assert reader.left == []
    reader.clock.advance(1)
    reader.look(r="2")
    assert reader.left == [b"r", b"2"]
