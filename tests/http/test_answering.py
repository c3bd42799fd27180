"""`livechat.http.answering`."""

from __future__ import annotations

import pytest

from livechat.http.call import Call
from livechat.http.connection import _Stage
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response
from tests.support import Browser, Port, request


@pytest.mark.parametrize("target", ["/", "/healthz", "/chat/history/"])
def test_head_has_no_body(port: Port, target: str) -> None:
    """HEAD is answered as GET, without a body."""
    got, headed = port.ask("GET", target), port.ask("HEAD", target)
    assert (headed.status, headed.body) == (got.status, b"")
    assert headed.headers["content-type"] == got.headers["content-type"]


def test_a_slow_reader_of_a_history(port: Port) -> None:
    """A long history is written as fast as its reader reads, a little at a time."""
    sender = port.world.caller("192.0.2.1")
    for _ in range(60):
        port.world.chat.send(sender, "lobby", "x" * 16_000)
    wire = port.connect()
    wire.transport.full = True
    size = 0
    wire.send(request("GET", "/chat/history/"))
    while len(wire.transport.value()) > size:
        assert len(wire.transport.value()) - size < 200_000
        size = len(wire.transport.value())
        wire.resume()
    assert size > 900_000
    assert len(wire.answer().json()["chat_history"]) == 60


def test_a_stream_that_is_not_read(port: Port, browser: Browser) -> None:
    """A client that never reads its stream is cut off at the stream's deadline."""
    wire = browser.events("/admin/events")
    wire.transport.full = True
    port.world.clock.advance(1)
    for _ in range(10):
        port.world.clock.advance(_Stage.STREAM.value / 10)
    assert wire.aborted


def test_head_begins_no_stream(port: Port, browser: Browser) -> None:
    """HEAD of a stream begins none."""
    answer = port.ask("HEAD", "/admin/events", **browser.headers())
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    assert port.world.operators.sessions._open == {}


def test_a_stream_over_http_1_0(port: Port, browser: Browser) -> None:
    """An old client gets its events too, and the end of the connection as their end."""
    wire = port.connect()
    wire.send(
        request("GET", "/admin/events", **browser.headers()).replace(b"HTTP/1.1", b"HTTP/1.0")
    )
    assert b"event: tiles" in wire.received()
    port.world.clock.advance(_Stage.STREAM.value - 1)
    assert wire.closing


def test_a_line_break_in_a_header_is_a_bug(port: Port) -> None:
    """An endpoint that would write a line break into its head is answered as a bug."""

    async def broken(call: Call) -> Response:
        return Response(headers=(("X", call.query["x"]),))

    port.tree.put("/x", Endpoint({"GET": broken}))
    assert port.ask("GET", "/x?x=y").headers["x"] == "y"
    answer = port.ask("GET", "/x?x=y%0d%0aZ:%20z")
    assert (answer.status, answer.code()) == (500, "internal")
    assert "z" not in answer.headers
