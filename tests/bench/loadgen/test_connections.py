"""The load generator upgrades, steps through a greeting, and counts connections that end."""

from __future__ import annotations

import struct
from asyncio import StreamReader, StreamWriter
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.bench.loadgen.running import play
from tests.bench.loadgen.server import (
    CLOSE,
    MEMBERS,
    MESSAGES,
    NUMBER,
    VICTIM,
    Faulty,
    Member,
    Server,
    frame,
)


@pytest.mark.parametrize(("every", "asking"), [("1", range(6)), ("2", (0, 1, 4, 5))])
def test_subprotocols(every: str, asking: range | tuple[int, ...]) -> None:
    """All members of a room ask for the protocol, or every second one."""
    server = Server()
    options = ("--proto", "x", "--proto-every", every, "--conns", "6", "--rooms", "2")
    assert play(server, *options).says(first_error="")
    assert {number for number, asked in server.asked.items() if asked == "x"} == set(asking)


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


def test_wrong_accept() -> None:
    class Careless(Server):
        def accept(self, key: str) -> str:
            return super().accept("whatever")

    result = play(Careless())
    assert result.says(failed_conns=MEMBERS)
    assert "Sec-WebSocket-Accept" in result.report["first_error"]
    assert result.code == 1


def test_refused_upgrade() -> None:
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


def test_upgrade_never_answered() -> None:
    class Sleeping(Server):
        async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
            await reader.read()
            writer.close()

    result = play(Sleeping(), "--ramp-timeout", "0.3", "--duration", "0.1")
    assert result.says(failed_conns=1, unsent=result.report["unsent"])
    assert "ramp timed out" in result.report["first_error"]
    assert result.code == 1


def test_close_frame() -> None:
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


@pytest.mark.parametrize("reset", [0, 1])
def test_cut_connection(reset: int) -> None:
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
