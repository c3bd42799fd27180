"""Peers that are slow, silent or stay: each is gone when its time is up."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from livechat.errors import Close
from livechat.http.connection import _Stage
from livechat.members.backpressure import HARD_LIMIT, SOFT_SECONDS
from livechat.members.websocket import CLOSE_WITHIN
from tests.live.daemon import PATIENCE, TWISTD, Daemon, eventually, rest
from tests.support import HANDSHAKE, MAX_UNSENT, client_frame, request

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("others")]

#: The beginning of a TLS handshake.
HELLO = bytes.fromhex("16030100f0010000ec0303") + bytes(40)
UPGRADE = request("GET", "/ws/chat/slow/", **HANDSHAKE)


@pytest.fixture(scope="module")
def twistd() -> str:
    """The program itself: the memory of a fork is not all its own."""
    return TWISTD


def drip(daemon: Daemon, data: bytes, pause: float) -> tuple[float, bytes]:
    """Send *data* byte by byte until it is over; how long that took, and what came."""
    began = time.monotonic()
    connection = daemon.raw()
    connection.settimeout(pause)
    for byte in data:
        connection.sendall(bytes([byte]))
        try:
            answer = connection.recv(10_000)
        except TimeoutError:
            continue
        return time.monotonic() - began, answer + rest(connection)
    raise AssertionError("it was never answered")


def test_half_a_handshake_and_all_that_drips_t4(daemon: Daemon) -> None:
    """T-4, W-13: heads that drip, silence, half a TLS handshake: gone when their time is up."""
    head = _Stage.HEAD.value
    with ThreadPoolExecutor(8) as pool:
        dripping = pool.submit(drip, daemon, b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 999, 0.5)
        handshake = pool.submit(drip, daemon, UPGRADE, 0.5)
        silent = [
            pool.submit(rest, daemon.raw()),
            pool.submit(rest, daemon.raw(tls=False)),
            *(
                pool.submit(rest, daemon.raw(hello, tls=False))
                for hello in (HELLO, HELLO[:7], HELLO[:1])
            ),
        ]
        for seconds, answer in (dripping.result(), handshake.result()):
            assert seconds > head - 1
            assert b"too_slow" in answer
            assert b"Content-Security-Policy: default-src 'none'" in answer
        for each in silent:
            assert b"HTTP" not in each.result()


def _cut(daemon: Daemon) -> int:
    """The number of slow consumers that were closed."""
    told = daemon.curl("-f", f"{daemon.url}/metrics")
    found = re.search(rf'livechat_closes_total{{by="server",code="{Close.TOO_SLOW}"}} (\d+)', told)
    return int(found[1]) if found else 0


def test_a_slow_reader_is_cut(daemon: Daemon) -> None:
    """A member that does not read is cut; its room goes on, and memory is bounded."""
    slow = daemon.raw(UPGRADE)
    before, cut = daemon.memory(), _cut(daemon)
    with daemon.socket("slow") as member, daemon.socket("slow") as speaker:
        text = json.dumps({"message": "x" * 16_000})
        count = 40 * MAX_UNSENT // 16_000
        for start in range(0, count, 50):
            for _ in range(min(50, count - start)):
                speaker.send(text)
            for _ in range(min(50, count - start)):
                assert len(member.recv(timeout=PATIENCE)) > 16_000
                speaker.recv(timeout=PATIENCE)
    assert daemon.memory() - before < 2 * HARD_LIMIT * MAX_UNSENT
    # Reading before the cut would give the slow reader more time.
    eventually(lambda: _cut(daemon) > cut)
    answer = rest(slow, SOFT_SECONDS + CLOSE_WITHIN + PATIENCE)
    assert len(answer) < count * 16_000


def test_requests_without_reading_answers(start: Callable[..., Daemon]) -> None:
    """A client that reads no answers is not read either."""
    daemon = start()
    before = daemon.memory()
    connection = daemon.raw()
    connection.settimeout(2)
    taken = 0
    try:
        while taken < 64 * 1024**2:
            data = request("GET", "/static/livechat.css") * 100
            connection.sendall(data)
            taken += len(data)
    except TimeoutError:
        pass
    assert taken < 16 * 1024**2
    assert daemon.memory() - before < 30 * 1024**2
    connection.close()


def test_peers_that_stay_are_cut_off(daemon: Daemon) -> None:
    """A peer that answers neither a close frame nor TLS's goodbye is cut off."""
    sockets = daemon.sockets()
    said = [
        # Peers that close, break the protocol, or had their handshake or last request answered.
        UPGRADE + client_frame(b"\x03\xe8", 8),
        UPGRADE + client_frame(b"", 3),
        request("GET", "/ws/chat/a%20b/", **HANDSHAKE),
        request("GET", "/ws/chat/r/", **HANDSHAKE, Origin="https://evil.example"),
        request("GET", "/healthz", Connection="close"),
    ]
    peers = [daemon.raw(data) for _ in range(4) for data in said]
    eventually(lambda: daemon.sockets() <= sockets)
    for peer in peers:
        peer.close()
