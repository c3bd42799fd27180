"""Deadlines and bounds of `livechat.http.connection`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from livechat.http.connection import _Stage
from livechat.rooms.presence import PUBLISH_EVERY
from tests.http.posts import JSON, post
from tests.support import Port, World, request


def test_a_silent_client_is_cut_off(port: Port) -> None:
    """A client that sends nothing is hung up on, and cut off if it stays."""
    wire = port.connect()
    port.world.clock.advance(_Stage.HEAD.value)
    assert wire.received() == b""
    assert wire.closing
    port.world.clock.advance(_Stage.END.value)
    assert wire.aborted


def test_a_head_has_an_absolute_deadline(port: Port) -> None:
    """A request's head has an absolute deadline, which no byte moves."""
    wire = port.connect()
    for byte in b"GET /healthz":
        wire.send(bytes([byte]))
        port.world.clock.advance(1)
    assert wire.answer().code() == "too_slow"
    assert wire.closing


def test_a_body_has_an_absolute_deadline(port: Port) -> None:
    """A request's body has an absolute deadline as well."""
    wire = port.connect()
    wire.send(request("POST", "/chat/send/", Content_Length="100", **JSON))
    for _ in range(int(_Stage.BODY.value)):
        wire.send(b"x")
        port.world.clock.advance(1)
    assert wire.answer().code() == "too_slow"


def test_a_second_request_that_drips(port: Port) -> None:
    """The head of a later request on the connection has the same deadline."""
    wire = port.connect()
    wire.send(request("GET", "/healthz"))
    assert wire.answer().status == 200
    port.world.clock.advance(_Stage.IDLE.value - 1)
    wire.send(b"G")
    port.world.clock.advance(_Stage.HEAD.value)
    assert wire.answer().code() == "too_slow"


def test_an_idle_connection_is_closed(port: Port) -> None:
    """An idle connection is closed."""
    wire = port.connect()
    wire.send(request("GET", "/healthz"))
    wire.received()
    port.world.clock.advance(_Stage.IDLE.value)
    assert wire.closing
    assert wire.received() == b""


@pytest.mark.parametrize("begun", [b"", b"POST /chat/send/ HTTP/1.1\r\n"])
def test_process_stood_still(port: Port, begun: bytes) -> None:
    """A deadline that passed while the process was stopped holds before what is read."""
    wire = port.connect()
    wire.send(post("in time"))
    assert wire.answer().status == 200
    if begun:
        wire.send(begun)
    # Data is read before timers are looked at.
    port.world.clock.rightNow += _Stage.IDLE.value + 1
    wire.send(post("too late").removeprefix(begun))
    assert [answer.code() for answer in wire.answers()] == ["too_slow"] * bool(begun)
    assert wire.closing
    answer = port.ask("GET", "/chat/history/")
    assert [each["message"] for each in answer.json()["chat_history"]] == ["in time"]


def test_a_request_that_comes_too_late(port: Port) -> None:
    """A request that meets a connection which is being closed is not carried out."""
    wire = port.connect()
    wire.send(post("in time"))
    wire.received()
    port.world.clock.advance(_Stage.IDLE.value)
    assert wire.closing
    wire.send(post("too late"))
    assert wire.received() == b""
    texts = [each["message"] for each in port.ask("GET", "/chat/history/").json()["chat_history"]]
    assert texts == ["in time"]


def test_a_closed_connection_whose_peer_stays(port: Port) -> None:
    """After a last answer, a peer that does not hang up is cut off."""
    wire = port.connect()
    wire.send(request("GET", "/healthz", Connection="close"))
    assert wire.answer().status == 200
    assert wire.closing
    assert not wire.aborted
    port.world.clock.advance(_Stage.END.value)
    assert wire.aborted


def test_a_lost_connection_leaves_nothing(port: Port) -> None:
    """A connection that is lost leaves no timer, no count and no reference."""
    for data in (b"", b"GET", request("GET", "/healthz"), b"x\r\n" * 9):
        wire = port.connect()
        wire.send(data)
        wire.hang_up()
    port.socket().hang_up()
    assert len(port.connections) == 0
    assert port.factory.channels == set()
    assert port.sockets.sockets == set()
    port.world.clock.advance(PUBLISH_EVERY)
    pending = [call for call in port.world.clock.getDelayedCalls() if "Looping" not in str(call)]
    # Autobahn's batched timers stay, empty, until their time comes.
    assert [call for call in pending if "_BatchedTimer" not in str(call)] == []


def test_requests_without_reading_answers(port: Port) -> None:
    """A client that reads no answers is read no further, and is cut at the answer's deadline."""
    wire = port.connect()
    wire.transport.full = True
    wire.send(request("GET", "/healthz") * 100)
    assert len(wire.answers()) == 1
    assert wire.transport.producerState == "paused"
    wire.resume()
    assert len(wire.answers()) == 1
    wire.transport.full = False
    wire.resume()
    assert len(wire.answers()) == 98
    assert wire.transport.producerState == "producing"
    wire.transport.full = True
    wire.send(request("GET", "/healthz"))
    port.world.clock.advance(_Stage.ANSWER.value)
    assert wire.aborted
    wire.hang_up()


def test_pipelined_histories(port: Port) -> None:
    """A history that is asked for behind an unread answer waits for it to be read."""
    for _ in range(60):
        port.world.chat.send(port.world.caller("a"), "lobby", "x" * 16_000)
    wire = port.connect()
    wire.transport.full = True
    wire.send(request("GET", "/healthz") + request("GET", "/chat/history/") * 2)
    size = 0
    while len(wire.transport.value()) > size:
        assert len(wire.transport.value()) - size < 200_000
        size = len(wire.transport.value())
        wire.resume()
    assert [answer.status for answer in wire.answers()] == [200, 200, 200]


def test_a_reader_that_never_reads(port: Port) -> None:
    """An answer has a deadline as well."""
    for _ in range(60):
        port.world.chat.send(port.world.caller("a"), "lobby", "x" * 16_000)
    wire = port.connect()
    wire.transport.full = True
    wire.send(request("GET", "/chat/history/"))
    port.world.clock.advance(_Stage.ANSWER.value)
    assert wire.aborted
    wire.hang_up()


def test_too_many_connections(port: Port) -> None:
    """A connection over the limit is told so and closed; with room again it is let in."""
    limited = Port(port.world, most_per_address=1)
    first, second = limited.connect(), limited.connect()
    second.send(request("GET", "/healthz"))
    answer = second.answer()
    assert (answer.status, answer.code()) == (429, "too_many_connections")
    assert answer.headers["retry-after"] == "1"
    assert second.closing
    second.hang_up()
    first.send(request("GET", "/healthz"))
    assert first.answer().status == 200
    first.hang_up()
    assert limited.ask("GET", "/healthz").status == 200


def test_a_socket_counts_as_a_connection(port: Port) -> None:
    """A WebSocket keeps its place in the count until it is gone."""
    limited = Port(port.world, most_per_address=1)
    wire = limited.socket()
    assert limited.ask("GET", "/healthz").status == 429
    wire.hang_up()
    assert limited.ask("GET", "/healthz").status == 200


def test_a_fast_connection_is_told_to_wait(make_world: Callable[..., World]) -> None:
    """A connection that sends too fast is told how long to wait."""
    wire = Port(make_world(rate=0.1)).connect()
    wire.send(post() + post())
    first, second = wire.answers()
    assert first.status == 200
    assert (second.status, second.code()) == (429, "rate_limited")
    assert second.headers["retry-after"] == "10"


def test_a_retiring_connection_ends_after_its_answer(port: Port) -> None:
    """An idle connection is closed at once, a busy one after its answer."""
    idle = port.connect()
    idle.send(request("GET", "/healthz"))
    assert idle.answer().status == 200
    idle.channel.retire()
    assert idle.closing
    port.world.writer.held = True
    busy = port.connect()
    busy.send(post())
    busy.channel.retire()
    assert not busy.closing
    port.world.write()
    assert busy.answer().status == 200
    assert busy.closing
