"""
Clients of one daemon, in a process of their own: their work is not timed with the server's.

``python -m tests.soak.talking URL SENDERS SECONDS`` has so many senders say something at a steady
pace, each in a room of its own, and observers, in a room where nobody talks, send signs of life.
Printed are two JSON lists of seconds: until signs of life, and until messages, were answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.live.daemon import trusting

#: Clients that send signs of life.  Seconds between two of one client, and between two messages of
#: a sender: frames that are none, or refused, are limited.
OBSERVERS = 8
PING_EVERY = 0.08
TALK_EVERY = 0.1
#: Seconds after the last one for which answers are waited for.
PATIENCE = 10.0


async def pings(member: ClientConnection, until: float) -> list[float]:
    """Send signs of life, one after the other."""
    took = []
    while time.monotonic() < until:
        began = time.perf_counter()
        await member.send('{"type":"ping"}')
        while json.loads(await member.recv())["type"] != "pong":
            pass
        took.append(time.perf_counter() - began)
        await asyncio.sleep(PING_EVERY)
    return took


async def talks(member: ClientConnection, until: float) -> list[float]:
    """Say something again and again, whether answers come or not; time each answer."""
    begun: dict[str, float] = {}
    took: list[float] = []

    async def hear() -> None:
        while begun or not said.is_set():
            began = begun.pop(str(json.loads(await member.recv()).get("nonce")), None)
            if began is not None:
                took.append(time.perf_counter() - began)

    said = asyncio.Event()
    hearing = asyncio.create_task(hear())
    number = 0
    while time.monotonic() < until:
        number += 1
        nonce = f"{id(member)}-{number}"
        begun[nonce] = time.perf_counter()
        await member.send(json.dumps({"type": "message", "message": "hi", "nonce": nonce}))
        await asyncio.sleep(TALK_EVERY)
    said.set()
    if begun:
        await asyncio.wait_for(hearing, PATIENCE)
    hearing.cancel()
    return took


async def main(url: str, senders: int, seconds: float) -> tuple[list[float], list[float]]:
    options: dict[str, Any] = {"ssl": trusting(), "subprotocols": ["livechat.v1"]}
    quiet = [await connect(f"{url}/quiet", **options) for _ in range(OBSERVERS)]
    loud = [await connect(f"{url}/loud{number}", **options) for number in range(senders)]
    until = time.monotonic() + seconds
    found = await asyncio.gather(
        *(pings(member, until) for member in quiet), *(talks(member, until) for member in loud)
    )
    for each in (*quiet, *loud):
        await each.close()
    quick, took = found[: len(quiet)], found[len(quiet) :]
    return [each for one in quick for each in one], [each for one in took for each in one]


if __name__ == "__main__":
    for times in asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))):
        print(json.dumps(times))  # noqa: T201 - it is for the process that has started this
