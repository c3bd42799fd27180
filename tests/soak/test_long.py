"""Named cases that take a minute: a peer that is silent, and rooms in masses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from livechat.members.pinging import PING_EVERY, PONG_WITHIN
from tests.live.client import Client
from tests.live.daemon import Daemon, eventually, trusting
from tests.live.operators import SET, Operator
from tests.live.siege import Raw, siege
from tests.support.loops import run_apart

#: Rooms of R-5, so many at a time.
ROOMS = 100_000
AT_A_TIME = 100


def test_no_pong_w11(start: Callable[..., Daemon]) -> None:
    """W-11: a peer that answers no ping is closed in time, and leaves its room."""
    daemon = start()
    with Client(daemon, "w11") as watcher:
        watcher.hears("hello")
        began = time.monotonic()
        silent = Raw(daemon, "w11")
        watcher.hears("joined")
        # The silent peer reads nothing either, not even the pings.
        while not left(watcher):
            assert time.monotonic() - began < PING_EVERY + PONG_WITHIN + 5
            watcher.says(type="ping")
        assert silent.end(20) == 4001


def left(watcher: Client) -> bool:
    """Wait a while for a member to leave, and check if one did."""
    try:
        watcher.hears("left")
    except TimeoutError:
        return False
    return True


def test_room_flood_r5(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """
    R-5: a hundred thousand rooms that are made and left leave nothing, and meanwhile operators
    see their page within a second.  (An address has as many rooms as it may have connections.)
    """
    daemon = start("--rate=0", "--rate-per-ip=0", "--max-connections-per-ip=0", **SET)
    operator = Operator(daemon, tmp_path / "jar")
    assert operator.sign_in() == 303
    seen: list[float] = []

    def look() -> None:
        began = time.monotonic()
        assert "Sign out" in operator.get("/admin/?q=flood")
        seen.append(time.monotonic() - began)

    async def join(first: int) -> None:
        for number in range(first, ROOMS, AT_A_TIME):
            url = f"wss://localhost:{daemon.port}/ws/chat/flood-{number}/"
            async with connect(url, ssl=trusting(), ping_interval=None):
                pass

    async def watch(until: asyncio.Future[Any]) -> None:
        while not until.done():
            await asyncio.to_thread(look)
            await asyncio.sleep(1)

    async def join_all() -> None:
        joined = asyncio.gather(*map(join, range(AT_A_TIME)))
        await asyncio.sleep(1)
        await watch(joined)
        await joined

    with siege(daemon, growth=32 << 20):
        run_apart(join_all())
        eventually(lambda: "livechat_rooms 0.0" in daemon.curl(f"{daemon.url}/metrics"))
    seen.sort()
    assert seen[int(0.95 * len(seen))] < 1, seen
