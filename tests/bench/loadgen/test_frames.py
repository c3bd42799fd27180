"""The load generator reads WebSocket frames of all kinds and sizes, and refuses broken ones."""

from __future__ import annotations

import asyncio
import os
import struct

import pytest

from tests.bench.loadgen.running import play
from tests.bench.loadgen.server import (
    FINAL,
    MEMBERS,
    MESSAGES,
    NUMBER,
    PING,
    TEXT,
    Batching,
    Faulty,
    Member,
    Server,
    frame,
)


@pytest.mark.parametrize("size", ["100", "65000"])
def test_many_messages_in_a_frame(size: str) -> None:
    assert play(Batching(), "--size", size).says(delivered=MESSAGES * MEMBERS)


def test_frame_larger_than_the_receive_buffer() -> None:
    class Huge(Batching):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            self.waiting[member].append(payload)
            if number == MESSAGES - 1:
                member.send(b"".join(self.waiting[member]))

    assert play(Huge(), "--size", "20000").says(delivered=MESSAGES * MEMBERS)


def test_ping_between_fragments() -> None:
    class Fragmenting(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            member.writer.write(frame(payload[:30], TEXT, 0))
            member.writer.write(frame(b"still there?", PING))
            member.writer.write(frame(payload[30:], 0, FINAL))

    server = Fragmenting()
    assert play(server).says(delivered=MESSAGES * MEMBERS, pings=MESSAGES * MEMBERS)
    assert server.pongs == MESSAGES * MEMBERS


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (b"\x81\x80\x00\x00\x00\x00", "masked frame"),
        (frame(b"compressed", TEXT, FINAL | 0x40), "reserved bits"),
        (struct.pack("!BBQ", FINAL | TEXT, 127, 1 << 40), "huge frame"),
    ],
    ids=["masked", "reserved", "huge"],
)
def test_broken_frames(broken: bytes, error: str) -> None:
    class Breaking(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.writer.write(broken)

    result = play(Breaking())
    assert result.says(disconnects=1, lost_on_disconnected=MESSAGES - NUMBER, members_short=1)
    assert error in result.report["first_error"]
    assert result.code == 1


def test_pings_of_the_measured_time() -> None:
    """Pings before the measured time are answered, but not counted beside its CPU."""

    class Pinging(Server):
        def greet(self, member: Member) -> None:
            member.writer.write(frame(b"", PING))
            if not member.writer.is_closing():
                asyncio.get_running_loop().call_later(0.02, self.greet, member)

    server = Pinging()
    idle = ("--mode", "idle", "--settle", "0.1", "--warmup", "0", "--duration", "0.5")
    result = play(server, *idle, "--pids", str(os.getpid()))
    pings, measured = result.report["pings"], result.report["measured_pings"]
    assert result.says()
    assert MEMBERS <= measured <= pings - MEMBERS
    assert server.pongs > measured / 2
    assert result.report["cpu_us_per_ping"] > 0
