"""`livechat.members.outgoing`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from livechat.errors import ChatError
from livechat.members.backpressure import HARD_LIMIT, SOFT_SECONDS, Backpressure
from livechat.members.outgoing import Outgoing, flushes
from livechat.net.fast import Wire
from livechat.protocol.encoding import Encoding

MOST = 100


class Member(Outgoing):
    """
    Writes to a list.

    @ivar room: writes after which the transport pauses it.
    @ivar broken: whether writing to the transport raises.
    """

    def __init__(self, clock: Clock) -> None:
        backpressure = Backpressure(clock, max_frame=1, max_unsent=MOST)
        super().__init__(Encoding.PLAIN, backpressure, flushes(clock))
        self.written: list[bytes] = []
        self.ended: list[str] = []
        self.room = 1_000
        self.broken = self.mute = False

    def open(self) -> None:
        self._start(self.push)

    def close(self) -> None:
        self._stop()
        self._release()

    def push(self, frames: bytes) -> None:
        if self.broken:
            raise OSError
        self.written.append(frames)
        self.room -= 1
        if self.room <= 0:
            self.pauseProducing()

    def too_slow(self) -> None:
        self.ended.append("slow")
        self.close()

    def turn_away(self, error: ChatError) -> None:
        if self.mute:
            raise OSError
        self.ended.append(error.kind.code)

    def abort(self) -> None:
        self.ended.append("abort")

    @property
    def text(self) -> str:
        return b"".join(self.written).decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def member(clock: Clock) -> Iterator[Member]:
    member = Member(clock)
    yield member
    member.close()
    clock.advance(0)
    assert not clock.getDelayedCalls()


def test_transports_pause_and_resume(member: Member) -> None:
    """Transports pause it and let it go on."""
    assert verifyObject(IPushProducer, member)


def test_nothing_follows_the_end(member: Member, clock: Clock) -> None:
    """Stopping drops the queue and all later writes."""
    member.open()
    member.write_soon(b"a")
    member.pauseProducing()
    member.write(b"b")
    drained = member.drained()
    member.close()
    assert drained.called
    assert member.unsent == 0
    for write in (member.write, member.write_soon):
        write(b"c")
    member.resumeProducing()
    clock.advance(0)
    assert member.written == []
    assert member.unsent == 0
    assert member.drained().called


def test_the_queue_is_bounded_at_once(member: Member) -> None:
    """The queue is bounded however quickly it fills."""
    for _ in range(HARD_LIMIT + 1):
        member.write(b"x" * MOST)
    assert member.ended == ["slow"]
    assert member.unsent == 0


@pytest.mark.parametrize("reads", [True, False])
def test_more_than_the_soft_limit_waits_for_seconds(
    member: Member, clock: Clock, reads: bool
) -> None:
    """More than the soft limit waits for some seconds at most."""
    member.open()
    member.pauseProducing()
    member.write(b"x" * MOST)
    member.write(b"x")
    clock.advance(SOFT_SECONDS - 1)
    if reads:
        member.resumeProducing()
    clock.advance(1)
    assert member.ended == ([] if reads else ["slow"])
    assert member.unsent == 0


def test_before_the_transport_is_open(member: Member) -> None:
    """Frames wait for it, even if it says that there is room."""
    member.write(b"a")
    member.write_soon(b"b")
    member.resumeProducing()
    member.pauseProducing()
    assert (member.written, member.unsent) == ([], 2)
    assert not member.drained().called
    member.open()
    member.write(b"c")
    assert member.text == "abc"
    assert member.unsent == 0


def test_frames_keep_the_order_of_calls(member: Member, clock: Clock) -> None:
    """Frames go out in the order of the calls, wherever they have waited."""
    member.open()
    member.write_soon(b"a")
    member.write_soon(b"b")
    member.write(b"c")
    assert member.written == [b"abc"]
    member.write_soon(b"d")
    member.pauseProducing()
    member.write(b"e")
    member.write_soon(b"f")
    member.room = 1
    member.resumeProducing()
    assert member.text == "abcde"
    member.write(b"g")
    clock.advance(0)
    assert member.text == "abcde"
    member.room = 100
    member.resumeProducing()
    member.write(b"h")
    assert member.text == "abcdefgh"


def test_frames_go_out_at_the_end_of_the_turn(member: Member, clock: Clock) -> None:
    """Frames that nothing takes along go out at the end of the turn, in one piece."""
    member.open()
    member.write_soon(b"a")
    member.write_soon(b"b")
    assert member.written == []
    clock.advance(0)
    assert member.written == [b"ab"]
    member.write(b"c")
    assert member.text == "abc"


def test_coroutines_wait_for_the_queue_to_drain(member: Member) -> None:
    """Coroutines go on when all has gone out, and not before."""
    member.open()
    assert member.drained().called
    member.room = 1
    for text in (b"a", b"b", b"c"):
        member.write(text)
    drained = [member.drained(), member.drained()]
    member.room = 1
    member.resumeProducing()
    assert not any(each.called for each in drained)
    member.room = 100
    member.resumeProducing()
    assert all(each.called for each in drained)
    assert member.text == "abc"


@pytest.mark.parametrize("mute", [False, True])
def test_a_bug_while_going_on(member: Member, mute: bool) -> None:
    """A member that cannot be written to is told so, or cut."""
    member.open()
    member.pauseProducing()
    member.write(b"a")
    member.broken, member.mute = True, mute
    with capturedLogs() as logged:
        member.resumeProducing()
    assert member.ended == (["abort"] if mute else ["internal"])
    assert len(logged) == 1 + mute
    assert "connection met a bug" in logged[0]["log_format"].format(**logged[0])


def test_the_rest_of_a_frame_comes_first(member: Member, clock: Clock) -> None:
    """The rest that its wire did not take comes first: nothing comes between a frame's halves."""
    member.went(b"a", -1)
    member.open()
    member.went(b"bcd", 1)
    member.went(b"e", 0)
    member.write_soon(b"f")
    member.went(b"g", -1)
    clock.advance(0)
    assert member.written == [b"a", b"cd", b"e", b"fg"]


def test_the_wire_is_ready_while_frames_go_out(member: Member, clock: Clock) -> None:
    """The flag goes up and down with what is written at once and what waits."""
    assert not member.wire.ready
    given = Wire()
    member._start(member.push, given)
    assert member.wire is given
    seen = [given.ready]
    for step in (lambda: member.write_soon(b"a"), member.flush, member.pauseProducing):
        step()
        seen.append(given.ready)
    member.write(b"b")
    member.resumeProducing()
    seen.append(given.ready)
    member.close()
    assert [*seen, given.ready] == [True, False, True, False, True, False]


def test_a_wire_is_not_ready_while_something_waits(member: Member) -> None:
    """A transport that takes some of what waits, and pauses again, is not written past."""
    member.open()
    member.pauseProducing()
    for frames in (b"a", b"b", b"c"):
        member.write(frames)
    member.room = 2
    member.resumeProducing()
    assert not member.wire.ready
    member.went(b"d", -1)
    member.room = 9
    member.resumeProducing()
    assert member.wire.ready
    assert member.text == "abcd"
