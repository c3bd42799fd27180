"""
Whether the load generator sees what goes wrong.

It is run against a small chat server that gets one thing wrong, once; the count of that
fault, and of no other, must come out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import ssl
import struct
import subprocess
from asyncio import StreamReader, StreamWriter
from collections import defaultdict
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, NamedTuple

import pytest

from livechat.net.certificates import load_or_make

DIRECTORY = Path(__file__).parents[2] / "bench" / "loadgen"
PROGRAM = DIRECTORY / "build" / "loadgen"

TEXT = 1
CLOSE = 8
PING = 9
PONG = 10
FINAL = 0x80

#: Open loop, so that no fault holds the messages up: 120 of them, to four members.  A run
#: ends with the last, long before its duration does.
MESSAGES, MEMBERS = 120, 4
RUN = (
    *("--conns", str(MEMBERS), "--conc", "1", "--rate", "6000", "--max-msgs", str(MESSAGES)),
    *("--settle", "0.02", "--warmup", "0.01", "--duration", "5", "--drain", "0.25"),
)
#: The message that goes wrong, and the member (not the one who publishes) whom it goes wrong for.
NUMBER, VICTIM = 40, 2

#: What must be 0 unless a test says otherwise.
FAULTS = (
    *("lost", "lost_on_disconnected", "members_short", "dup", "out_of_order", "corrupt"),
    *("foreign", "misrouted", "stalls", "expired", "unsent", "failed_conns", "disconnects"),
)


def frame(payload: bytes, opcode: int = TEXT, first: int = FINAL) -> bytes:
    """A frame as servers send it, its other bits of the first byte being *first*."""
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", first | opcode, length)
    elif length < 65536:
        header = struct.pack("!BBH", first | opcode, 126, length)
    else:
        header = struct.pack("!BBQ", first | opcode, 127, length)
    return header + payload


async def read_frame(reader: StreamReader) -> tuple[int, bytes]:
    """The opcode and payload of a client's frame, which must be masked."""
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
    """A member of a room, as the server knows it."""

    def __init__(self, room: str, number: int, writer: StreamWriter) -> None:
        self.room = room
        self.number = number
        self.writer = writer

    def send(self, payload: bytes) -> None:
        self.writer.write(frame(payload))


class Server:
    """
    Sends every message to all members of its room, the sender too.

    A member connects to ``/ROOM/NUMBER``; a message can also be posted to ``/ROOM``.
    Those who get something wrong override :meth:`deliver`, or :meth:`greet`.
    """

    def __init__(self) -> None:
        self.rooms: dict[str, list[Member]] = defaultdict(list)
        self.sent: dict[str, int] = defaultdict(int)
        self.pongs = 0
        #: By member's number, which subprotocol it asked for.
        self.asked: dict[int, str] = {}
        #: What a request to publish is answered with.
        self.response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def accept(self, key: str) -> str:
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        return base64.b64encode(digest).decode()

    def greet(self, member: Member) -> None:
        """*member* has just come."""

    def deliver(self, member: Member, number: int, payload: bytes) -> None:
        """Send *member* the message, which is the *number*-th of its room, from 0."""
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


class Result(NamedTuple):
    """What the load generator has come to."""

    code: int
    report: dict[str, Any]

    def says(self, **expected: object) -> bool:
        """All faults are as *expected*, or did not happen; so is whatever else is named."""
        expected = dict.fromkeys(FAULTS, 0) | expected
        found = {key: self.report[key] for key in expected}
        assert found == expected, self.report["first_error"]
        return True


async def run(server: Server, *options: str, tls: ssl.SSLContext | None = None) -> Result:
    """Run the load generator against *server*; ``PORT`` in its *options* is the server's."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    async with listener:
        port = str(listener.sockets[0].getsockname()[1])
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *(option.replace("PORT", port) for option in options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            output, errors = await process.communicate()
    assert process.returncode is not None
    assert output, errors.decode()
    return Result(process.returncode, json.loads(output))


def play(server: Server, *more: str, path: str = "/room{r}/{i}") -> Result:
    """A :data:`RUN`, with *more* options."""
    return asyncio.run(run(server, "--url", f"ws://127.0.0.1:PORT{path}", *RUN, *more))


def refusal(*options: str) -> str:
    """What the load generator says when it refuses to run with *options*."""
    done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert not done.stdout
    return done.stderr


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    made = subprocess.run(
        ["make", "--silent", "--directory", DIRECTORY], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr


# The faithful.


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--size", "35"),
        ("--size", "65000"),
        ("--rate", "0", "--window", "3"),
        ("--mode", "rooms", "--rooms", "2"),
        ("--mode", "rooms", "--rooms", "2", "--rate", "0", "--window", "1"),
    ],
    ids=" ".join,
)
def test_a_faithful_server(options: tuple[str, ...]) -> None:
    result = play(Server(), *options)
    assert result.says(sent=MESSAGES, first_error="")
    in_a_room = MEMBERS // result.report["rooms"]
    assert result.report["delivered"] == result.report["expected"] == MESSAGES * in_a_room
    assert result.code == 0


@pytest.mark.parametrize(("every", "asking"), [("1", range(6)), ("2", (0, 1, 4, 5))])
def test_subprotocols(every: str, asking: range | tuple[int, ...]) -> None:
    """All members ask for the protocol, or every so manieth of each room."""
    server = Server()
    options = ("--proto", "x", "--proto-every", every, "--conns", "6", "--rooms", "2")
    assert play(server, *options).says(first_error="")
    assert {number for number, asked in server.asked.items() if asked == "x"} == set(asking)


def test_spinning() -> None:
    """Who never sleeps has as little to do as before."""
    result = play(Server(), "--spin", "--rate", "100", "--duration", "0.5")
    assert result.says(first_error="")
    assert 0 <= result.report["cli_cpu_pct"] < 50


class Batching(Server):
    """Sends messages by the eight, in one frame."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[Member, list[bytes]] = defaultdict(list)

    def deliver(self, member: Member, number: int, payload: bytes) -> None:
        self.waiting[member].append(payload)
        if number % 8 == 7:
            member.send(b"[" + b",".join(self.waiting.pop(member)) + b"]")


@pytest.mark.parametrize("size", ["100", "65000"])
def test_many_messages_in_a_frame(size: str) -> None:
    assert play(Batching(), "--size", size).says(delivered=MESSAGES * MEMBERS)


def test_a_frame_larger_than_the_receive_buffer() -> None:
    class Huge(Batching):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            self.waiting[member].append(payload)
            if number == MESSAGES - 1:
                member.send(b"".join(self.waiting[member]))

    assert play(Huge(), "--size", "20000").says(delivered=MESSAGES * MEMBERS)


def test_fragments_with_a_ping_between() -> None:
    class Fragmenting(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            member.writer.write(frame(payload[:30], TEXT, 0))
            member.writer.write(frame(b"still there?", PING))
            member.writer.write(frame(payload[30:], 0, FINAL))

    server = Fragmenting()
    assert play(server).says(delivered=MESSAGES * MEMBERS, pings=MESSAGES * MEMBERS)
    assert server.pongs == MESSAGES * MEMBERS


# The faulty: those that deliver wrongly.


class Faulty(Server):
    """Gets one message for one member wrong."""

    def deliver(self, member: Member, number: int, payload: bytes) -> None:
        if (member.number, number) == (VICTIM, NUMBER):
            self.fail(member, payload)
        else:
            member.send(payload)

    def fail(self, member: Member, payload: bytes) -> None:
        """The message is not delivered at all."""


def test_a_lost_message() -> None:
    result = play(Faulty())
    assert result.says(lost=1, members_short=1, delivered=MESSAGES * MEMBERS - 1)
    assert result.code == 1


def test_the_last_messages_lost() -> None:
    class Tired(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            if number < MESSAGES - 3:
                member.send(payload)

    result = play(Tired())
    assert result.says(lost=3 * MEMBERS, members_short=MEMBERS)
    assert result.code == 1


def test_a_lost_message_does_not_hold_up_a_window() -> None:
    result = play(Faulty(), "--rate", "0", "--window", "2")
    assert result.says(lost=1, members_short=1, sent=MESSAGES)
    assert result.code == 1


def test_a_window_that_nothing_comes_back_from() -> None:
    class Silent(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            pass

    result = play(Silent(), "--rate", "0", "--window", "5", "--stall-ms", "20", "--max-msgs", "15")
    assert result.says(sent=15, stalls=2, expired=10, lost=15 * MEMBERS, members_short=MEMBERS)
    assert result.code == 1


def test_a_duplicated_message() -> None:
    class Repeating(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            member.send(payload)

    result = play(Repeating())
    assert result.says(dup=1, delivered=MESSAGES * MEMBERS)
    assert result.code == 1


def test_messages_swapped() -> None:
    class Swapping(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            self.held = payload

        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            super().deliver(member, number, payload)
            if (member.number, number) == (VICTIM, NUMBER + 1):
                member.send(self.held)

    result = play(Swapping())
    assert result.says(out_of_order=1, delivered=MESSAGES * MEMBERS)
    assert result.code == 1


def test_late_messages_out_of_the_middle_of_a_hole() -> None:
    class Shuffling(Server):
        def __init__(self) -> None:
            super().__init__()
            self.held: list[bytes] = []

        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            if member.number != VICTIM or not NUMBER <= number < NUMBER + 5:
                member.send(payload)
                return
            self.held.append(payload)
            if len(self.held) == 5:
                for each in (4, 2, 0, 2):  # and never 1 and 3
                    member.send(self.held[each])

    result = play(Shuffling())
    assert result.says(out_of_order=2, dup=1, lost=2, members_short=1)
    assert result.code == 1


@pytest.mark.parametrize("altered", [b"#", b""], ids=["altered", "shortened"])
def test_padding_altered(altered: bytes) -> None:
    class Altering(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(re.sub(b'[a-z](?="})', altered, payload))

    result = play(Altering())
    assert result.says(corrupt=1, first_error="padding altered or truncated")
    assert result.code == 1
    assert play(Altering(), "--no-verify-pad").code == 0


def test_a_broken_marker() -> None:
    class Breaking(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload.replace(b"Z", b"z"))

    result = play(Breaking())
    assert result.says(corrupt=1, lost=1, members_short=1)
    assert result.code == 1


def test_a_message_that_was_never_sent() -> None:
    class Inventing(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            member.send(re.sub(rb"(~L.{8}).{8}", rb"\g<1>00bada55", payload))

    result = play(Inventing())
    assert result.says(corrupt=1)
    assert result.code == 1


def test_a_publisher_that_does_not_exist() -> None:
    class Inventing(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            member.send(re.sub(rb"(~L.{4}).{4}", rb"\g<1>beef", payload))

    result = play(Inventing())
    assert result.says(corrupt=1)
    assert result.code == 1


def test_a_message_in_the_wrong_room() -> None:
    class Misrouting(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            other = self.rooms["room1"][0]
            wrong = (member.number, number) == (VICTIM, NUMBER)
            (other if wrong else member).send(payload)

    result = play(Misrouting(), "--rooms", "2")
    assert result.says(misrouted=1, lost=1, members_short=1)
    assert result.code == 1


def test_another_runs_message_is_told_apart() -> None:
    """Told, but nothing is wrong with it: a server may show what was said before."""

    class Remembering(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            number = int(payload[payload.index(b"~L") + 2 :][:4], 16)
            member.send(re.sub(rb"(~L).{4}", rb"\g<1>%04x" % (number ^ 1), payload))

    result = play(Remembering())
    assert result.says(foreign=1)
    assert result.code == 0


# The faulty: those that lose connections.


def test_a_member_kicked() -> None:
    class Kicking(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            if member.number != VICTIM or number < NUMBER:
                member.send(payload)
            elif number == NUMBER:
                reason = struct.pack("!H", 1008) + b'no "reason"'
                member.writer.write(frame(reason, CLOSE))

    result = play(Kicking())
    assert result.says(
        disconnects=1,
        lost_on_disconnected=MESSAGES - NUMBER,
        members_short=1,
        close_codes={"1008": 1},
        close_reason='no "reason"',
    )
    assert result.code == 1


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (b"\x81\x80\x00\x00\x00\x00", "masked frame"),
        (frame(b"compressed", TEXT, FINAL | 0x40), "reserved bits"),
        (struct.pack("!BBQ", FINAL | TEXT, 127, 1 << 40), "huge frame"),
    ],
    ids=["masked", "reserved", "huge"],
)
def test_a_frame_that_is_none(broken: bytes, error: str) -> None:
    class Breaking(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.writer.write(broken)

    result = play(Breaking())
    assert result.says(disconnects=1, lost_on_disconnected=MESSAGES - NUMBER, members_short=1)
    assert error in result.report["first_error"]
    assert result.code == 1


@pytest.mark.parametrize("reset", [0, 1])
def test_a_connection_cut(reset: int) -> None:
    class Cutting(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            linger = struct.pack("ii", reset, 0)
            member.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
            member.writer.transport.abort()

    # Slowly, for a reset takes along what has not been read yet.
    result = play(Cutting(), "--rate", "600")
    assert result.says(
        disconnects=1, resets=reset, lost_on_disconnected=MESSAGES - NUMBER, members_short=1
    )
    assert result.code == 1


def test_a_wrong_accept() -> None:
    class Careless(Server):
        def accept(self, key: str) -> str:
            return super().accept("whatever")

    result = play(Careless())
    assert result.says(failed_conns=MEMBERS)
    assert "Sec-WebSocket-Accept" in result.report["first_error"]
    assert result.code == 1


def test_a_refused_upgrade() -> None:
    class Full(Server):
        async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Full\r\n\r\n")
            await writer.drain()
            writer.close()

    result = play(Full())
    assert result.says(failed_conns=MEMBERS)
    assert "503" in result.report["first_error"]
    assert result.code == 1


def test_an_upgrade_never_answered() -> None:
    class Sleeping(Server):
        async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
            await reader.read()
            writer.close()

    result = play(Sleeping(), "--ramp-timeout", "0.3", "--duration", "0.1")
    assert result.says(failed_conns=1, unsent=result.report["unsent"])
    assert "ramp timed out" in result.report["first_error"]
    assert result.code == 1


# How else there is to publish and to listen.


def test_without_echo() -> None:
    class Discreet(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            if member.number != 0:
                member.send(payload)

    result = play(Discreet(), "--noecho")
    assert result.says(expected=MESSAGES * (MEMBERS - 1))
    assert result.code == 0


def test_stalled_readers_are_no_members() -> None:
    result = play(Server(), "--stall-readers", "1")
    assert result.says(stalled_readers=1, expected=MESSAGES * (MEMBERS - 1))
    assert result.code == 0


def test_pings_of_the_measured_time() -> None:
    """Pings before it are answered, and not counted with those for which CPU was measured."""

    class Pinging(Server):
        def greet(self, member: Member) -> None:
            self.ping(member, 0)

        def ping(self, member: Member, sent: int) -> None:
            member.writer.write(frame(b"", PING))
            if sent < 20:
                asyncio.get_running_loop().call_later(0.02, self.ping, member, sent + 1)

    server = Pinging()
    idle = ("--mode", "idle", "--settle", "0.1", "--warmup", "0", "--duration", "0.5")
    result = play(server, *idle, "--pids", str(os.getpid()))
    assert result.says(pings=21 * MEMBERS)
    assert server.pongs == 21 * MEMBERS
    measured = result.report["measured_pings"]
    assert MEMBERS <= measured < 21 * MEMBERS
    assert result.report["cpu_us_per_ping"] > 0


def test_steps_before_a_member_is_ready() -> None:
    class Formal(Server):
        def greet(self, member: Member) -> None:
            member.send(b"0 hello")

        def publish(self, room: str, payload: bytes) -> None:
            if payload.startswith(b"join "):
                number = int(payload.split()[1])
                (member,) = (each for each in self.rooms[room] if each.number == number)
                member.send(b"joined " + payload)
                member.send(b"2")
            elif payload == b"3":
                self.pongs += 1
            else:
                super().publish(room, payload)

    server = Formal()
    steps = ("expect:hello", "send:join {i}", "expect:joined")
    result = play(server, "--eio", *(word for step in steps for word in ("--step", step)))
    assert result.says(delivered=MESSAGES * MEMBERS, pings=MEMBERS)
    assert server.pongs == MEMBERS
    assert result.code == 0


CHUNKED = b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("response", [Server().response, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("loop", [(), ("--rate", "0")], ids=["open", "closed"])
def test_published_by_http(response: bytes, loop: tuple[str, ...]) -> None:
    server = Server()
    server.response = response
    where = "http://127.0.0.1:PORT/room{r}"
    result = play(server, "--mode", "http", "--http-url", where, "--http-conns", "3", *loop)
    assert result.says(
        sent=MESSAGES,
        delivered=MESSAGES * MEMBERS,
        http_ok=MESSAGES,
        http_err=0,
        http_reconn=0,
        http_status={str(int(response[9:12])): MESSAGES},
    )
    assert result.code == 0


def test_posters_connect_again() -> None:
    server = Server()
    server.response = CLOSING
    where = "http://127.0.0.1:PORT/room{r}"
    result = play(server, "--http-url", where, "--max-msgs", "20")
    assert result.says(delivered=20 * MEMBERS, http_ok=20, http_reconn=20)
    assert result.code == 0


def test_publishing_refused() -> None:
    server = Server()
    server.response = b"HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n\r\n"
    where = "http://127.0.0.1:PORT/room{r}"
    result = play(server, "--http-url", where, "--max-msgs", "20")
    assert result.says(delivered=20 * MEMBERS, http_ok=0, http_err=20, http_status={"429": 20})
    assert result.code == 1


# Handshakes.


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """What a server needs for TLS."""
    certificate = load_or_make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@pytest.mark.parametrize("version", [(), ("--tls12",)], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("close", [(), ("--hard-close",)], ids=["", "reset"])
def test_handshakes_resumed(
    tls: ssl.SSLContext, version: tuple[str, ...], close: tuple[str, ...]
) -> None:
    options = (
        *("--url", "wss://localhost:PORT/room{r}/{i}", "--mode", "connect", "--conns", "8"),
        *("--conc", "4", "--warmup", "0", "--duration", "0.3", *version, *close),
    )
    result = asyncio.run(run(Server(), *options, "--resume", tls=tls))
    assert result.says()
    assert result.report["tls"].startswith("TLSv1.2" if version else "TLSv1.3")
    assert result.report["hs_resumed"] == result.report["conns_open"] > 0
    assert result.code == 0

    result = asyncio.run(run(Server(), *options, tls=tls))
    assert result.says(hs_resumed=0)
    assert result.report["conns_open"] > 0


def test_members_resume_too(tls: ssl.SSLContext) -> None:
    url = "wss://localhost:PORT/room{r}/{i}"
    result = asyncio.run(run(Server(), "--url", url, *RUN, "--resume", tls=tls))
    assert result.says(hs_resumed=MEMBERS, delivered=MESSAGES * MEMBERS)


def test_no_ticket_to_resume_by(tls: ssl.SSLContext) -> None:
    """Nothing is said to be resumed that was not."""
    tls.num_tickets = 0
    url = "wss://localhost:PORT/room{r}/{i}"
    result = asyncio.run(run(Server(), "--url", url, *RUN, "--resume", tls=tls))
    assert result.says(hs_resumed=0, delivered=MESSAGES * MEMBERS)


# What it does not do.


def test_other_machines_are_left_alone() -> None:
    assert "not a loopback address" in refusal("--url", "ws://192.0.2.1/")
    assert "not a loopback address" in refusal(
        *("--mode", "http", "--url", "ws://127.0.0.1:1/", "--http-url", "http://192.0.2.1/")
    )


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--mode", "none"),
        ("--url", "gopher://127.0.0.1/"),
        ("--url", "ws://127.0.0.1:1/", "--conns", "many"),
        ("--url", "ws://127.0.0.1:1/", "--rate", "-1"),
        ("--url", "ws://127.0.0.1:1/", "--noecho"),
        ("--url", "ws://127.0.0.1:1/", "--mode", "http"),
        ("--url", "ws://127.0.0.1:1/", "--step", "dance"),
        ("--url", "ws://127.0.0.1:1/", "stray"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense(options: tuple[str, ...]) -> None:
    assert refusal(*options)


def test_the_report_is_json_whatever_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "results"
    label = 'a "label" \\ of\tours'
    result = play(Server(), "--label", label, "--json", str(file))
    again = play(Server(), "--label", label, "--json", str(file))
    assert result.report["label"] == label
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        result.report,
        again.report,
    ]
