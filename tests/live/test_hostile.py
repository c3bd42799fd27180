"""Clients that mean no good, against the real port."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.daemon import PATIENCE, TWISTD, Daemon, eventually, rest
from tests.support import HANDSHAKE, client_frame, request

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("others")]

UPGRADE = request("GET", "/ws/chat/hostile/", **HANDSHAKE)
JSON = {"Content_Type": "application/json"}


@pytest.fixture(scope="module")
def twistd() -> str:
    """The program itself: the memory of a fork is not all its own."""
    return TWISTD


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\nHost: localhost\n\n", b"\x00" * 16_384, b"\xff\xd8garbage" * 99],
)
def test_bytes_that_are_no_tls_are_hung_up_on(daemon: Daemon, data: bytes) -> None:
    """Bytes that are no TLS are hung up on."""
    answer = rest(daemon.raw(data, tls=False))
    assert b"HTTP" not in answer


def test_plain_http_is_redirected(daemon: Daemon) -> None:
    """Plain HTTP is redirected to https, for the server's own names, and served nothing else."""
    asked = daemon.curl("-L", f"http://localhost:{daemon.port}/healthz?x")
    assert json.loads(asked)["status"] == "ok"
    asked = daemon.curl("-d", "message=hi", "-L", f"http://localhost:{daemon.port}/chat/send/p/")
    assert json.loads(asked) == {"message": "Message sent!"}
    elsewhere = rest(daemon.raw(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", tls=False))
    assert elsewhere.startswith(b"HTTP/1.1 421 ")
    assert b"Location" not in elsewhere
    sockets = daemon.sockets()
    staying = [daemon.raw(request("GET", "/healthz"), tls=False) for _ in range(20)]
    dripping = daemon.raw(b"GET /", tls=False)
    assert all(peer.recv(12) == b"HTTP/1.1 308" for peer in staying)
    eventually(lambda: daemon.sockets() <= sockets + 1)
    assert rest(dripping) == b""
    for peer in staying:
        peer.close()


def test_huge_bodies_are_refused_at_once(daemon: Daemon) -> None:
    """Huge bodies are refused at once, and cost no memory."""
    before = daemon.memory()
    head = request("POST", "/nowhere", Content_Length=str(300 * 1024**2), **JSON)
    connection = daemon.raw(head)
    try:
        for _ in range(300):
            connection.sendall(b"a=b&" * 65_536)
    except OSError:
        pass
    assert b"body_too_large" in rest(daemon.raw(head))
    connection.close()
    assert daemon.memory() - before < 20 * 1024**2


@pytest.mark.parametrize(
    "frame",
    [
        client_frame(b"x"),
        client_frame(b"", 9),
        client_frame(b"", 1, fin=False),
        client_frame(b"", 10),
    ],
)
def test_frames_in_masses_are_stopped(daemon: Daemon, frame: bytes) -> None:
    """Tiny frames in masses are stopped with a close frame, and nobody else notices."""
    before = daemon.memory()
    connection = daemon.raw(UPGRADE)
    for _ in range(20):
        connection.sendall(frame * 20_000)
    answer = rest(connection)
    assert any(code.to_bytes(2, "big") in answer[-200:] for code in (1008, 1002)), answer[-200:]
    assert daemon.memory() - before < 20 * 1024**2


def test_a_huge_frame_is_refused_at_its_head(daemon: Daemon) -> None:
    """A frame that announces more than is allowed is refused at its head."""
    for size in (2**40, 2**62, 102_401):
        frame = b"\x81\xff" + size.to_bytes(8, "big") + b"\x01\x02\x03\x04"
        answer = rest(daemon.raw(UPGRADE + frame))
        assert (1009).to_bytes(2, "big") in answer


@pytest.mark.parametrize("characters", [4_096, pytest.param(16_384, marks=pytest.mark.soak)])
def test_a_burst_within_the_limits(start: Callable[..., Daemon], characters: int) -> None:
    """
    An address's full rate closes nobody who reads, and all of it arrives.

    The largest messages are half a gigabyte, for which a machine that does more besides may take
    longer than members may.
    """
    daemon = start()
    senders, messages = 10, 40
    text = json.dumps({"message": "\x07" * characters})
    whole = senders * messages * len(text)

    def talk(said: bytes) -> bool:
        """Say something, hear everything; one thread, as TLS wants it."""
        joined.wait(PATIENCE)
        connection = members.pop()
        connection.sendall(said)
        size = 0
        while size < whole and (data := connection.recv(65_536)):
            size += len(data)
        connection.close()
        return size >= whole

    members = [daemon.raw(UPGRADE) for _ in range(senders + 2)]
    for member in members:
        assert member.recv(1_000).startswith(b"HTTP/1.1 101")
    joined = threading.Barrier(len(members))
    said = [client_frame(text.encode()) * messages] * senders + [b"", b""]
    with ThreadPoolExecutor(len(members)) as pool:
        assert all(pool.map(talk, said))


def test_connections_come_back(start: Callable[..., Daemon]) -> None:
    """Over the limit an address is told so; when its connections go, it can come again."""
    daemon = start("--max-connections-per-ip=20")
    daemon.curl("-d", "message=x", f"{daemon.url}/chat/send/")  # opens the database
    sockets = daemon.sockets()
    open_ = [daemon.raw(UPGRADE) for _ in range(20)]
    for connection in open_:
        assert b"101" in connection.recv(100)
    refused = json.loads(daemon.curl(f"{daemon.url}/healthz"))
    assert refused["code"] == "too_many_connections"
    for connection in open_:
        connection.close()
    eventually(lambda: "code" not in json.loads(daemon.curl(f"{daemon.url}/healthz")))
    eventually(lambda: daemon.sockets() <= sockets)
