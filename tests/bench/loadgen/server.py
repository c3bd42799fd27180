"""A small chat server, and variants of it with a fault that the load generator must count."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import struct
from asyncio import StreamReader, StreamWriter
from collections import defaultdict

#: Opcodes, and the bit of a message's last frame.
TEXT = 1
CLOSE = 8
PING = 9
PONG = 10
FINAL = 0x80

#: Messages and members of a run.
MESSAGES, MEMBERS = 120, 4
#: The message that goes wrong, and the member for whom it does. Member 0 publishes.
NUMBER, VICTIM = 40, 2


def frame(payload: bytes, opcode: int = TEXT, first: int = FINAL) -> bytes:
    """Make a server's frame; *first* are the other bits of its first byte."""
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", first | opcode, length)
    elif length < 65536:
        header = struct.pack("!BBH", first | opcode, 126, length)
    else:
        header = struct.pack("!BBQ", first | opcode, 127, length)
    return header + payload


async def read_frame(reader: StreamReader) -> tuple[int, bytes]:
    """Read a client's frame, which must be masked: its opcode and payload."""
    first, second = await reader.readexactly(2)
    assert second & 0x80, "a client's frame must be masked"
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(length)
    key = (mask * (length // 4 + 1))[:length]
    unmasked = int.from_bytes(masked, "big") ^ int.from_bytes(key, "big")
    return first & 0x0F, unmasked.to_bytes(length, "big")


class Member:
    """A member of a room, on the server's side."""

    def __init__(self, room: str, number: int, writer: StreamWriter) -> None:
        self.room = room
        self.number = number
        self.writer = writer

    def send(self, payload: bytes) -> None:
        self.writer.write(frame(payload))


class Server:
    """
    Sends every message to all members of its room, its sender included.

    A member connects to ``/ROOM/NUMBER``. A message can also be posted to ``/ROOM``. Faulty
    servers override :meth:`deliver` or :meth:`greet`.
    """

    def __init__(self) -> None:
        self.rooms: dict[str, list[Member]] = defaultdict(list)
        self.sent: dict[str, int] = defaultdict(int)
        self.pongs = 0
        #: The subprotocols that members asked for, by their numbers.
        self.asked: dict[int, str] = {}
        #: The response to a request that publishes.
        self.response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def accept(self, key: str) -> str:
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        return base64.b64encode(digest).decode()

    def greet(self, member: Member) -> None:
        """Called for each member that connects."""

    def deliver(self, member: Member, number: int, payload: bytes) -> None:
        """Send *member* the message with this number, counted in its room from 0."""
        member.send(payload)

    def publish(self, room: str, payload: bytes) -> None:
        number = self.sent[room]
        self.sent[room] += 1
        for member in list(self.rooms[room]):
            self.deliver(member, number, payload)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            if method == "GET":
                break
            length = int(re.findall(r"Content-Length: (\d+)", head)[0])
            self.publish(path.strip("/"), await reader.readexactly(length))
            writer.write(self.response)
            if b"Connection: close" in self.response:
                return

        (key,) = re.findall(r"Sec-WebSocket-Key: (\S+)", head)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % self.accept(key).encode()
        )
        _, room, number = path.split("/")
        self.asked[int(number)] = "".join(re.findall(r"Sec-WebSocket-Protocol: (\S+)", head))
        await self._chat(Member(room, int(number), writer), reader)

    async def _chat(self, member: Member, reader: StreamReader) -> None:
        members = self.rooms[member.room]
        members.append(member)
        try:
            self.greet(member)
            while True:
                opcode, payload = await read_frame(reader)
                if opcode == TEXT:
                    self.publish(member.room, payload)
                elif opcode == PONG:
                    self.pongs += 1
                elif opcode == CLOSE:
                    return
                await member.writer.drain()
        finally:
            members.remove(member)


class Batching(Server):
    """Sends eight messages in one frame."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[Member, list[bytes]] = defaultdict(list)

    def deliver(self, member: Member, number: int, payload: bytes) -> None:
        self.waiting[member].append(payload)
        if number % 8 == 7:
            member.send(b"[" + b",".join(self.waiting.pop(member)) + b"]")


class Faulty(Server):
    """Delivers one message to one member wrongly."""

    def deliver(self, member: Member, number: int, payload: bytes) -> None:
        if (member.number, number) == (VICTIM, NUMBER):
            self.fail(member, payload)
        else:
            member.send(payload)

    def fail(self, member: Member, payload: bytes) -> None:
        """Deliver *payload* wrongly: here, lose it."""
