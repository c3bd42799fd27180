"""`livechat.rooms.listeners`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from zope.interface import implementer

from livechat.errors import ChatError
from livechat.interfaces import IListener
from livechat.protocol.messages import Edited, Message, Retracted, User
from livechat.rooms.listeners import LOG_EVERY, LONGEST, SLICE, SLOW, Listeners
from livechat.rooms.presence import RETURN_WITHIN
from tests.support import ANN as MEMBER
from tests.support import SOMEBODY, TURN, RecordingClient, TurnClock, World, result, run

ANN = User("1", "Ann")


def message(seq: int) -> Message:
    return Message("hi", seq, 0)


@implementer(IListener)
class Recorder:
    """Remembers what it was told, after *seconds*, and raises what it is to raise."""

    def __init__(self, clock: Clock, seconds: float = 0, error: Exception | None = None) -> None:
        self.told: list[Any] = []
        self.clock, self.seconds, self.error = clock, seconds, error

    def stored(self, room: str, message: Message) -> None:
        self._take("stored", room, message.seq)

    def amended(self, room: str, event: Edited | Retracted) -> None:
        self._take("amended", room, event.seq)

    def joined(self, room: str, user: User) -> None:
        self._take("joined", room, user.name)

    def left(self, room: str, user: User) -> None:
        self._take("left", room, user.name)

    def _take(self, *event: object) -> None:
        self.told.append(event)
        self.clock.rightNow += self.seconds
        if self.error is not None:
            raise self.error


def lines(logs: Any, level: LogLevel) -> list[str]:
    return [each["log_format"].format(**each) for each in logs if each["log_level"] is level]


def test_a_failing_listener_goes_on_hearing() -> None:
    """A listener that raises costs only what it was told: others hear all, and so does it."""
    clock = Clock()
    bad, good = Recorder(clock, error=ZeroDivisionError("x")), Recorder(clock)
    listeners = Listeners([bad, good], clock)
    with capturedLogs() as logs:
        for seq in range(1, 101):
            listeners.stored("r", [message(seq)])
        clock.advance(0)
    assert good.told == bad.told == [("stored", "r", seq) for seq in range(1, 101)]
    assert len(lines(logs, LogLevel.critical)) == 1


def test_failures_are_logged_again() -> None:
    """A listener that goes on failing is logged from time to time, with the count."""
    clock = Clock()
    listeners = Listeners([Recorder(clock, error=ValueError())], clock)
    with capturedLogs() as logs:
        for seq in (1, 2, 3):
            listeners.stored("r", [message(seq)])
        clock.advance(0)
        clock.advance(LOG_EVERY)
        listeners.stored("r", [message(4)])
        clock.advance(0)
    first, second = lines(logs, LogLevel.critical)
    assert first.endswith("failed.")
    assert "2 more" in second


def test_a_full_queue_drops_and_says_so() -> None:
    """More than may wait is dropped, and said once; what waits keeps its order."""
    clock = Clock()
    recorder = Recorder(clock)
    listeners = Listeners([recorder], clock)
    with capturedLogs() as logs:
        for seq in range(1, LONGEST + 11):
            listeners.stored("r", [message(seq)])
        clock.advance(0)
        listeners.stored("r", [message(99_999)])
        clock.advance(0)
    seqs = [seq for _, _, seq in recorder.told]
    assert seqs == [*range(1, LONGEST + 1), 99_999]
    assert lines(logs, LogLevel.error) == [
        f"Listeners are too slow: {LONGEST} events wait, and others are dropped."
    ]


def test_others_have_turns_between_listeners() -> None:
    """Others have their turns between what takes long."""
    clock = TurnClock()
    recorder = Recorder(clock, seconds=SLICE / 2)
    listeners = Listeners([recorder], clock)
    for seq in range(1, 7):
        listeners.stored("r", [message(seq)])
    counts = []
    while len(recorder.told) < 6:
        clock.advance(TURN)
        counts.append(len(recorder.told))
    assert counts == [2, 4, 6]
    assert not clock.getDelayedCalls()


def test_a_blocking_listener_is_named() -> None:
    """A listener that holds everybody up is named in the log."""
    clock = Clock()
    listeners = Listeners([Recorder(clock, seconds=2 * SLOW)], clock)
    with capturedLogs() as logs:
        listeners.stored("r", [message(1)])
        listeners.stored("r", [message(2)])
        clock.advance(0)
        clock.advance(0)
    (line,) = lines(logs, LogLevel.warn)
    assert "Recorder" in line
    assert "took 0.20 s" in line


def test_listeners_are_called_in_a_later_turn() -> None:
    """Listeners are called in a later turn than the one in which something happens."""
    clock = Clock()
    recorder = Recorder(clock)
    listeners = Listeners([recorder], clock)
    listeners.joined("r", ANN)
    listeners.stored("r", [message(1)])
    listeners.left("r", ANN)
    assert recorder.told == []
    clock.advance(0)
    assert recorder.told == [("joined", "r", "Ann"), ("stored", "r", 1), ("left", "r", "Ann")]


def test_without_listeners_nothing_is_kept() -> None:
    """Without listeners nothing is kept, and no turn is taken."""
    clock = Clock()
    Listeners([], clock).stored("r", [message(1)])
    assert not clock.getDelayedCalls()


def test_a_stored_message_is_told_once(make_world: Callable[..., World]) -> None:
    """A message is told once it is stored, and once, whether it was sent twice or refused."""
    clock = Clock()
    recorder = Recorder(clock)
    world = make_world(listeners=[recorder], held=True, max_message=10)
    sent = world.chat.send(SOMEBODY, "r", "hi", nonce="n")
    world.turn()
    assert recorder.told == []
    world.write()
    world.turn()
    again = world.chat.send(SOMEBODY, "r", "hi", nonce="n")
    with pytest.raises(ChatError):
        world.chat.send(SOMEBODY, "r", "x" * 11)
    world.write()
    world.turn()
    assert result(sent).seq == result(again).seq == 1
    assert recorder.told == [("stored", "r", 1)]


def test_first_and_last_connections_are_told(make_world: Callable[..., World]) -> None:
    """A user joins with its first connection, and leaves with its last, if it is not back soon."""
    clock = Clock()
    recorder = Recorder(clock)
    world = make_world(listeners=[recorder])
    ann = structs.replace(MEMBER, returns=True)
    members = [RecordingClient(), RecordingClient()]
    for member in members:
        run(world.chat.join(ann, "r", member))
    for member in members:
        world.chat.leave(ann, "r", member)
    world.turn()
    assert recorder.told == [("joined", "r", "Ann")]
    world.clock.advance(RETURN_WITHIN)
    world.turn()
    assert recorder.told[1:] == [("left", "r", "Ann")]
