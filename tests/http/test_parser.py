"""`livechat.http.parser`."""

from __future__ import annotations

import pytest

from tests.support import HANDSHAKE, Port, request

JSON = {"Content_Type": "application/json"}
CHUNKED = request("POST", "/chat/send/", Content_Length="", Transfer_Encoding="chunked", **JSON)
BODY = b'{"message": "hi"}'
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
GOOD = [request("POST", "/chat/send/", BODY, **JSON), CHUNKED + CHUNK + b"0\r\nX: y\r\n\r\n"]
#: Beginnings that are no request, from their last byte on.
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
#: Bytes in the same piece behind them, which would end the line.
ENDS = [b"", b"\r\n", b"\n\n", b"Host: localhost\r\n\r\n", b"x: y\r\n\r\n"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("data", BAD)
def test_other_line_ends_are_refused(port: Port, data: bytes, end: bytes) -> None:
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
def test_a_cut_within_a_line_end_changes_nothing(port: Port, data: bytes) -> None:
    """A cut between CR and LF changes nothing, nor does one anywhere else."""
    for cut in range(1, len(data)):
        wire = port.connect()
        wire.send(data[:cut])
        wire.send(data[cut:])
        assert wire.answer().status == 200, data[:cut]
        wire.hang_up()


def test_a_pipelined_request_waits_for_the_answer(port: Port) -> None:
    """Bytes behind a request are looked at when that is answered."""
    port.world.writer.held = True
    wire = port.connect()
    wire.send(GOOD[0] + b"GET /healthz HTTP/1.1\n")
    assert wire.received() == b""
    port.world.write()
    first, second = wire.answers()
    assert (first.status, second.status) == (200, 400)
    assert wire.closing


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9 x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5,5\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    ],
)
def test_an_invalid_request_is_told_and_closed(port: Port, data: bytes) -> None:
    """An invalid request gets a problem with its reason, and the connection closes."""
    wire = port.connect()
    wire.send(data + request("GET", "/healthz"))
    answer = wire.answer()
    assert answer.status == 400
    assert answer.code() == "bad_request"
    assert answer.headers["connection"] == "close"
    assert wire.closing
    wire.send(request("GET", "/healthz"))
    assert wire.received() == b"", "a request behind it was run"


def test_headers_that_two_parsers_read_differently(port: Port) -> None:
    """Bytes at which only some parsers split lines are refused."""
    for byte in "\x0b\x0c\x1c\x1d\x1e\x85":
        wire = port.connect()
        odd = {"X_Odd": f"a{byte}Sec-WebSocket-Extensions: permessage-deflate{byte}Host: evil"}
        odd |= {"Sec_WebSocket_Protocol": f"a,a,{byte}b"}
        wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, **odd))
        assert wire.answer().code() == "bad_request"
    named = {"X_Odd": "Ån Å".encode().decode("latin-1")}
    assert port.ask("GET", "/healthz", **named).status == 200
