"""
Attacks of every kind at once, while a hundred people chat: ``make attack``, or
``python -m tests.tools.attack --seconds 60``.

The result is the latency of each delivery to the people who chat, and the growth of the daemon's
memory.  Attackers and people are in a process each, and take the daemon's share of this machine.
So the same attack also goes against another daemon beside it, in turns, and the verdict compares
the two (`tests.tools.verdict`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import connect

from tests.live.daemon import TWISTD, Daemon, trusting
from tests.support import HANDSHAKE, client_frame, request
from tests.tools.verdict import SHARES, Found, faults, pooled, ratios

MEMBERS: Final = 100
#: Messages a second of all members together.
PACE: Final = 20.0
#: The last message of all.
END: Final = "end"
SLOWLORIS: Final = 200
SLOW_READERS: Final = 50
#: Connections of each flood.
FLOODERS: Final = 4
#: Times that each of the two is attacked, in turns: noise of the machine hits both alike.
TURNS: Final = 5
#: Seconds for processes to begin, and to come to an end.
PATIENCE: Final = 30.0
#: Cores that all share, however many there are: with more, a daemon that is left alone waits
#: for nobody, and the ratio would be another.
CORES: Final = 2

UPGRADE: Final = request("GET", "/ws/chat/attacked/", **HANDSHAKE)


async def _dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=trusting())


async def _again(
    port: int, until: float, attack: Callable[..., Awaitable[None]], *what: Any
) -> None:
    """Repeat *attack* until the end, however the server answers it."""
    while time.monotonic() < until:
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError):
            await asyncio.wait_for(attack(port, until, *what), until - time.monotonic() + 1)
        await asyncio.sleep(0.05)


async def slowloris(port: int, until: float) -> None:
    """Send a request's head byte by byte, one a second."""
    _, writer = await _dial(port)
    for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000:
        if time.monotonic() > until or writer.is_closing():
            break
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)
    writer.close()


async def flood(port: int, until: float, data: bytes) -> None:
    """Send the same frames without end, and read nothing."""
    reader, writer = await _dial(port)
    writer.write(UPGRADE)
    await reader.readuntil(b"\r\n\r\n")
    while time.monotonic() < until and not writer.is_closing():
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)
    writer.close()


async def requests(port: int, until: float, data: bytes) -> None:
    """Send a request as often as it is answered; a connection that ends is replaced."""
    reader, writer = await _dial(port)
    while time.monotonic() < until:
        writer.write(data)
        await writer.drain()
        if not await reader.read(65_536):
            break
    writer.close()


async def garbage(port: int, until: float) -> None:
    """Send bytes that are no TLS."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01\x40\x00" + b"x" * 16_000)
    await reader.read(100)
    writer.close()


async def slow_reader(port: int, until: float) -> None:
    """Join a room, and read nothing."""
    reader, writer = await _dial(port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(UPGRADE)
    await asyncio.sleep(until - time.monotonic())
    writer.close()
    del reader


FLOODS: Final = {
    "pings": client_frame(b"x" * 125, opcode=9) * 100,
    "empty frames": client_frame(b"", opcode=2) * 200,
    "tiny fragments": client_frame(b"x", fin=False) + client_frame(b"", opcode=0, fin=False) * 100,
    "messages": client_frame(b'{"message":"flood"}') * 100,
    "garbage frames": client_frame(b"{") * 200,
    "huge frames": b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"mask" + b"x" * 60_000,
}
REQUESTS: Final = {
    "history": request("GET", "/chat/history/attacked/?limit=1000"),
    "sends": request("POST", "/chat/send/attacked/", b"message=x",
                     Content_Type="application/x-www-form-urlencoded"),
    "form bombs": request("POST", "/nowhere", b"a=b&" * 20_000,
                          Content_Type="application/x-www-form-urlencoded"),
    "refusals": request("GET", "/chat/history/a%20b/", Connection="close"),
}  # fmt: skip


def attack(port: int, seconds: float, begun: Any) -> None:
    """Run all attacks, as the main function of a process; set *begun* after a second."""
    until = time.monotonic() + seconds

    async def all_of_them() -> None:
        asyncio.get_running_loop().call_later(1, begun.set)
        kinds = [_again(port, until, slowloris) for _ in range(SLOWLORIS)]
        kinds += [_again(port, until, slow_reader) for _ in range(SLOW_READERS)]
        kinds += [_again(port, until, garbage) for _ in range(FLOODERS)]
        for data in FLOODS.values():
            kinds += [_again(port, until, flood, data) for _ in range(FLOODERS)]
        for data in REQUESTS.values():
            kinds += [_again(port, until, requests, data) for _ in range(FLOODERS)]
        await asyncio.gather(*kinds)

    asyncio.run(all_of_them())


def chat(port: int, seconds: float, there: Any, begun: Any, told: Any) -> None:
    """
    Run the members that behave, as the main function of a process.

    @param there: an event that is set when all have joined.
    @param begun: an event that they wait for before they talk.
    @param told: a queue that gets the milliseconds of each delivery.
    """
    took: list[float] = []
    # Limits hold for each address, so members have another one than attackers.
    source = ("127.0.0.2", 0)

    async def listen(socket: Any) -> None:
        async for frame in socket:
            text = json.loads(frame).get("message", "")
            if text == END:
                return
            if text.startswith("at "):
                took.append(1000 * (time.monotonic() - float(text.split()[1])))

    async def all_of_them() -> None:
        url = f"wss://localhost:{port}/ws/chat/friends/"
        sockets = [
            await connect(url, ssl=trusting(), local_addr=source, ping_interval=None)
            for _ in range(MEMBERS)
        ]
        listening = [asyncio.create_task(listen(each)) for each in sockets]
        there.set()
        await asyncio.to_thread(begun.wait, PATIENCE)
        until = time.monotonic() + seconds
        number = 0
        while time.monotonic() < until:
            said = {"message": f"at {time.monotonic()} {number}"}
            await sockets[number % MEMBERS].send(json.dumps(said))
            number += 1
            await asyncio.sleep(1 / PACE)
        await sockets[0].send(json.dumps({"message": END}))
        await asyncio.wait_for(asyncio.gather(*listening), PATIENCE)
        assert len(took) == number * MEMBERS, (len(took), number)
        for socket in sockets:
            await socket.close()

    asyncio.run(all_of_them())
    told.put(took)


def measure(daemon: Daemon, seconds: float, attacked: Daemon | None = None) -> Found:
    """Measure deliveries and memory at *daemon*, while *attacked* is attacked."""
    spawn = multiprocessing.get_context("spawn")
    told, there, begun = spawn.Queue(), spawn.Event(), spawn.Event()
    members = spawn.Process(target=chat, args=(daemon.port, seconds, there, begun, told))
    attackers = []
    if attacked:
        given = (attacked.port, seconds + 4 * PATIENCE, begun)
        attackers.append(spawn.Process(target=attack, args=given))
    else:
        begun.set()
    before, most = daemon.memory(), 0
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.2):
            most = max(most, daemon.memory())

    watching = threading.Thread(target=watch)
    watching.start()
    members.start()
    there.wait(PATIENCE)
    for process in attackers:
        process.start()
    try:
        took = told.get(timeout=seconds + 3 * PATIENCE)
    finally:
        over.set()
        watching.join()
        for process in (members, *attackers):
            process.terminate()
            process.join()
    return Found(tuple(sorted(took)), before, most)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    options = ("--max-connections-per-ip=1000", "--interface=0.0.0.0")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with (
        tempfile.TemporaryDirectory() as directory,
        Daemon(Path(directory, "daemon"), *options, twistd=TWISTD) as daemon,
        Daemon(Path(directory, "other"), *options, twistd=TWISTD) as other,
    ):
        alone = [measure(daemon, seconds / 4)]
        beside, attacked = [], []
        for _ in range(TURNS):
            beside.append(measure(daemon, seconds / TURNS, other))
            attacked.append(measure(daemon, seconds / TURNS, daemon))
        figures = daemon.curl(f"{daemon.url}/metrics").splitlines()
    for name, turns in (("alone", alone), ("beside", beside), ("under attack", attacked)):
        sys.stdout.write(f"{name}: {json.dumps(pooled(turns).figures())}\n")
    for line in figures:
        if line.startswith(("livechat_refusals_total", "livechat_closes_total")):
            sys.stdout.write(f"  {line}\n")
    for share in SHARES:
        times = " ".join(f"{each:.2f}" for each in ratios(share, beside, attacked))
        sys.stdout.write(f"{share:.0%} under attack / beside, in each turn: {times}\n")
    wrong = faults(beside, attacked)
    for each in wrong:
        sys.stdout.write(f"{each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
