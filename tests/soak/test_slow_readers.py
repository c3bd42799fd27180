"""Hundreds of members, some of whom stop reading."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from livechat.net.tls_port import CLOSING
from tests.live.daemon import PATIENCE, Daemon, eventually, rest
from tests.live.loadgen import load
from tests.live.operators import SET, Operator
from tests.support import HANDSHAKE, request

ROOM = "room0"
MEMBERS, STALLED = 400, 50
CONNS = f"--conns={MEMBERS}"
MEGABYTE = 1024 * 1024
SIZE, TRAFFIC = 16_000, 100 * MEGABYTE


def members(operator: Operator) -> int:
    """Read the number of the room's members on the operators' page."""
    page = operator.get(f"/admin/rooms/{ROOM}/")
    return int(re.findall(r"<dt>Members</dt><dd><strong>([\d,]+)", page)[0].replace(",", ""))


def test_slow_readers_w12(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """
    W-12: of 400 members fifty stop reading while 100 MB go through the room.

    The others get everything, in order.  The fifty are cut; one that reads again in time
    sees why.  Memory is bounded meanwhile, and given back.
    """
    daemon = start(
        "--rate=0", "--rate-per-ip=0", "--max-connections=0", "--max-connections-per-ip=0", **SET
    )
    operator = Operator(daemon, tmp_path / "jar")
    assert operator.sign_in() == 303
    # Measure memory after as many idle connections: some stays allocated in any case.
    assert load(daemon, CONNS, "--mode=idle", "--duration=0.5")["failed_conns"] == 0
    eventually(lambda: members(operator) == 0)
    before = daemon.memory()

    late = daemon.raw(request("GET", f"/ws/chat/{ROOM}/", **HANDSHAKE))
    assert late.recv(1_000).startswith(b"HTTP/1.1 101")
    peak = 0

    def talk() -> dict[str, Any]:
        return load(daemon,
            CONNS, f"--size={SIZE}", "--window=8", f"--stall-readers={STALLED - 1}",
            f"--max-msgs={TRAFFIC // SIZE}", "--warmup=0", "--duration=200",
        )  # fmt: skip

    def closed() -> bool:
        nonlocal peak
        peak = max(peak, daemon.memory())
        return 0 < members(operator) <= MEMBERS - STALLED + 1

    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(talk)
        eventually(lambda: members(operator) == MEMBERS + 1)
        eventually(closed)
        # The late member, which was as slow as the others, reads again.
        assert (4008).to_bytes(2, "big") + b"too slow" in rest(late, CLOSING + PATIENCE)
        while not talking.done():
            peak = max(peak, daemon.memory())
            wait([talking], timeout=0.2)
        report = talking.result()
    assert report["sent"] == TRAFFIC // SIZE
    assert (report["lost"], report["dup"], report["out_of_order"], report["corrupt"]) == (0,) * 4
    assert report["delivered"] == report["sent"] * (MEMBERS - STALLED + 1)
    assert report["disconnects"] == report["stalled_readers"] == STALLED - 1
    assert peak - before < 120 * MEGABYTE
    eventually(lambda: members(operator) == 0)
    eventually(lambda: daemon.memory() - before < 20 * MEGABYTE)
