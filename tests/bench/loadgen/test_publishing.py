"""The load generator publishes by WebSocket and HTTP, and knows who should hear it."""

from __future__ import annotations

import pytest

from tests.bench.loadgen.running import play
from tests.bench.loadgen.server import MEMBERS, MESSAGES, Member, Server

CHUNKED = b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_spinning_is_not_counted_as_busy() -> None:
    """CPU spent in spinning is not counted as busy."""
    result = play(Server(), "--spin", "--rate", "100", "--duration", "0.5")
    assert result.says(first_error="")
    assert 0 <= result.report["cli_cpu_pct"] < 50


def test_without_echo() -> None:
    class Discreet(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            if member.number != 0:
                member.send(payload)

    result = play(Discreet(), "--noecho")
    assert result.says(expected=MESSAGES * (MEMBERS - 1))
    assert result.code == 0


def test_stalled_readers_are_no_members() -> None:
    result = play(Server(), "--stall-readers", "1")
    assert result.says(stalled_readers=1, expected=MESSAGES * (MEMBERS - 1))
    assert result.code == 0


@pytest.mark.parametrize("response", [Server().response, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("loop", [(), ("--rate", "0")], ids=["open", "closed"])
def test_published_by_http(response: bytes, loop: tuple[str, ...]) -> None:
    server = Server()
    server.response = response
    where = "http://127.0.0.1:PORT/room{r}"
    result = play(server, "--mode", "http", "--http-url", where, "--http-conns", "3", *loop)
    assert result.says(
        sent=MESSAGES,
        delivered=MESSAGES * MEMBERS,
        http_ok=MESSAGES,
        http_err=0,
        http_reconn=0,
        http_status={str(int(response[9:12])): MESSAGES},
    )
    assert result.code == 0


def test_posters_connect_again() -> None:
    server = Server()
    server.response = CLOSING
    where = "http://127.0.0.1:PORT/room{r}"
    result = play(server, "--http-url", where, "--max-msgs", "20")
    assert result.says(delivered=20 * MEMBERS, http_ok=20, http_reconn=20)
    assert result.code == 0


def test_publishing_refused() -> None:
    server = Server()
    server.response = b"HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n\r\n"
    where = "http://127.0.0.1:PORT/room{r}"
    result = play(server, "--http-url", where, "--max-msgs", "20")
    assert result.says(delivered=20 * MEMBERS, http_ok=0, http_err=20, http_status={"429": 20})
    assert result.code == 1
