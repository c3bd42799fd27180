"""`livechat.rooms.tracing`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from livechat.errors import ChatError
from livechat.protocol.messages import User
from livechat.protocol.tracing import Aim, Begin, Line, Lines, news_to_bytes
from livechat.rooms.tracing import (
    FLUSH_EVERY,
    HOLDS,
    MOST,
    MOST_OF_OTHERS,
    SAY_EVERY,
    WAITING,
    Trace,
    Tracing,
)
from tests.support import Port, World, client_frame

LINE = Line("in", 1)


def nothing() -> None:
    """No-op in place of a call for news."""


class Wires:
    """Processes that hear each other, on the clock of a world."""

    def __init__(self) -> None:
        self.said = 0
        self._heard: list[tuple[Ends, Callable[[bytes], None]]] = []

    def end(self) -> Ends:
        return Ends(self)

    def tell(self, by: object, data: bytes) -> None:
        self.said += 1
        for end, heard in self._heard:
            if end is not by:
                heard(data)


class Ends:
    """A process's end."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def listen(self, heard: Callable[[bytes], None]) -> None:
        self._wires._heard.append((self, heard))

    def tell(self, data: bytes) -> None:
        self._wires.tell(self, data)


@pytest.fixture
def wires() -> Wires:
    return Wires()


def process(world: World, wires: Wires, name: str) -> Tracing:
    return Tracing(world.hub, world.time, wires.end(), name)


@pytest.mark.parametrize(
    ("aim", "fits"),
    [
        (Aim("r"), True), (Aim("s"), False), (Aim(None, "42"), True), (Aim(None, "u:42"), True),
        (Aim(None, "g:42"), False), (Aim("r", "42"), True), (Aim("s", "42"), False),
        (Aim(None, "4"), False),
    ],
)  # fmt: skip
def test_a_filter_fits_its_room_and_person(aim: Aim, fits: bool) -> None:
    trace = Trace("t", aim, 0, nothing)
    assert trace.fits(User("42", "Ann", None, True), "r") == fits
    assert trace.fits(None, "r") == (aim == Aim("r"))


def test_a_slow_reader_is_told_its_losses() -> None:
    """Lines that nobody takes are bounded; how many were lost is told behind those before them."""
    trace = Trace("t", Aim("r"), 0, nothing)
    for _ in range(WAITING + 5):
        trace.add(LINE)
    assert trace.drain(10) == ([LINE] * 10, 0)
    lines, lost = trace.drain()
    assert (len(lines), lost) == (WAITING - 10, 5)
    assert trace.drain() == ([], 0)


def test_traces_are_bounded(world: World) -> None:
    """The number of traces is bounded; an ended one makes room."""
    tracing = world.tracing
    traces = [tracing.begin(Aim("r"), 10, nothing) for _ in range(MOST)]
    with pytest.raises(ChatError, match="traces already"):
        tracing.begin(Aim("r"), 10, nothing)
    tracing.end(traces[0])
    tracing.end(traces[0])
    tracing.begin(Aim("r"), 10, nothing)


def test_a_trace_ends_by_itself(world: World) -> None:
    """A trace ends by itself, and leaves no timer."""
    world.tracing.begin(Aim("r"), 10, nothing)
    assert world.tracing.active
    world.clock.pump([FLUSH_EVERY] * int(10 / FLUSH_EVERY + 1))
    assert not world.tracing.active
    assert world.tracing._ticking is None


def told(trace: Trace) -> list[tuple[object, ...]]:
    lines, _ = trace.drain()
    return [(each.way, each.type, each.seq, each.members) for each in lines]


def test_without_traces_nothing_is_looked_for(port: Port) -> None:
    """Rooms and members have nothing to look at."""
    port.socket()
    assert all(each.trace is None for each in port.sockets.sockets)
    assert all(each.tap is None for each in port.world.hub._rooms.values())


def test_a_room_is_traced_in_all_it_does(port: Port) -> None:
    """A room's trace has frames from its members, its batches, and joins and leaves."""
    one = port.socket()
    elsewhere = port.socket("other")
    trace = port.world.tracing.begin(Aim("r"), 10, nothing)
    two = port.socket()
    elsewhere.says("x")
    one.says("hi")
    one.send(client_frame(b"{"))
    port.world.turn()
    two.hang_up()
    assert told(trace) == [
        ("open", None, None, None),
        ("in", "message", None, None),
        ("out", "message", None, 2),
        ("in", "?", None, None),
        ("out", "error:bad_json", None, None),
        ("close", None, None, None),
    ]
    port.world.tracing.end(trace)
    assert all(each.trace is None for each in port.sockets.sockets)
    one.says("hi")
    assert told(trace) == []


def test_a_person_is_traced_in_all_rooms(port: Port) -> None:
    """A person's trace has its frames in all rooms, and none of others."""
    ann = port.socket()
    member = next(iter(port.sockets.sockets))
    assert member.session is not None
    user = member.session._actor.user
    assert user is not None
    bob = port.socket()
    trace = port.world.tracing.begin(Aim(None, user.id), 10, nothing)
    bob.says("hi")
    ann.says("hello")
    assert told(trace) == [
        ("out", "message", None, None),
        ("in", "message", None, None),
        ("out", "message", None, None),
    ]
    lines = [each for each in trace.drain()[0] if each.user != user.subject]
    assert lines == []


def test_all_processes_trace(world: World, wires: Wires) -> None:
    """All processes trace; what they see comes to the one that is asked, with what was lost."""
    here, there = process(world, wires, "here"), process(world, wires, "there")
    trace = here.begin(Aim("r"), 60, nothing)
    assert there.active
    (other,) = there._traces.values()
    for _ in range(WAITING + 3):
        other.add(LINE)
    world.clock.pump([FLUSH_EVERY] * 9)
    lines, lost = trace.drain()
    assert (len(lines), lost) == (WAITING, 3)
    here.end(trace)
    assert not there.active


def test_a_process_that_was_killed(world: World, wires: Wires) -> None:
    """Others trace no longer than the one that asked says so; a new one joins in."""
    here = process(world, wires, "here")
    trace = here.begin(Aim("r"), 60, nothing)
    late = process(world, wires, "late")
    world.clock.pump([FLUSH_EVERY] * int(SAY_EVERY / FLUSH_EVERY + 1))
    assert late.active
    world.clock.pump([FLUSH_EVERY] * int(2 * HOLDS / FLUSH_EVERY))
    assert late.active
    here._traces.clear()
    world.clock.pump([FLUSH_EVERY] * int(HOLDS / FLUSH_EVERY + 1))
    assert not late.active
    assert trace.drain() == ([], 0)


def test_traces_for_others_are_bounded(world: World, wires: Wires) -> None:
    """However many traces others ask for, a process takes part in some."""
    here, other = process(world, wires, "here"), wires.end()
    for number in range(MOST_OF_OTHERS + 5):
        other.tell(news_to_bytes(Begin(f"t{number}", Aim("r"))))
    assert len(here._traces) == MOST_OF_OTHERS


def test_lines_of_no_trace(world: World, wires: Wires) -> None:
    """Lines that come late, or are nonsense, are dropped."""
    here, other = process(world, wires, "here"), wires.end()
    other.tell(news_to_bytes(Lines("t", [LINE])))
    other.tell(b"nonsense")
    assert not here.active
