"""Guessed passwords and names of operators: `livechat.identity.operators`."""

from __future__ import annotations

from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from livechat.errors import Kind
from livechat.identity.operators import (
    ATTEMPTS_OF_ALL,
    ATTEMPTS_OF_ONE,
)
from tests.identity.desk import Desk
from tests.support import PASSWORD, kind, result


def test_guessing_from_one_address(desk: Desk) -> None:
    """After a few wrong passwords an address must wait; others need not."""
    for _ in range(int(ATTEMPTS_OF_ONE.burst)):
        assert desk.refused().kind is Kind.WRONG_PASSWORD
    refused = desk.refused(PASSWORD)
    assert refused.kind is Kind.RATE_LIMITED
    assert refused.retry_after == pytest.approx(1 / ATTEMPTS_OF_ONE.per_second)
    desk.sign_in(address="192.0.2.2")
    assert refused.retry_after
    desk.clock.advance(refused.retry_after + 0.1)
    desk.sign_in()


def test_guessing_from_one_network(desk: Desk) -> None:
    """All addresses of an IPv6 network, which one household has, are one."""
    for number in range(int(ATTEMPTS_OF_ONE.burst)):
        desk.refused(address=f"2001:db8::{number}")
    assert desk.refused(PASSWORD, "2001:db8::ffff").kind is Kind.RATE_LIMITED
    desk.sign_in(address="2001:db8:1::1")


def test_guessing_from_many_addresses(desk: Desk) -> None:
    """Many addresses together have no more than a few attempts either."""
    for number in range(int(ATTEMPTS_OF_ALL.burst)):
        assert desk.refused(address=f"192.0.2.{number}").kind is Kind.WRONG_PASSWORD
    refused = desk.refused(PASSWORD, "198.51.100.1")
    assert refused.kind is Kind.RATE_LIMITED
    assert refused.retry_after
    desk.clock.advance(refused.retry_after + 0.1)
    desk.sign_in(address="198.51.100.1")


def test_a_right_password_costs_nothing(desk: Desk) -> None:
    """A right password costs nothing."""
    for _ in range(50):
        desk.sign_in()


def test_attempts_do_not_block(desk: Desk) -> None:
    """Passwords are checked in a thread, one after the other."""
    desk.lane.held = True
    waiting = [
        Deferred.fromCoroutine(desk.operators.sign_in("192.0.2.1", text))
        for text in ("wrong", PASSWORD)
    ]
    assert not any(each.called for each in waiting)
    desk.lane.step()
    assert kind(waiting[0]) is Kind.WRONG_PASSWORD
    assert not waiting[1].called
    while not waiting[1].called:
        desk.lane.step()
    assert desk.operators.sessions.lasting(result(waiting[1]))


def test_the_log_has_no_password(desk: Desk) -> None:
    """The log says who came in and who did not, and never a password or a token."""
    with capturedLogs() as events:
        desk.refused("hunter2hunter2", "192.0.2.7")
        token = desk.sign_in(address="192.0.2.8")
    lines = "\n".join(event["log_format"].format(**event) for event in events)
    assert "192.0.2.7 gave a wrong" in lines
    assert "signed in from 192.0.2.8" in lines
    assert "hunter2" not in str(events)
    assert token not in str(events)


def test_an_address_that_is_known(desk: Desk) -> None:
    """Guessing from many addresses keeps nobody out who came from his own before."""
    desk.sign_in(address="198.51.100.1")
    desk.again()
    for number in range(2 * int(ATTEMPTS_OF_ALL.burst)):
        desk.refused(address=f"192.0.2.{number}")
    desk.sign_in(address="198.51.100.1")
    assert desk.refused(PASSWORD, "198.51.100.2").kind is Kind.RATE_LIMITED
    for _ in range(int(ATTEMPTS_OF_ONE.burst)):
        assert desk.refused(address="198.51.100.1").kind is Kind.WRONG_PASSWORD
    assert desk.refused(address="198.51.100.1").kind is Kind.RATE_LIMITED


class Counting(PasswordHasher):
    """Counts how often a password is verified, and at which costs."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.verified.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


@pytest.fixture
def counting(desk: Desk) -> Counting:
    """The hasher of *desk*, which counts from now on."""
    desk.put("ann", lobby="moderate")
    hasher = Counting()
    desk.operators._hasher = hasher
    return hasher


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "wrong"), ("bob", "wrong"), ("bob", PASSWORD), ("", "wrong"), ("operator", "wrong"),
     ("Ann", PASSWORD), ("ann\0", PASSWORD), ("*", PASSWORD), ("é", ""), ("x" * 10_000, PASSWORD)],
)  # fmt: skip
def test_wrong_names_take_as_long_as_wrong_passwords(
    desk: Desk, counting: Counting, name: str, password: str
) -> None:
    """Each attempt verifies one password, at the same costs, and is answered alike."""
    refused = desk.refused(password, name=name)
    (costs,) = counting.verified
    assert (costs.memory_cost, costs.time_cost, costs.parallelism) == (8, 1, 1)
    assert costs.hash_len == 32
    shared = name in ("", "operator")
    assert (refused.kind, refused.detail) == (
        Kind.WRONG_PASSWORD,
        "This is not the password." if shared else "This is not the name and the password.",
    )


def test_the_right_name_and_password(desk: Desk, counting: Counting) -> None:
    """A right one verifies one password too; the shared password opens no account, nor reverse."""
    desk.put("bob", "another password", lobby="send")
    token = desk.sign_in(name="ann")
    session = desk.sessions.find(token)
    assert len(counting.verified) == 1
    assert session is not None
    assert session.operator == "ann"
    desk.sign_in()
    assert desk.refused(name="bob").kind is Kind.WRONG_PASSWORD
    assert desk.refused("another password").kind is Kind.WRONG_PASSWORD


def test_no_name_is_logged_that_was_wrong(desk: Desk) -> None:
    """A text that was typed as a name may be a password."""
    with capturedLogs() as events:
        desk.refused(name=PASSWORD)
    assert PASSWORD not in str(events)


def test_guessing_names_is_bounded(desk: Desk) -> None:
    """Attempts count for an address, whatever name they are for."""
    desk.put("ann")
    for number in range(int(ATTEMPTS_OF_ONE.burst)):
        desk.refused(name=f"a{number}")
    assert desk.refused(PASSWORD, name="ann").kind is Kind.RATE_LIMITED
    assert desk.refused(PASSWORD).kind is Kind.RATE_LIMITED
