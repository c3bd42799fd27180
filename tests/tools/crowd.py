"""
Clients of ``livechat.v1`` that talk while a livechat is renewed, and what happens to them.

A client that is told to come back does so after the time that it was told, and repeats the
messages that were not acknowledged.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

import msgspec
from OpenSSL import SSL
from websockets.exceptions import InvalidHandshake

from tests.live.daemon import PATIENCE
from tests.live.kept import LOGGED_WITHIN
from tests.support.transcripts import Transcript
from tests.tools.light_socket import LightSocket, trusting

#: Seconds for all to be whole again at the end.
SETTLE_WITHIN: Final = 30.0
#: Clients that come together at first.
AT_ONCE: Final = 25
#: Seconds before a client comes again that was not told when.
AGAIN: Final = 0.1
#: Causes of refusals that are shown.
SHOWN: Final = 5


@dataclass
class Found:
    """
    Counts of a renewal, over all clients.

    @ivar longest_silence: the most seconds that a client was without a message.
    @ivar renewed_in: seconds from the signal until all was renewed.
    """

    clients: int
    acknowledged: int = 0
    delivered: int = 0
    connections: int = 0
    refused: int = 0
    cut: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    longest_silence: float = 0.0
    renewed_in: float = 0.0
    refusals: dict[str, int] = field(default_factory=dict)

    def with_others(self, other: Self) -> Found:
        """Count what happened to these clients and to *other* ones."""
        longest = ("longest_silence", "renewed_in")
        both: dict[str, Any] = {
            each.name: (max if each.name in longest else sum)(
                (getattr(self, each.name), getattr(other, each.name))
            )
            for each in fields(self)
            if each.name != "refusals"
        }
        refusals = Counter(self.refusals) + Counter(other.refusals)
        return Found(**both, refusals=dict(refusals.most_common(SHOWN)))

    def faults(self, silence: float) -> list[str]:
        """Describe all that should not have happened."""
        found = [
            f"{count} {what}"
            for what, count in (
                ("connections were refused", self.refused),
                ("connections were cut without a word", self.cut),
                ("messages were lost", self.lost),
                ("messages came twice", self.doubled),
                ("clients heard them out of order", self.out_of_order),
            )
            if count
        ]
        if not self.acknowledged:
            found.append("nobody said anything")
        if self.connections < 2 * self.clients:
            found.append("clients were not sent away")
        if self.longest_silence > silence:
            found.append(f"nothing came for {self.longest_silence:.2f} seconds, not {silence:g}")
        return found


class Client:
    """
    A member that comes back whenever it is told to, and repeats what was not acknowledged.

    @ivar longest: the most seconds between two messages.
    """

    def __init__(self, port: int, room: str, name: str, tls: SSL.Context) -> None:
        self.room = room
        self.name = name
        self.transcript = Transcript()
        self.acked: dict[str, int] = {}
        self.counts = Counter[str]()
        self.refusals = Counter[str]()
        self.longest = 0.0
        self.ready = asyncio.Event()
        self._address = f"wss://127.0.0.1:{port}/ws/chat/{room}/?client={name:x>16}&name={name}"
        self._tls = tls
        self._heard: float | None = None
        self._outbox: dict[str, str] = {}
        self._socket: LightSocket | None = None
        # Of this connection: a `hello` came; the seconds after which to come back.
        self._greeted = False
        self._away: float | None = None

    @property
    def waits(self) -> bool:
        return bool(self._outbox)

    async def live(self) -> None:
        """Stay connected until cancelled."""
        while True:
            back_in = await self._visit()
            await asyncio.sleep(back_in)

    async def _visit(self) -> float:
        """Connect, and listen until the end; return the seconds after which to come back."""
        place = self.transcript.place
        since = "" if place is None else f"&since={place.epoch}:{place.seq}"
        self._greeted, self._away = False, None
        self.transcript.connect()
        socket = LightSocket(self._address + since, self._tls, self._hear, "livechat.v1")
        self._socket = socket
        try:
            async with asyncio.timeout(PATIENCE):
                await socket.open()
            self.counts["connections"] += 1
            await socket.ended
        except (OSError, InvalidHandshake, TimeoutError) as reason:
            self._refused(f"{type(reason).__name__}: {reason}"[:120])
            return AGAIN
        finally:
            self._socket = None
            socket.close()
        if not self._greeted:
            self._refused(f"closed with {socket.closed_with}")
        elif self._away is None:
            self.counts["cut"] += 1
        return AGAIN if self._away is None else self._away

    def _refused(self, reason: str) -> None:
        self.counts["refused"] += 1
        self.refusals[reason] += 1

    def _hear(self, text: bytes) -> None:
        frame = msgspec.json.decode(text)
        kind = frame["type"]
        if kind == "goaway":
            self._away = frame["retry_ms"] / 1000
            self._socket = None
            return
        self.transcript.add(frame)
        if kind == "hello":
            self._greeted = True
            self.ready.set()
            self.say_again()
        elif kind == "message":
            now = time.monotonic()
            if self._heard is not None:
                self.longest = max(self.longest, now - self._heard)
            self._heard = now
        elif kind == "ack":
            self._outbox.pop(frame["nonce"], None)
            self.acked[f"{self.name}-{frame['nonce']}"] = frame["seq"]

    def say(self, nonce: str) -> None:
        """Say something, now or as soon as the client is back."""
        self._outbox[nonce] = f"{self.name}-{nonce}"
        self._write(nonce)

    def say_again(self) -> None:
        """Repeat the messages that were not acknowledged."""
        for nonce in tuple(self._outbox):
            self._write(nonce)

    def _write(self, nonce: str) -> None:
        if self._socket is not None and self._greeted:
            frame = {"type": "message", "message": self._outbox[nonce], "nonce": nonce}
            self._socket.write(msgspec.json.encode(frame).decode())


class Crowd:
    """Clients in rooms, each of which hears something at even intervals."""

    def __init__(self, port: int, clients: int, rooms: int, name: str = "") -> None:
        """
        @param name: tells its rooms and clients from those of other crowds.
        """
        self._rooms = rooms
        tls = trusting()
        self.clients = [
            Client(port, f"room{name}{number % rooms}", f"c{name}{number}", tls)
            for number in range(clients)
        ]
        self._said = 0

    async def run(self, renew: Callable[[], Awaitable[None]], seconds: float, rate: float) -> Found:
        """Talk for so many seconds, and on until *renew* is done, which begins after a third."""
        lives: list[asyncio.Task[None]] = []
        try:
            await self._come(lives)
            talking = asyncio.create_task(self._talk(rate))
            await asyncio.sleep(seconds / 3)
            began = time.monotonic()
            await renew()
            took = time.monotonic() - began
            await asyncio.sleep(2 * seconds / 3)
            talking.cancel()
            await self._settle(lives)
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
        found = self._found()
        found.renewed_in = round(took, 3)
        return found

    async def _come(self, lives: list[asyncio.Task[None]]) -> None:
        """Connect all clients, a few at a time: handshakes take this process's time."""
        async with asyncio.timeout(LOGGED_WITHIN):
            for start in range(0, len(self.clients), AT_ONCE):
                coming = self.clients[start : start + AT_ONCE]
                lives += (asyncio.create_task(each.live()) for each in coming)
                await asyncio.gather(*(each.ready.wait() for each in coming))
        for each in self.clients:
            # Troubles before the renewal do not count.
            each.counts["refused"] = each.counts["cut"] = 0
            each.refusals.clear()

    async def _talk(self, rate: float) -> None:
        """Have a client of the next room say something, *rate* times a second in all."""
        began = time.monotonic()
        while True:
            members = self.clients[self._said % self._rooms :: self._rooms]
            random.choice(members).say(str(self._said))
            self._said += 1
            await asyncio.sleep(max(0.0, began + self._said / rate - time.monotonic()))

    async def _settle(self, lives: list[asyncio.Task[None]]) -> None:
        until = time.monotonic() + SETTLE_WITHIN
        while time.monotonic() < until:
            for life in lives:
                if life.done():
                    life.result()
            if not any(each.waits or self._missing(each) for each in self.clients):
                return
            for each in self.clients:
                each.say_again()
            await asyncio.sleep(0.5)

    def _missing(self, client: Client) -> set[str]:
        """Texts that were acknowledged in the room of *client*, and have not come to it."""
        said = {text for each in self.clients if each.room == client.room for text in each.acked}
        return said.difference(client.transcript.texts)

    def _found(self) -> Found:
        found = Found(len(self.clients), acknowledged=sum(len(c.acked) for c in self.clients))
        refusals = Counter[str]()
        for each in self.clients:
            texts, heard = each.transcript.texts, list(each.transcript.shown)
            found.delivered += len(texts)
            found.lost += len(self._missing(each)) + len(each.transcript.gaps)
            found.doubled += len(texts) - len(set(texts))
            found.out_of_order += heard != sorted(heard)
            found.connections += each.counts["connections"]
            found.refused += each.counts["refused"]
            found.cut += each.counts["cut"]
            found.longest_silence = round(max(found.longest_silence, each.longest), 3)
            refusals += each.refusals
        found.refusals = dict(refusals.most_common(SHOWN))
        return found
