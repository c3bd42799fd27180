"""How `livechat.http.connection` ends lines: with CR and LF, and nothing else."""

from __future__ import annotations

import pytest

from tests.support import Port, request

JSON = {"Content_Type": "application/json"}
CHUNKED = request("POST", "/chat/send/", Content_Length="", Transfer_Encoding="chunked", **JSON)
BODY = b'{"message": "hi"}'
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
GOOD = [request("POST", "/chat/send/", BODY, **JSON), CHUNKED + CHUNK + b"0\r\nX: y\r\n\r\n"]
#: What is no request from its last byte on.
BAD = [
    b"\n",
    b"GET /healthz HTTP/1.1\n",
    b"GET /healthz\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y\n",
    b"GET /healthz HTTP/1.1\rH",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\rX",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\rX",
    CHUNKED[:-2] + b"\n",
    CHUNKED + b"1\n",
    CHUNKED + b"1;a=b\n",
    CHUNKED + b"1\rx",
    CHUNKED + b"1\r\nx\n",
    CHUNKED + b"1\r\nxy",
    CHUNKED + CHUNK + b"0\n",
    CHUNKED + CHUNK + b"0\r\n\n",
    CHUNKED + CHUNK + b"0\r\n\rx",
    CHUNKED + CHUNK + b"0\r\nX: y\n",
    CHUNKED + CHUNK + b"0\r\nX: y\rz",
]
#: What is in one piece with them, and would end the line.
ENDS = [b"", b"\r\n", b"\n\n", b"Host: localhost\r\n\r\n", b"x: y\r\n\r\n"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("data", BAD)
def test_other_ends(port: Port, data: bytes, end: bytes) -> None:
    """A line that ends otherwise is refused at once, in whatever pieces it comes."""
    data += end
    for size in (1, 2, 7, len(data)):
        wire = port.connect()
        for at in range(0, len(data), size):
            wire.send(data[at : at + size])
        answer = wire.answer()
        assert (answer.status, answer.code()) == (400, "bad_request")
        assert wire.closing
        wire.hang_up()
    assert port.ask("GET", "/chat/history/").json() == {"chat_history": []}


@pytest.mark.parametrize("data", GOOD)
def test_right_ends(port: Port, data: bytes) -> None:
    """A cut between CR and LF changes nothing, nor does one anywhere else."""
    for cut in range(1, len(data)):
        wire = port.connect()
        wire.send(data[:cut])
        wire.send(data[cut:])
        assert wire.answer().status == 200, data[:cut]
        wire.hang_up()


def test_pipelined(port: Port) -> None:
    """Bytes behind a request are looked at when that is answered."""
    port.world.writer.held = True
    wire = port.connect()
    wire.send(GOOD[0] + b"GET /healthz HTTP/1.1\n")
    assert wire.received() == b""
    port.world.write()
    first, second = wire.answers()
    assert (first.status, second.status) == (200, 400)
    assert wire.closing
