"""
Clients of ``livechat.v1`` that talk and come back, while workers and Redis are killed:
``make chaos``, or ``python -m tests.tools.chaos --seconds 120``; with ``--cluster`` while masters
of a cluster are killed and slots moved (`tests.tools.chaos_cluster`).

One act in ten edits or takes back a message of the client's own.  Every frame keeps the protocol's
promises (`tests.support.transcripts`).  In the end every client has every message that was
acknowledged, once, in order, with its last text.  A client that comes only then sees no text that
was edited or taken back before.
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
from websockets.exceptions import ConnectionClosedError, InvalidHandshake, WebSocketException

from livechat.protocol.messages import Place
from tests.backends.redis.server import RedisServer
from tests.live.daemon import TWISTD, Daemon, trusting
from tests.support.transcripts import Transcript

#: Seconds after a fault that the others go on undisturbed.
EVERY = 10.0
#: Seconds between two messages of a client.
PACE = 1.0
#: The part of acts that edit or take back.
CHANGES = 0.1
#: Seconds for all to be whole again at the end.
PATIENCE = 60.0


class Client:
    """
    A client that repeats every act until it is acknowledged, under the same nonce.

    @ivar said: the number and the present text of each message of its own; None: taken back.
    @ivar old: texts that were edited or taken back.
    @ivar counts: connections, acknowledgements and errors.
    @cvar changes: the part of its acts that edit or take back.
    """

    changes = CHANGES

    def __init__(self, port: int, room: str, name: str) -> None:
        self.room = room
        self.name = name
        self._address = f"wss://localhost:{port}/ws/chat/{room}/?client={name:x>16}&name={name}"
        self._outbox: dict[str, dict[str, Any]] = {}
        # The numbers of acts by their nonces.
        self._acked: dict[str, int] = {}
        self._socket: ClientConnection | None = None
        self._sent = 0
        self.transcript = Transcript()
        self.said: dict[int, str | None] = {}
        self.old: set[str] = set()
        self.counts = Counter[str]()
        self.ready = asyncio.Event()

    @property
    def waits(self) -> bool:
        """True while an act is not acknowledged."""
        return bool(self._outbox)

    async def live(self) -> None:
        """Stay connected until cancelled; come back whenever the connection is lost."""
        while True:
            with suppress(OSError, WebSocketException, InvalidHandshake, TimeoutError):
                async with self.connect(self.transcript.place) as socket:
                    self.counts["connections"] += 1
                    await self._listen(socket)
            self._socket = None
            await asyncio.sleep(random.uniform(0.1, 1.0))

    def connect(self, place: Place | None) -> connect:
        """Connect, and resume from *place*."""
        since = "" if place is None else f"&since={place.epoch}:{place.seq}"
        return connect(
            self._address + since,
            ssl=trusting(),
            subprotocols=["livechat.v1"],  # type: ignore[list-item]
            open_timeout=5,
            ping_interval=None,
        )

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
        nonce, seq = frame["nonce"], frame["seq"]
        act = self._outbox.pop(nonce, None)
        if act is None:
            assert self._acked[nonce] == seq, f"acknowledged as two: {self._acked[nonce]}, {frame}"
            return
        self._acked[nonce] = seq
        self.counts[f"{act['type']}s acknowledged"] += 1
        self.counts["duplicates avoided"] += frame.get("duplicate", False)
        ref = act.get("ref", seq)
        before = self.said.get(ref)
        if before is not None:
            self.old.add(before)
        self.said[ref] = act.get("message")

    async def act(self) -> None:
        """Send a new message, or now and then edit or take back an earlier one."""
        nonce = str(self._sent)
        self._sent += 1
        text = f"{self.name}-{nonce}."
        free = [seq for seq, said in self.said.items() if said is not None]
        busy = {act.get("ref") for act in self._outbox.values()}
        if random.random() < self.changes and (free := [seq for seq in free if seq not in busy]):
            ref = random.choice(free)
            if random.random() < 0.5:
                self._outbox[nonce] = {"type": "retract", "ref": ref}
            else:
                self._outbox[nonce] = {"type": "edit", "ref": ref, "message": text}
        else:
            self._outbox[nonce] = {"type": "message", "message": text}
        await self._write(nonce)

    async def act_again(self) -> None:
        """Repeat the acts that were refused or not answered."""
        for nonce in tuple(self._outbox):
            await self._write(nonce)

    async def _write(self, nonce: str) -> None:
        if self._socket is not None and nonce in self._outbox:
            frame = {**self._outbox[nonce], "nonce": nonce}
            with suppress(WebSocketException):
                await self._socket.send(json.dumps(frame))


async def _late(client: Client, top: int) -> Transcript:
    """Come to the room of *client* when all is over, and read all of it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            # A worker that has just begun asks to come again, as it asks all clients.
            with suppress(ConnectionClosedError):
                return await _whole(client, top)
            await asyncio.sleep(PACE)


async def _whole(client: Client, top: int) -> Transcript:
    place = client.transcript.place
    assert place is not None
    found = Transcript()
    found.place = Place(place.epoch, 0)
    async with client.connect(found.place) as socket:
        found.connect()
        while found.place.seq < top:
            found.add(json.loads(await asyncio.wait_for(socket.recv(), PATIENCE)))
    return found


class Chaos:
    """The daemon, its Redis and its clients, and the faults that hit them."""

    client = Client

    def __init__(self, directory: Path, clients: int, rooms: int) -> None:
        self.redis = self.start_redis(directory / "redis")
        self._directory = directory
        self._many = clients
        self._rooms = rooms
        self.clients: list[Client] = []
        self.faults: list[str] = []

    def start_redis(self, directory: Path) -> Any:
        return RedisServer(directory, "--appendfsync", "always")

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
                twistd=TWISTD,
            ) as daemon,
        ):
            self.clients = [
                self.client(daemon.port, f"room{number % self._rooms}", f"c{number}")
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
            return self._count(await self._come_late())

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
        """Wait until every client has its answers and all messages."""
        until = time.monotonic() + PATIENCE
        while not all(map(self._is_whole, self.clients)):
            for life in lives:
                if life.done():
                    life.result()
            missing = [client.name for client in self.clients if not self._is_whole(client)]
            assert time.monotonic() < until, f"not whole after {PATIENCE} seconds: {missing}"
            for client in self.clients:
                await client.act_again()
            await asyncio.sleep(0.5)

    def _is_whole(self, client: Client) -> bool:
        return not client.waits and not self._missing(client.transcript, client.room)

    def _said(self, room: str) -> dict[int, str | None]:
        """Messages that were acknowledged to any client in *room*."""
        return {
            seq: text
            for client in self.clients
            if client.room == room
            for seq, text in client.said.items()
        }

    def _missing(self, transcript: Transcript, room: str) -> set[int]:
        """Messages of which *transcript* does not have the last state."""
        shown = transcript.shown
        return {seq for seq, text in self._said(room).items() if shown.get(seq) != text}

    async def _come_late(self) -> dict[str, Transcript]:
        """Have a client come to each room when all is over; return what they read."""
        firsts = {client.room: client for client in self.clients}
        found: dict[str, Transcript] = {}
        for room, client in firsts.items():
            place = client.transcript.place
            found[room] = await _late(client, 0 if place is None else place.seq)
        return found

    def _count(self, late: dict[str, Transcript]) -> dict[str, Any]:
        lost = doubled = disordered = 0
        for client in self.clients:
            heard = list(client.transcript.shown)
            texts = client.transcript.texts
            lost += len(self._missing(client.transcript, client.room))
            doubled += len(texts) - len(set(texts))
            disordered += heard != sorted(heard)
        shown_late = 0
        for room, transcript in late.items():
            lost += len(self._missing(transcript, room))
            old = {text for client in self.clients if client.room == room for text in client.old}
            shown_late += len(old & (set(transcript.texts) | set(transcript.shown.values())))
        counts = sum((client.counts for client in self.clients), Counter[str]())
        found = {
            "clients": len(self.clients),
            "rooms": self._rooms,
            "faults": dict(Counter(self.faults)),
            "acknowledged": sum(len(client.said) for client in self.clients),
            "delivered": sum(len(client.transcript.texts) for client in self.clients),
            "gaps": sum(len(client.transcript.gaps) for client in self.clients),
            **counts,
            "lost": lost,
            "doubled": doubled,
            "out of order": disordered,
            "old texts shown to later clients": shown_late,
        }
        assert not lost, found
        assert not doubled, found
        assert not disordered, found
        assert not shown_late, found
        return found


async def _talk(client: Client, until: float) -> None:
    await asyncio.sleep(random.uniform(0, PACE))
    while time.monotonic() < until:
        await client.act()
        await asyncio.sleep(random.uniform(0.5, 1.5) * PACE)


def main() -> None:
    """Run it, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--every", type=float, help="seconds between two faults")
    parser.add_argument("--cluster", action="store_true", help="kill masters, move slots")
    asked = parser.parse_args()
    # `ClusterChaos` derives from `Chaos`.
    from tests.tools.chaos_cluster import EVERY as SELDOM  # noqa: PLC0415
    from tests.tools.chaos_cluster import ClusterChaos  # noqa: PLC0415

    make, every = (ClusterChaos, SELDOM) if asked.cluster else (Chaos, EVERY)
    with tempfile.TemporaryDirectory() as directory:
        chaos = make(Path(directory), asked.clients, asked.rooms)
        found = asyncio.run(chaos.run(asked.seconds, asked.every or every))
    print(json.dumps(found, indent=1))  # noqa: T201
    if found["gaps"] and not asked.cluster:
        sys.exit("messages were said to be missing")


if __name__ == "__main__":
    main()
