"""
Clients of ``livechat.v1`` that talk and come back, while workers and Redis are killed:
``make chaos``, or ``python -m tests.tools.chaos --seconds 120``.

All that a client was told it was told by the rules (`tests.support.transcripts`); in the end every
client has every message that was acknowledged, once, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon, trusting
from tests.support.transcripts import Transcript

#: Seconds after a fault that the others go on undisturbed.
EVERY = 10.0
#: Seconds between two messages of a client.
PACE = 1.0
#: Seconds for all to be whole again at the end.
PATIENCE = 60.0


class Client:
    """
    One that sends every message until it is acknowledged, under the same nonce.

    @ivar acked: number and text of what was acknowledged.
    @ivar counts: what happened to it.
    """

    def __init__(self, port: int, room: str, name: str) -> None:
        self.room = room
        self.name = name
        self._address = f"wss://localhost:{port}/ws/chat/{room}/?client={name:x>16}&name={name}"
        self._outbox: dict[str, str] = {}
        self._socket: ClientConnection | None = None
        self._sent = 0
        self.transcript = Transcript()
        self.acked: dict[str, tuple[int, str]] = {}
        self.counts = Counter[str]()
        self.ready = asyncio.Event()

    @property
    def waits(self) -> bool:
        """Whether something is not acknowledged yet."""
        return bool(self._outbox)

    async def live(self) -> None:
        """Be there, for ever; come back whenever the connection is lost."""
        tls = trusting()
        while True:
            place = self.transcript.place
            since = "" if place is None else f"&since={place.epoch}:{place.seq}"
            with suppress(OSError, WebSocketException, InvalidHandshake, TimeoutError):
                async with connect(
                    self._address + since,
                    ssl=tls,
                    subprotocols=["livechat.v1"],  # type: ignore[list-item]
                    open_timeout=5,
                    ping_interval=None,
                ) as socket:
                    self.counts["connections"] += 1
                    await self._listen(socket)
            self._socket = None
            await asyncio.sleep(random.uniform(0.1, 1.0))

    async def _listen(self, socket: ClientConnection) -> None:
        self.transcript.connect()
        async for text in socket:
            frame = json.loads(text)
            self.transcript.add(frame)
            if frame["type"] == "hello":
                self._socket = socket
                self.ready.set()
                for nonce in tuple(self._outbox):
                    await self._write(nonce)
            elif frame["type"] == "ack":
                self._acknowledged(frame)
            elif frame["type"] == "error":
                self.counts[frame["error"]["code"]] += 1

    def _acknowledged(self, frame: Any) -> None:
        text = self._outbox.pop(frame["nonce"], None)
        if text is None:
            before = self.acked[frame["nonce"]]
            assert before[0] == frame["seq"], f"acknowledged as two: {before} and {frame}"
            return
        self.acked[frame["nonce"]] = frame["seq"], text
        self.counts["duplicates avoided"] += frame.get("duplicate", False)

    async def say(self) -> None:
        """Say something new; once it is acknowledged it is said."""
        nonce = str(self._sent)
        self._sent += 1
        self._outbox[nonce] = f"{self.name}-{nonce}"
        await self._write(nonce)

    async def say_again(self) -> None:
        """What was refused, or not answered."""
        for nonce in tuple(self._outbox):
            await self._write(nonce)

    async def _write(self, nonce: str) -> None:
        if self._socket is not None and nonce in self._outbox:
            frame = {"type": "message", "message": self._outbox[nonce], "nonce": nonce}
            with suppress(WebSocketException):
                await self._socket.send(json.dumps(frame))


class Chaos:
    """The daemon, its Redis, their clients, and what is done to them."""

    def __init__(self, directory: Path, clients: int, rooms: int) -> None:
        self.redis = RedisServer(directory / "redis", "--appendfsync", "always")
        self._directory = directory
        self._many = clients
        self._rooms = rooms
        self.clients: list[Client] = []
        self.faults: list[str] = []

    async def run(self, seconds: float, every: float) -> dict[str, Any]:
        """
        Talk for so many seconds, with a fault every so often; then count.

        @raise AssertionError: something is missing, doubled or out of order.
        """
        unlimited = ("--rate=0", "--rate-per-ip=0", "--history-limit=0")
        with (
            self.redis,
            Daemon(
                self._directory / "daemon",
                f"--redis={self.redis.url}",
                "--workers=2",
                "--max-connections-per-ip=0",
                *unlimited,
            ) as daemon,
        ):
            self.clients = [
                Client(daemon.port, f"room{number % self._rooms}", f"c{number}")
                for number in range(self._many)
            ]
            lives = [asyncio.create_task(client.live()) for client in self.clients]
            await asyncio.gather(*(client.ready.wait() for client in self.clients))
            until = time.monotonic() + seconds
            talking = [asyncio.create_task(_talk(client, until)) for client in self.clients]
            await self._break(daemon, until, every)
            await asyncio.gather(*talking)
            await self._settle(lives)
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
            return self._count()

    async def _break(self, daemon: Daemon, until: float, every: float) -> None:
        while time.monotonic() + every < until:
            await asyncio.sleep(every)
            if len(self.faults) % 2:
                self.redis.kill()
                await asyncio.sleep(random.uniform(0, 2))
                self.redis.start()
                self.faults.append("Redis")
            else:
                workers = daemon.workers()
                if workers:
                    os.kill(random.choice(workers), signal.SIGKILL)
                    self.faults.append("a worker")

    async def _settle(self, lives: list[asyncio.Task[None]]) -> None:
        """Until every client has its answers, and has heard all that was said."""
        until = time.monotonic() + PATIENCE
        while not all(map(self._is_whole, self.clients)):
            for life in lives:
                if life.done():
                    life.result()
            missing = [client.name for client in self.clients if not self._is_whole(client)]
            assert time.monotonic() < until, f"not whole after {PATIENCE} seconds: {missing}"
            for client in self.clients:
                await client.say_again()
            await asyncio.sleep(0.5)

    def _is_whole(self, client: Client) -> bool:
        return not client.waits and not self._said(client.room) - set(client.transcript.texts)

    def _said(self, room: str) -> set[str]:
        """What was acknowledged to anybody in *room*."""
        return {text for one in self.clients if one.room == room for _, text in one.acked.values()}

    def _count(self) -> dict[str, Any]:
        lost = doubled = disordered = 0
        for client in self.clients:
            heard, said = client.transcript.texts, self._said(client.room)
            lost += len(said - set(heard))
            doubled += len(heard) - len(set(heard))
            numbers = {t: seq for c in self.clients for seq, t in c.acked.values()}
            order = [numbers[text] for text in heard if text in numbers]
            disordered += order != sorted(order)
        counts = sum((client.counts for client in self.clients), Counter[str]())
        found = {
            "clients": len(self.clients),
            "rooms": self._rooms,
            "faults": dict(Counter(self.faults)),
            "acknowledged": sum(len(client.acked) for client in self.clients),
            "delivered": sum(len(client.transcript.texts) for client in self.clients),
            "gaps": sum(len(client.transcript.gaps) for client in self.clients),
            **counts,
            "lost": lost,
            "doubled": doubled,
            "out of order": disordered,
        }
        assert not lost, found
        assert not doubled, found
        assert not disordered, found
        return found


async def _talk(client: Client, until: float) -> None:
    await asyncio.sleep(random.uniform(0, PACE))
    while time.monotonic() < until:
        await client.say()
        await asyncio.sleep(random.uniform(0.5, 1.5) * PACE)


def main() -> None:
    """Run it, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--every", type=float, default=EVERY)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        chaos = Chaos(Path(directory), asked.clients, asked.rooms)
        found = asyncio.run(chaos.run(asked.seconds, asked.every))
    print(json.dumps(found, indent=1))  # noqa: T201
    if found["gaps"]:
        sys.exit("messages were said to be missing")


if __name__ == "__main__":
    main()
