"""WebSockets that read slowly, and pings to those that say nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from livechat.members import pinging
from livechat.members.backpressure import HARD_LIMIT, SOFT_SECONDS
from livechat.members.pinging import PING_EARLY, PING_EVERY, PONG_WITHIN
from livechat.members.websocket import (
    CLOSE_WITHIN,
    Socket,
)
from livechat.protocol.messages import Message
from livechat.rooms import recovery
from tests.members.saying import HI, kinds, say, v1
from tests.support import MAX_UNSENT, Port, Wire, World, client_frame


def test_a_slow_reader_is_closed(port: Port) -> None:
    """A member that does not read is closed; the others notice nothing."""
    slow, quick = port.socket(), port.socket()
    slow.protocol.pauseProducing()
    slow.received()
    count = MAX_UNSENT // 10_000 + 2
    for _ in range(count):
        say(port, "x" * 10_000)
    assert len(quick.heard()) == count
    assert not slow.closing
    port.world.clock.advance(SOFT_SECONDS)
    assert slow.closed() == 4008
    assert port.world.hub.members("r") == 1
    port.world.clock.advance(CLOSE_WITHIN)
    assert slow.aborted


def test_far_too_much(port: Port) -> None:
    """A member's queue is bounded, however quickly it fills."""
    wire = port.socket()
    wire.protocol.pauseProducing()
    message = Message("x" * 16_000, 1, 0)
    sent = 0
    while not wire.closing:
        # Past the store: it would write all that to the disk.
        port.world.hub.deliver("r", "epoch", [message])
        port.world.clock.advance(0)
        sent += 16_000
    assert sent < (HARD_LIMIT + 1) * MAX_UNSENT
    assert wire.closed() == 4008


def test_a_burst_read_in_time_is_kept(port: Port) -> None:
    """A member that reads a burst in time is not closed because of it, and misses nothing."""
    wire = port.socket()
    wire.transport.full = True
    count = 4 * MAX_UNSENT // 10_000
    for number in range(count):
        say(port, f"{number}".ljust(10_000))
    port.world.clock.advance(SOFT_SECONDS - 1)
    heard = wire.heard()
    while len(heard) < count:
        wire.resume()
        heard += wire.heard()
    assert [int(text) for text in heard] == list(range(count))
    port.world.clock.advance(SOFT_SECONDS)
    assert not wire.closing


def test_a_reader_that_never_catches_up_is_closed(port: Port) -> None:
    """A member that reads, but too slowly to ever catch up, is closed."""
    wire = port.socket()
    wire.transport.full = True
    for _ in range(4 * MAX_UNSENT // 10_000):
        say(port, "x" * 10_000)
    for _ in range(10):
        port.world.clock.advance(SOFT_SECONDS / 10)
        if not wire.closing:
            wire.resume()
    assert wire.closed() == 4008


def test_a_few_of_the_largest_may_wait(make_world: Callable[..., World], port: Port) -> None:
    """However large messages may be, a few of the largest may wait."""
    large = Port(make_world(max_message=1_048_576))
    wire = large.socket()
    wire.transport.full = True
    for _ in range(3):
        say(large, "\x07" * 1_048_576)
    large.world.clock.advance(2 * SOFT_SECONDS)
    assert not wire.closing
    heard = wire.heard()
    while len(heard) < 3:
        wire.resume()
        heard += wire.heard()
    wire.hang_up()


def test_a_reader_that_catches_up(port: Port) -> None:
    """A member that reads again within the bound has missed nothing."""
    wire = port.socket()
    wire.protocol.pauseProducing()
    for number in range(20):
        say(port, str(number))
    wire.send(client_frame(b"", 9))
    assert wire.received() == b""
    wire.protocol.resumeProducing()
    say(port, "20")
    assert wire.heard() == [str(number) for number in range(21)]


def test_a_member_that_answers_pings_stays(port: Port) -> None:
    """A member that answers pings stays; one that is silent is closed."""
    wire, silent = port.socket(), port.socket()
    for _ in range(5):
        port.world.clock.pump([0.2] * int(5 * PING_EVERY + 2))
        pings = [payload for opcode, payload in wire.frames() if opcode == 9]
        assert len(pings) == 1
        wire.send(client_frame(pings[0], 10))
        port.world.clock.advance(0.2)
    assert not wire.closing
    assert silent.closing
    assert silent.closed() == 4001


def test_a_ping_is_two_bytes_behind_what_was_written(port: Port) -> None:
    """A ping overtakes nothing, not even frames that wait for the end of the turn."""
    wire, other = port.socket(), port.socket()
    wire.received()
    port.world.clock.advance(PING_EVERY - 1)
    wire.protocol.write_soon(b"\x81\x01x")
    port.sockets.pings.ask([wire.protocol, other.protocol])
    assert wire.received() == b"\x81\x01x\x89\x00"
    assert other.received() == b"\x89\x00"


def test_a_ping_of_which_the_wire_took_a_part(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a partly written ping goes out first, and no byte of it twice."""
    one, two, three = wires = [port.socket() for _ in range(3)]
    told: list[Wire] = []
    pinged = Socket.pinged

    def noted(socket: Socket, sent: int) -> None:
        told.extend(wire for wire in wires if wire.protocol is socket)
        pinged(socket, sent)

    monkeypatch.setattr(Socket, "pinged", noted)
    monkeypatch.setattr(pinging, "write_all", lambda *_: [(0, -1), (2, 1)])
    port.world.clock.advance(PING_EVERY)
    assert told == [three, one]
    assert (one.received(), two.received(), three.received()) == (b"\x89\x00", b"", b"\x00")


def test_pings_go_out_together(port: Port) -> None:
    """Members that are nearly due are pinged in the turn of the first one, and in it again."""
    wires = [port.socket()]
    for _ in range(4):
        port.world.clock.advance(PING_EARLY / 2)
        wires.append(port.socket())
    began: float = port.world.clock.seconds() - 2 * PING_EARLY
    pinged: list[tuple[float, int]] = []
    for _ in range(2 * round(PING_EVERY / PING_EARLY) + 8):
        port.world.clock.advance(PING_EARLY / 2)
        for number, wire in enumerate(wires):
            for opcode, payload in wire.frames():
                assert (opcode, payload) == (9, b"")
                pinged.append((port.world.clock.seconds() - began, number))
                wire.send(client_frame(b"", 10))
        port.world.clock.advance(0)
    later = PING_EVERY + 1.5 * PING_EARLY
    first = [(PING_EVERY, 0), (PING_EVERY, 1), (PING_EVERY, 2), (later, 3), (later, 4)]
    assert pinged[:5] == first
    assert not any(wire.closing for wire in wires)


def test_a_member_that_does_not_read_gets_no_pings(port: Port) -> None:
    """A paused member gets no pings, since they would wait; its silence ends it all the same."""
    wire, other = port.socket(), port.socket()
    wire.protocol.pauseProducing()
    port.world.clock.advance(PING_EVERY)
    assert wire.protocol.unsent == 0
    wire.protocol.resumeProducing()
    assert wire.frames() == []
    assert other.frames() == [(9, b"")]
    port.world.clock.advance(PONG_WITHIN)
    assert (wire.closed(), other.closed()) == (4001, 4001)


def test_a_ping_that_closes_another_member(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is closed meanwhile is not pinged, and misses no pong later."""
    wire, other = port.socket(), port.socket()
    pinged = Socket.pinged

    def closing(socket: Socket, sent: int) -> None:
        pinged(socket, sent)
        if socket is wire.protocol:
            other.protocol.too_slow()

    monkeypatch.setattr(Socket, "pinged", closing)
    port.world.clock.advance(PING_EVERY)
    assert [opcode for opcode, _ in other.frames()] == [8]
    assert other.protocol not in port.sockets.unanswered
    assert wire.protocol in port.sockets.unanswered


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 125])
def test_unsolicited_pongs_and_pongs_with_a_payload(port: Port, payload: bytes) -> None:
    """Pongs count towards the flood limit and have no other effect (RFC 6455, section 5.5.3)."""
    wire = port.socket()
    wire.send(client_frame(payload, 10) * 3 + HI)
    assert wire.heard() == ["hi"]
    port.world.clock.advance(PING_EVERY)
    wire.send(client_frame(payload, 10))
    port.world.clock.advance(PONG_WITHIN)
    assert wire.frames() == [(9, b"")]
    wire.send(client_frame(payload, 10) * 20_000)
    assert wire.closed() == 1008


def test_a_peer_that_is_gone_is_noticed(port: Port) -> None:
    """A peer that is not there is gone after a ping's interval, its timeout and the grace."""
    wire = port.socket()
    port.world.clock.pump([0.2] * int(5 * (PING_EVERY + PONG_WITHIN + CLOSE_WITHIN + 1)))
    assert wire.aborted


def test_a_replay_waits_for_its_reader(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page is written, each when the last one has gone out."""
    monkeypatch.setattr(recovery, "REPLAY_PAGE", 2)
    for number in range(5):
        say(port, str(number))
    epoch = port.world.store.epoch("r")
    wire = v1(port, f"/ws/chat/r/?since={epoch}:0")
    assert kinds(wire) == ["hello", "resumed", *["message"] * 5]
    wire.protocol.pauseProducing()
    wire.send(client_frame(json.dumps({"type": "resume", "epoch": epoch, "seq": 0}).encode()))
    assert wire.frames() == []
    wire.transport.full = True
    for _ in range(2):
        wire.protocol.resumeProducing()
        port.world.clock.advance(0)
        assert len(kinds(wire)) <= 3
    wire.transport.full = False
    wire.protocol.resumeProducing()
    say(port, "5")
    wire.frames()
    say(port, "6")
    assert kinds(wire) == ["message"]
