"""`livechat.members.websocket`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface.verify import verifyClass

from livechat.errors import ChatError, Kind
from livechat.members.base import NOISE_RATE
from livechat.members.websocket import (
    CLOSE_WITHIN,
    MOST_FRAMES,
    Socket,
)
from livechat.net.dispatch import MOST_AT_ONCE
from livechat.rooms.member import IClient
from tests.members.saying import HI, kinds, say, v1
from tests.support import HANDSHAKE, Port, Wire, client_frame, request
from tests.support.example_counts import examples


def test_everyone_in_the_room_hears(port: Port) -> None:
    """Everyone in the room hears what is said there, and nobody else."""
    one, two, other = port.socket(), port.socket(), port.socket("other")
    one.says("hi")
    assert one.heard() == two.heard() == ["hi"]
    assert other.heard() == []


def test_is_a_client() -> None:
    """A socket is what a session and the hub write to."""
    assert verifyClass(IClient, Socket)


def test_a_member_that_cannot_be_written_to(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member whose write fails is closed, so that its client reconnects."""
    wire, other = port.socket(), port.socket()

    def fail(data: bytes) -> None:
        raise OSError("broken")

    monkeypatch.setattr(wire.protocol, "_push", fail)
    with capturedLogs() as events:
        say(port, "hi")
    assert len(events) == 1
    assert wire.closed() == 4002
    assert other.heard() == ["hi"]
    wire.hang_up()
    assert port.world.hub.members("r") == 1


def test_a_lost_connection_leaves_its_room(port: Port) -> None:
    """A connection that is lost is in no room any more."""
    wire = port.socket()
    assert port.world.hub.members("r") == 1
    wire.hang_up()
    assert port.world.hub.members("r") == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))
@given(st.lists(st.integers(1, 200), max_size=12))
def test_frames_are_understood_in_any_pieces(port: Port, cuts: list[int]) -> None:
    """Frames are understood wherever the stream is cut."""
    wire = port.socket()
    data = b"".join(client_frame(b'{"message": "%d"}' % number) for number in range(8))
    ends = sorted({cut for cut in cuts if cut < len(data)} | {len(data)})
    start = 0
    for end in ends:
        wire.send(data[start:end])
        start = end
    assert wire.heard() == [str(number) for number in range(8)]
    wire.hang_up()


def test_many_frames_at_once(port: Port) -> None:
    """Many frames take several turns, with others heard in between and reading paused."""
    many, one = port.socket(), port.socket()
    said = [str(number) for number in range(3 * MOST_AT_ONCE)]
    many.send(b"".join(client_frame(b'{"message": "%s"}' % text.encode()) for text in said))
    assert many.transport.producerState == "paused"
    one.says("other")
    heard = one.heard()
    assert heard[MOST_AT_ONCE] == "other"
    heard.remove("other")
    assert heard == said
    assert many.transport.producerState == "producing"


def test_frames_that_were_read_before_a_close(port: Port) -> None:
    """A member that something else has closed meanwhile is heard no more."""
    one, other = port.socket(), port.socket()
    socket: Any = one.protocol
    socket.silent()
    socket.frames_received([b'{"message": "late"}', None], HI)
    other.says("other")
    assert other.heard() == ["other"]
    assert one.closed() == 4001


def test_short_pongs_count(port: Port) -> None:
    """A flood of empty pongs, whole and together, is refused as one of pings is."""
    one = port.socket()
    one.send(client_frame(b"", 10) * 1_000)
    assert one.closed() == 1008


@pytest.mark.parametrize("last", [client_frame(b"\x03\xe8", 8), client_frame(b"x", 2) * 1_000])
def test_many_frames_and_the_end(port: Port, last: bytes) -> None:
    """Frames before a close or a flood are all heard."""
    many, one = port.socket(), port.socket()
    many.send(HI * 2 * MOST_AT_ONCE + last)
    assert len(one.heard()) == 2 * MOST_AT_ONCE
    assert many.closed() in {1000, 1008}
    assert many.closing


def test_gone_with_frames_unread(port: Port) -> None:
    """An orderly end comes after all frames; a broken connection loses those that still wait."""
    many, one = port.socket(), port.socket()
    many.send(HI * 5 * MOST_AT_ONCE)
    many.hang_up()
    assert len(one.heard()) == 5 * MOST_AT_ONCE
    many = port.socket()
    many.send(HI * 5 * MOST_AT_ONCE)
    many.transport.gone()
    many.protocol.connectionLost(Failure(ConnectionLost()))
    assert len(one.heard()) == MOST_AT_ONCE


def test_one_that_cannot_be_answered(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one whose answer cannot be written at the end of a turn."""
    first, second = port.socket(), port.socket()

    def fail(data: bytes) -> None:
        raise OSError("broken")

    monkeypatch.setattr(first.protocol, "_push", fail)
    for wire in (first, second):
        wire.send(client_frame(b"{"))
    with capturedLogs() as events:
        ((_, error),) = second.frames()
    assert b"bad_json" in error
    assert len(events) == 1
    assert first.closed() == 4002


def test_a_message_may_come_in_fragments(port: Port) -> None:
    """A message may come in several frames, with pings between them."""
    wire = port.socket()
    wire.send(client_frame(b'{"mess', 1, fin=False) + client_frame(b"p", 9))
    wire.send(client_frame(b'age": ', 0, fin=False) + client_frame(b'"hi"}', 0))
    assert wire.frames() == [(10, b"p"), (1, b'{"message":"hi"}')]


def test_a_binary_frame_is_an_error(port: Port) -> None:
    """A binary frame is answered with an error, and the connection stays."""
    wire = port.socket()
    wire.send(client_frame(b"x", 2) + HI)
    (_, error), (_, message) = wire.frames()
    assert b"not_text" in error
    assert b"hi" in message


def test_a_close_frame_is_echoed(port: Port) -> None:
    """A close frame is answered with its own code, and the member leaves."""
    wire = port.socket()
    wire.send(client_frame(b"\x0f\xa0bye", 8))
    assert wire.frames() == [(8, b"\x0f\xa0bye")]
    assert wire.closing


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(b"x" * 102_401), 1009),
        (b"\x81\xff\x00\x00\x01\x00\x00\x00\x00\x00\x01\x02\x03\x04", 1009),
        (b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 1009),
        (client_frame(b"x" * 60_000, 1, fin=False) + client_frame(b"x" * 60_000, 0), 1009),
        (client_frame(b"", 1, fin=False) + client_frame(b"", 0, fin=False) * MOST_FRAMES, 1009),
        (client_frame(b"\xff"), 1007),
        (client_frame(b"\xc0\x80"), 1007),
        (client_frame(b"\xed\xa0\x80"), 1007),
        (client_frame(b"\xf0\x9f", 1, fin=False) + client_frame(b"x", 0), 1007),
        (client_frame(b"\x80", 1, fin=False), 1007),
        (client_frame(b"\x03\xe8\xff", 8), 1007),
        (b"\x81\x02hi", 1002),
        (client_frame(b"", 3), 1002),
        (client_frame(b"", 11), 1002),
        (client_frame(b"x", 9, fin=False), 1002),
        (client_frame(b"x" * 126, 9), 1002),
        (client_frame(b"x", 0), 1002),
        (client_frame(b"x", 1, fin=False) + client_frame(b"x", 1), 1002),
        (b"\xc1" + client_frame(b"x")[1:], 1002),
        (b"\xa1" + client_frame(b"x")[1:], 1002),
        (client_frame(b"\x03", 8), 1002),
        (client_frame(b"\x03\xe7", 8), 1002),
        (client_frame(b"\x03\xed", 8), 1002),
        (client_frame(b"\x13\x88", 8), 1002),
        (b"\x81\xfe\x00\x01\x01\x02\x03\x04\x79", 1002),
    ],
)
def test_a_violation_is_closed(port: Port, data: bytes, code: int) -> None:
    """A violation is answered by a close frame, and nothing is heard after it."""
    bystander, wire = port.socket(), port.socket()
    wire.send(data + HI * 3)
    assert wire.closed() == code
    assert wire.closing
    assert not wire.aborted
    assert port.world.hub.members("r") == 1
    wire.send(HI)
    assert wire.received() == b""
    assert bystander.heard() == []
    port.world.clock.advance(CLOSE_WITHIN)
    assert wire.aborted


def test_a_frame_of_the_limit_is_read(port: Port) -> None:
    """A frame of exactly the limit is read."""
    wire = port.socket()
    wire.send(client_frame(b'{"message": "hi"}'.ljust(port.factory.max_body)))
    assert wire.heard() == ["hi"]


@pytest.mark.parametrize("frame", [client_frame(b"", 9), client_frame(b"x"), client_frame(b"", 10)])
def test_frames_in_masses_are_closed(port: Port, frame: bytes) -> None:
    """Frames in masses end with 1008, at once, however many came together."""
    bystander, wire = port.socket(), port.socket()
    wire.send(frame * 20_000)
    frames = wire.frames()
    assert len(frames) <= NOISE_RATE.burst + 1
    assert frames[-1][0] == 8
    assert frames[-1][1][:2] == (1008).to_bytes(2, "big")
    assert bystander.frames() == []
    wire.send(frame * 20_000)
    assert wire.received() == b""


def restarted(port: Port) -> tuple[Wire, Wire]:
    wires = port.socket(), port.socket()
    wires[1].protocol.pauseProducing()
    say(port, "last")
    for socket in tuple(port.sockets.sockets):
        socket.restart(700)
    return wires


def test_a_restart_sends_the_queue_and_closes(port: Port) -> None:
    """A restart sends members their queue, then 1012."""
    for wire in restarted(port):
        (_, last), (opcode, payload) = wire.frames()
        assert b"last" in last
        assert (opcode, payload[:2]) == (8, (1012).to_bytes(2, "big"))
        wire.send(client_frame(payload, 8))
        assert wire.closing


def test_restart_with_a_silent_peer(port: Port) -> None:
    """A peer that does not answer the close frame is cut off."""
    wire, _ = restarted(port)
    port.world.clock.pump([0.2] * (5 * CLOSE_WITHIN + 5))
    assert wire.aborted


def test_an_unknown_subprotocol(port: Port) -> None:
    """A client that asks for subprotocols nobody knows gets plain mode, and no refusal."""
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, Sec_WebSocket_Protocol="soap, x"))
    answer = wire.answer()
    assert answer.status == 101
    assert "sec-websocket-protocol" not in answer.headers


def test_an_ack_goes_out_with_the_message(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender gets message and ack in one write; an ack alone goes out in the same turn."""
    wire = v1(port)
    assert kinds(wire) == ["hello"]
    written: list[bytes] = []
    push = wire.protocol._push

    def noted(data: bytes) -> None:
        written.append(data)
        push(data)

    monkeypatch.setattr(wire.protocol, "_push", noted)
    # Tests deliver at once; here the turn is to end first.
    monkeypatch.setattr(port.world.hub, "flush", lambda: None)
    message = client_frame(b'{"message":"hi","nonce":"n"}')
    wire.send(message)
    assert written == []
    port.world.clock.advance(0)
    assert len(written) == 1
    assert kinds(wire) == ["ack", "message"]
    wire.send(message)
    port.world.clock.advance(0)
    assert kinds(wire) == ["ack"]
    wire.send(message + message)
    wire.protocol.pauseProducing()
    port.world.clock.advance(0)
    assert kinds(wire) == []
    wire.protocol.resumeProducing()
    assert kinds(wire) == ["ack", "ack"]


def test_a_close_takes_what_was_to_be_written_soon(port: Port) -> None:
    """Nothing is written behind a close frame."""
    wire = v1(port)
    kinds(wire)
    wire.send(client_frame(b'{"message":"hi","nonce":"n"}') + client_frame(b"\x03\xe8", 8))
    port.world.clock.advance(0)
    *_, (opcode, _) = wire.frames()
    assert opcode == 8


def test_a_refusal_by_code_accepts_first(port: Port) -> None:
    """A refusal by code accepts the WebSocket and closes it with the reason."""
    wire = v1(port, "/ws/chat/a%20b/")
    ((opcode, payload),) = wire.frames()
    assert (opcode, payload[:2]) == (8, (4400).to_bytes(2, "big"))
    assert b"name" in payload
    wire.send(HI + client_frame(b"", 9) + client_frame(b"", 0))
    assert wire.frames() == []
    wire.hang_up()
    assert len(port.connections) == 0


def test_an_absent_store_closes_for_a_retry(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent store closes the connection for a retry, and leaves no member behind."""

    def away(*_: object) -> Deferred[None]:
        return fail(ChatError(Kind.UNAVAILABLE, "Away."))

    for method in ("subscribe", "read"):
        with monkeypatch.context() as patch:
            patch.setattr(port.world.backend.messages, method, away)
            ((opcode, payload),) = v1(port).frames()
        assert (opcode, payload) == (8, (1013).to_bytes(2, "big") + b"retry_ms=1000 Away.")
        assert port.world.hub.rooms() == {}
        assert port.world.chat.presence.who("r").connections == 0


def test_gone_before_it_was_let_in(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hangs up while it enters a room leaves nothing behind."""
    subscribing: Deferred[None] = Deferred()
    monkeypatch.setattr(port.world.backend.messages, "subscribe", lambda room: subscribing)
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, Sec_WebSocket_Protocol="livechat.v1"))
    wire.hang_up()
    subscribing.callback(None)
    assert port.world.hub.rooms() == {}
    assert len(port.connections) == 0


def test_a_server_that_goes_says_when_to_be_back(port: Port) -> None:
    """Before it closes, the server says when to be back."""
    wire = v1(port)
    wire.frames()
    for socket in tuple(port.sockets.sockets):
        socket.restart(700)
    (_, goaway), (opcode, payload) = wire.frames()
    assert json.loads(goaway) == {"type": "goaway", "retry_ms": 700}
    assert (opcode, payload[:2]) == (8, (1012).to_bytes(2, "big"))


def test_a_subprotocol_in_other_letters(port: Port) -> None:
    """Names of protocols have a case: to agree to one that was not offered breaks a handshake."""
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, Sec_WebSocket_Protocol="LIVECHAT.V1"))
    assert "sec-websocket-protocol" not in wire.answer().headers
