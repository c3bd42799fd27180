"""
Measures the admin page: ``.venv/bin/python bench/admin.py``.

A daemon has 10,000 active rooms and 200 messages a second. The overview is open
in every second turn; turns are short, because the cost of messages varies by
the minute. Printed are the daemon's share of a core with and without, and the
time that the overview takes to open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

PASSWORD = "correct horse battery staple"
TICK = os.sysconf("SC_CLK_TCK")


class Daemon:
    """A livechat on a free port."""

    def __init__(self, directory: str) -> None:
        options = ("rate", "rate-per-ip", "max-connections", "max-connections-per-ip")
        self.log = Path(directory, "log")
        self._process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=",
                "livechat", "--port=0", *(f"--{option}=0" for option in options),
            ],
            cwd=directory,
            env={**os.environ, "LIVECHAT_ADMIN_PASSWORD": PASSWORD},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    async def port(self) -> int:
        while "is ready" not in (text := self.log.read_text()):
            assert self._process.poll() is None, text
            await asyncio.sleep(0.05)
        return int(re.findall(r"https://localhost:(\d+)/", text)[0])

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Operator:
    """An operator's browser: requests, a cookie, the overview's events."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = ""

    async def _begin(self, head: str, body: str = "") -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_connection("localhost", self._port, ssl=trusting())
        lines = [f"{head} HTTP/1.1", f"Host: localhost:{self._port}", "Connection: close"]
        if self._cookie:
            lines.append(f"Cookie: {self._cookie}")
        if body:
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*lines, "", body]).encode())
        return reader, writer

    async def ask(self, head: str, body: str = "") -> str:
        """Send a request; return the whole response."""
        reader, writer = await self._begin(head, body)
        text = (await reader.read()).decode()
        writer.close()
        for cookie in re.findall(r"Set-Cookie: ([^;]+)", text):
            self._cookie = cookie
        return text

    async def sign_in(self) -> None:
        page = await self.ask("GET /admin/sign-in/")
        token = re.findall(r'name="token" value="([^"]+)"', page)[0]
        form = urllib.parse.urlencode({"token": token, "password": PASSWORD})
        assert " 303 " in await self.ask("POST /admin/sign-in/", form)

    async def open(self) -> float:
        """Open the overview; return the seconds until it is complete."""
        start = time.perf_counter()
        page = await self.ask("GET /admin/")
        assert "10,000 active rooms" in page, page[:2_000]
        return time.perf_counter() - start

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[list[int]]:
        """Read the overview's events; yield a list that grows by the size of each piece."""
        reader, writer = await self._begin("GET /admin/events")
        pieces: list[int] = []

        async def read() -> None:
            while piece := await reader.read(65_536):
                pieces.append(len(piece))

        task = asyncio.create_task(read())
        yield pieces
        task.cancel()
        writer.close()


async def members(port: int, count: int) -> list[ClientConnection]:
    context = trusting()
    gate = asyncio.Semaphore(50)

    async def join(number: int) -> ClientConnection:
        async with gate:
            return await connect(
                f"wss://localhost:{port}/ws/chat/room-{number}/",
                ssl=context, compression=None, ping_interval=None, open_timeout=60,
            )  # fmt: skip

    return await asyncio.gather(*map(join, range(count)))


async def talk(sockets: list[ClientConnection], per_second: int, sent: list[float]) -> None:
    """Send messages to rooms chosen at random, and add their times to *sent*."""
    start = time.perf_counter()
    while True:
        due = int((time.perf_counter() - start) * per_second)
        while len(sent) < due:
            socket = random.choice(sockets)
            await socket.send(json.dumps({"message": f"message {len(sent)}"}))
            await socket.recv()
            sent.append(time.perf_counter())
        await asyncio.sleep(0.01)


async def measure(daemon: Daemon, given: argparse.Namespace) -> None:
    port = await daemon.port()
    start = time.perf_counter()
    sockets = await members(port, given.rooms)
    print(f"{given.rooms} rooms with a member each, in {time.perf_counter() - start:.0f} s")
    sent: list[float] = []
    talking = asyncio.create_task(talk(sockets, given.rate, sent))
    operator = Operator(port)
    await operator.sign_in()
    first = await operator.open()
    print(f"the overview opens for the first time in {1000 * first:.0f} ms")

    async def share() -> float:
        before, begun = daemon.cpu(), time.perf_counter()
        await asyncio.sleep(given.seconds)
        return 100 * (daemon.cpu() - before) / (time.perf_counter() - begun)

    alone, looked, pieces = [], [], 0
    for _ in range(given.rounds):
        alone.append(await share())
        async with operator.looking() as came:
            looked.append(await share())
        pieces += sum(came)
    added = [after - before for before, after in zip(alone, looked, strict=True)]
    print(
        f"nobody looks: {statistics.mean(alone):.1f} % of a core; one operator does: "
        f"{statistics.mean(looked):.1f} %, {pieces / given.rounds / given.seconds / 1024:.0f} KiB/s"
    )
    error = statistics.stdev(added) / len(added) ** 0.5
    print(f"it adds {statistics.mean(added):.1f} % of a core (standard error {error:.1f})")
    times = [await operator.open() for _ in range(20)]
    print(
        f"the overview opens in {1000 * statistics.median(times):.0f} ms (median), "
        f"{1000 * max(times):.0f} (worst of {len(times)})"
    )
    print(f"{len(sent) / (sent[-1] - sent[0]):.0f} messages a second were sent meanwhile")
    assert not talking.done(), talking.exception()
    talking.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=200, help="messages a second")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(directory)
        try:
            asyncio.run(measure(daemon, given))
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
