"""The load generator counts every message that is lost, doubled, late, altered or misplaced."""

from __future__ import annotations

import re

import pytest

from tests.bench.loadgen.running import play
from tests.bench.loadgen.server import MEMBERS, MESSAGES, NUMBER, VICTIM, Faulty, Member, Server


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
def test_faithful_server(options: tuple[str, ...]) -> None:
    result = play(Server(), *options)
    assert result.says(sent=MESSAGES, first_error="")
    in_a_room = MEMBERS // result.report["rooms"]
    assert result.report["delivered"] == result.report["expected"] == MESSAGES * in_a_room
    assert result.code == 0


def test_one_lost_message() -> None:
    result = play(Faulty())
    assert result.says(lost=1, members_short=1, delivered=MESSAGES * MEMBERS - 1)
    assert result.code == 1


def test_last_messages_lost() -> None:
    class Tired(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            if number < MESSAGES - 3:
                member.send(payload)

    result = play(Tired())
    assert result.says(lost=3 * MEMBERS, members_short=MEMBERS)
    assert result.code == 1


def test_lost_message_does_not_hold_up_a_window() -> None:
    result = play(Faulty(), "--rate", "0", "--window", "2")
    assert result.says(lost=1, members_short=1, sent=MESSAGES)
    assert result.code == 1


def test_window_without_any_delivery() -> None:
    class Silent(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            pass

    result = play(Silent(), "--rate", "0", "--window", "5", "--stall-ms", "20", "--max-msgs", "15")
    assert result.says(sent=15, stalls=2, expired=10, lost=15 * MEMBERS, members_short=MEMBERS)
    assert result.code == 1


def test_duplicated_message() -> None:
    class Repeating(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            member.send(payload)

    result = play(Repeating())
    assert result.says(dup=1, delivered=MESSAGES * MEMBERS)
    assert result.code == 1


def test_swapped_messages() -> None:
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


def test_late_messages_in_the_middle_of_a_hole() -> None:
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
def test_altered_padding(altered: bytes) -> None:
    class Altering(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(re.sub(b'[a-z](?="})', altered, payload))

    result = play(Altering())
    assert result.says(corrupt=1, first_error="padding altered or truncated")
    assert result.code == 1
    assert play(Altering(), "--no-verify-pad").code == 0


def test_broken_marker() -> None:
    class Breaking(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload.replace(b"Z", b"z"))

    result = play(Breaking())
    assert result.says(corrupt=1, lost=1, members_short=1)
    assert result.code == 1


def test_message_never_sent() -> None:
    class Inventing(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            member.send(re.sub(rb"(~L.{8}).{8}", rb"\g<1>00bada55", payload))

    result = play(Inventing())
    assert result.says(corrupt=1)
    assert result.code == 1


def test_unknown_publisher() -> None:
    class Inventing(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            member.send(re.sub(rb"(~L.{4}).{4}", rb"\g<1>beef", payload))

    result = play(Inventing())
    assert result.says(corrupt=1)
    assert result.code == 1


def test_message_in_the_wrong_room() -> None:
    class Misrouting(Server):
        def deliver(self, member: Member, number: int, payload: bytes) -> None:
            other = self.rooms["room1"][0]
            wrong = (member.number, number) == (VICTIM, NUMBER)
            (other if wrong else member).send(payload)

    result = play(Misrouting(), "--rooms", "2")
    assert result.says(misrouted=1, lost=1, members_short=1)
    assert result.code == 1


def test_message_of_another_run() -> None:
    """Counted, and no fault: a server may show a room's history."""

    class Remembering(Faulty):
        def fail(self, member: Member, payload: bytes) -> None:
            member.send(payload)
            number = int(payload[payload.index(b"~L") + 2 :][:4], 16)
            member.send(re.sub(rb"(~L).{4}", rb"\g<1>%04x" % (number ^ 1), payload))

    result = play(Remembering())
    assert result.says(foreign=1)
    assert result.code == 0
