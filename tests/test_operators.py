"""`livechat.operators`."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.errors import ChatError, Kind, StartError
from livechat.operators import (
    ATTEMPTS_OF_ALL,
    ATTEMPTS_OF_ONE,
    LONGEST,
    MOST_SESSIONS,
    Operators,
    Password,
    find_password,
    form_token,
)
from tests.support import CHEAP, PASSWORD, Lane, kind, result, run

LASTS = 3_600


class Office:
    """Operators in a directory, at a time that the test moves."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "operators.json"
        self.clock = Clock()
        self.clock.advance(1_000)
        self.wall = 1_790_000_000.0
        self.lane, self.disk = Lane(), Lane()
        self.operators = self.again()

    def again(self, text: str = PASSWORD) -> Operators:
        """The same after a restart."""
        self.operators = Operators(
            self.path,
            self.clock,
            lambda: self.wall,
            self.lane,
            self.disk,
            lasts=LASTS,
            hasher=CHEAP,
        )
        self.operators.load(Password(text, "a test"))
        return self.operators

    def sign_in(self, password: str = PASSWORD, address: str = "192.0.2.1") -> str:
        token: str = run(self.operators.sign_in(address, password))
        return token

    def refused(self, password: str = "wrong", address: str = "192.0.2.1") -> ChatError:
        with pytest.raises(ChatError) as caught:
            self.sign_in(password, address)
        return caught.value


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_signing_in_and_out(office: Office) -> None:
    """Who knows the password is signed in, each time anew, until he signs out."""
    one, two = office.sign_in(), office.sign_in()
    assert one != two
    assert len(one) == 43
    assert office.operators.lasting(one)
    run(office.operators.sign_out(one))
    assert not office.operators.lasting(one)
    assert office.operators.lasting(two)
    run(office.operators.sign_out(one))
    run(office.operators.sign_out("nonsense"))


@pytest.mark.parametrize("token", ["", "x", "é", "\0", "a" * 43])
def test_tokens_of_nobody(office: Office, token: str) -> None:
    """A token that was never given is nobody's."""
    office.sign_in()
    assert not office.operators.lasting(token)


@pytest.mark.parametrize(
    "password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "\ud800"[:0], "x" * 10_000, "\0"]
)
def test_wrong_passwords(office: Office, password: str) -> None:
    """A wrong password is refused, however it looks."""
    assert office.refused(password).kind is Kind.WRONG_PASSWORD


def test_expiry(office: Office) -> None:
    """A session ends when its time is over, whatever the browser still sends."""
    token = office.sign_in()
    office.wall += LASTS - 1
    assert office.operators.lasting(token)
    office.wall += 1
    assert not office.operators.lasting(token)


def test_nothing_secret_is_kept(office: Office) -> None:
    """The file has hashes only, is readable for its owner only, and so is not a way in."""
    token = office.sign_in()
    text = office.path.read_text()
    assert PASSWORD not in text
    assert token not in text
    assert json.loads(text)["password"].startswith("$argon2id$")
    assert stat.S_IMODE(office.path.stat().st_mode) == 0o600
    for key in json.loads(text)["sessions"]:
        assert not office.operators.lasting(key)


def test_restart(office: Office) -> None:
    """A restart signs nobody out, and brings nobody back."""
    stays, goes = office.sign_in(), office.sign_in()
    run(office.operators.sign_out(goes))
    again = office.again()
    assert again.lasting(stays)
    assert not again.lasting(goes)


def test_a_new_password(office: Office) -> None:
    """A new password at the start signs all out, and the old one is no good any more."""
    token = office.sign_in()
    again = office.again("another password")
    assert not again.lasting(token)
    assert office.refused(PASSWORD).kind is Kind.WRONG_PASSWORD
    assert again.lasting(office.sign_in("another password")) == LASTS


def test_a_new_password_while_it_runs(office: Office) -> None:
    """The same when it is renewed; what goes on for the signed in ends at once."""
    token = office.sign_in()
    ended: list[str] = []
    office.operators.begin(token, lambda: ended.append("a"))
    assert run(office.operators.renew(Password(PASSWORD, "a test"))) is False
    assert office.operators.lasting(token)
    assert run(office.operators.renew(Password("another password", "a test"))) is True
    assert not office.operators.lasting(token)
    assert ended == ["a"]
    office.sign_in("another password")


def test_renewed_while_a_password_is_checked(office: Office) -> None:
    """Who gave the old password while it was replaced does not come in."""
    office.lane.held = True
    renewed = Deferred.fromCoroutine(office.operators.renew(Password("another password", "x")))
    coming = Deferred.fromCoroutine(office.operators.sign_in("192.0.2.1", PASSWORD))
    while not (renewed.called and coming.called):
        office.lane.step()
    assert result(renewed)
    assert kind(coming) is Kind.WRONG_PASSWORD


def test_a_hash_in_place_of_the_password(office: Office) -> None:
    """The password can be given as its hash; the same hash again is the same password."""
    hashed = CHEAP.hash("another password")
    office.again(hashed)
    token = office.sign_in("another password")
    assert office.refused(hashed).kind is Kind.WRONG_PASSWORD
    assert office.again(hashed).lasting(token)
    assert not office.again(CHEAP.hash("another password")).lasting(token)


def test_a_bad_hash(office: Office) -> None:
    """What only begins like a hash is refused at the start."""
    with pytest.raises(StartError, match="argon2id"):
        office.again("$argon2id$v=19$nonsense")


def test_guessing_from_one_address(office: Office) -> None:
    """After a few wrong passwords an address must wait; others need not."""
    for _ in range(int(ATTEMPTS_OF_ONE.burst)):
        assert office.refused().kind is Kind.WRONG_PASSWORD
    refused = office.refused(PASSWORD)
    assert refused.kind is Kind.RATE_LIMITED
    assert refused.retry_after == pytest.approx(1 / ATTEMPTS_OF_ONE.per_second)
    office.sign_in(address="192.0.2.2")
    assert refused.retry_after
    office.clock.advance(refused.retry_after + 0.1)
    office.sign_in()


def test_guessing_from_one_network(office: Office) -> None:
    """All addresses of an IPv6 network, which one household has, are one."""
    for number in range(int(ATTEMPTS_OF_ONE.burst)):
        office.refused(address=f"2001:db8::{number}")
    assert office.refused(PASSWORD, "2001:db8::ffff").kind is Kind.RATE_LIMITED
    office.sign_in(address="2001:db8:1::1")


def test_guessing_from_many_addresses(office: Office) -> None:
    """Many addresses together have no more than a few attempts either."""
    for number in range(int(ATTEMPTS_OF_ALL.burst)):
        assert office.refused(address=f"192.0.2.{number}").kind is Kind.WRONG_PASSWORD
    refused = office.refused(PASSWORD, "198.51.100.1")
    assert refused.kind is Kind.RATE_LIMITED
    assert refused.retry_after
    office.clock.advance(refused.retry_after + 0.1)
    office.sign_in(address="198.51.100.1")


def test_signing_in_often(office: Office) -> None:
    """A right password costs nothing."""
    for _ in range(50):
        office.sign_in()


def test_most_sessions(office: Office) -> None:
    """Sessions are bounded: one too many ends the oldest, and what goes on for it."""
    first = office.sign_in()
    ended: list[str] = []
    office.operators.begin(first, lambda: ended.append("first"))
    rest = [office.sign_in() for _ in range(MOST_SESSIONS)]
    assert not office.operators.lasting(first)
    assert ended == ["first"]
    assert all(map(office.operators.lasting, rest))
    assert len(json.loads(office.path.read_text())["sessions"]) == MOST_SESSIONS


def test_expired_sessions_are_forgotten(office: Office) -> None:
    """Sessions that are over do not stay in the file."""
    office.sign_in()
    office.wall += LASTS
    office.sign_in()
    assert len(json.loads(office.path.read_text())["sessions"]) == 1


def test_what_goes_on_for_a_session(office: Office) -> None:
    """Signing out ends what goes on for this session, and nothing that has ended already."""
    one, two = office.sign_in(), office.sign_in()
    ended: list[str] = []

    def end(name: str) -> Callable[[], None]:
        return lambda: ended.append(name)

    gone = end("gone")
    office.operators.begin(one, gone)
    office.operators.begin(one, end("one"))
    office.operators.begin(two, end("two"))
    office.operators.done(one, gone)
    office.operators.done(one, gone)
    run(office.operators.sign_out(one))
    assert ended == ["one"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"password": 1}', "\xff"])
def test_a_damaged_file(office: Office, text: str) -> None:
    """A file that makes no sense signs all out, and is said so; the daemon starts."""
    token = office.sign_in()
    office.path.write_bytes(text.encode("latin-1"))
    with capturedLogs() as events:
        again = office.again()
    assert any("damaged" in event["log_format"] for event in events)
    assert not again.lasting(token)
    office.sign_in()


def test_a_full_disk(office: Office) -> None:
    """An operator can sign in when nothing can be written: just then he must."""
    office.path.unlink()
    office.path.mkdir()
    (office.path / "in the way").touch()
    with capturedLogs() as events:
        token = office.sign_in()
    assert office.operators.lasting(token)
    assert any("cannot be written" in event["log_format"] for event in events)
    assert not list(office.path.parent.glob("operators.json.*"))


def test_a_state_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """If the file cannot be made or read at the start, that is said in a line."""
    with pytest.raises(StartError, match="cannot write"):
        Office(tmp_path / "missing")
    (tmp_path / "operators.json").mkdir()
    with pytest.raises(StartError, match="cannot read"):
        Office(tmp_path)


def test_attempts_do_not_block(office: Office) -> None:
    """Passwords are checked in a thread, one after the other."""
    office.lane.held = True
    waiting = [
        Deferred.fromCoroutine(office.operators.sign_in("192.0.2.1", text))
        for text in ("wrong", PASSWORD)
    ]
    assert not any(each.called for each in waiting)
    office.lane.step()
    assert kind(waiting[0]) is Kind.WRONG_PASSWORD
    assert not waiting[1].called
    while not waiting[1].called:
        office.lane.step()
    assert office.operators.lasting(result(waiting[1]))


def test_the_log(office: Office) -> None:
    """The log says who came in and who did not, and never a password or a token."""
    with capturedLogs() as events:
        office.refused("hunter2hunter2", "192.0.2.7")
        token = office.sign_in(address="192.0.2.8")
    lines = "\n".join(event["log_format"].format(**event) for event in events)
    assert "192.0.2.7 gave a wrong" in lines
    assert "signed in from 192.0.2.8" in lines
    assert "hunter2" not in str(events)
    assert token not in str(events)


def test_form_tokens() -> None:
    """What forms carry follows from the cookie, and does not tell it."""
    assert form_token("a") == form_token("a")
    assert form_token("a") != form_token("b")
    assert "a" * 43 not in form_token("a" * 43)


def test_the_generated_password(tmp_path: Path) -> None:
    """The first start makes a password that nobody guesses, in a file of the owner's."""
    path = tmp_path / "admin-password"
    first = find_password(None, None, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(set(first.text)) > 5
    assert len(first.text) == 29
    assert first.source == str(path)
    assert find_password(None, None, path) == first
    path.unlink()
    assert find_password(None, None, path) != first


def test_where_the_password_comes_from(tmp_path: Path) -> None:
    """The environment, then the given file, then the generated one."""
    given, generated = tmp_path / "given", tmp_path / "generated"
    given.write_text("from the file\n")
    given.chmod(0o600)
    assert find_password("from the environment", given, generated).text == "from the environment"
    with capturedLogs() as events:
        assert find_password(None, given, generated) == Password("from the file", str(given))
        assert not events
        given.chmod(0o644)
        find_password(None, given, generated)
    assert "everybody" in events[0]["log_format"]
    assert not generated.exists()


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"7 chars", b"x" * (LONGEST + 1), b"two lines\nof text", b"\xff" * 9]
)
def test_files_without_a_password(tmp_path: Path, text: bytes) -> None:
    """A file that cannot hold a password is refused, and what it holds is not shown."""
    path = tmp_path / "given"
    path.write_bytes(text)
    with pytest.raises(StartError, match="--admin-password-file") as caught:
        find_password(None, path, tmp_path / "generated")
    if text.strip():
        assert text.decode("latin-1") not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", "\udcff not UTF-8"])
def test_bad_passwords_in_the_environment(tmp_path: Path, text: str) -> None:
    """The same for the environment: an empty variable is no password."""
    with pytest.raises(StartError, match="LIVECHAT_ADMIN_PASSWORD: "):
        find_password(text, None, tmp_path / "generated")


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that was named must be there; the generated one must be possible."""
    missing: Any = tmp_path / "missing"
    with pytest.raises(StartError, match="cannot read"):
        find_password(None, missing, tmp_path / "generated")
    with pytest.raises(StartError, match="cannot write"):
        find_password(None, None, missing / "generated")


def test_an_address_that_is_known(office: Office) -> None:
    """Guessing from many addresses keeps nobody out who came from his own before."""
    office.sign_in(address="198.51.100.1")
    office.again()
    for number in range(2 * int(ATTEMPTS_OF_ALL.burst)):
        office.refused(address=f"192.0.2.{number}")
    office.sign_in(address="198.51.100.1")
    assert office.refused(PASSWORD, "198.51.100.2").kind is Kind.RATE_LIMITED
    for _ in range(int(ATTEMPTS_OF_ONE.burst)):
        assert office.refused(address="198.51.100.1").kind is Kind.WRONG_PASSWORD
    assert office.refused(address="198.51.100.1").kind is Kind.RATE_LIMITED


def test_a_disk_that_hangs(office: Office) -> None:
    """An operator is let in and out after a moment, whatever the disk does."""
    office.disk.held = True
    coming = Deferred.fromCoroutine(office.operators.sign_in("192.0.2.1", PASSWORD))
    assert not coming.called
    with capturedLogs() as events:
        office.clock.advance(2)
    token = result(coming)
    assert office.operators.lasting(token) == LASTS
    assert any("cannot be written" in event["log_format"] for event in events)
    going = Deferred.fromCoroutine(office.operators.sign_out(token))
    assert not office.operators.lasting(token)
    office.clock.advance(2)
    result(going)
    office.disk.step()


def test_expired_sessions_end(office: Office) -> None:
    """What goes on for a session that is over ends at the latest when the next one begins."""
    ended: list[str] = []
    office.operators.begin(office.sign_in(), lambda: ended.append("first"))
    office.wall += LASTS
    office.sign_in()
    assert ended == ["first"]


def test_asked_twice_for_the_same_new_password(office: Office) -> None:
    """Two SIGHUPs in a row are one: who signed in between stays."""
    office.lane.held = True
    renewals = [
        Deferred.fromCoroutine(office.operators.renew(Password("another password", "x")))
        for _ in range(2)
    ]
    while not renewals[1].called:
        office.lane.step()
    assert [result(each) for each in renewals] == [True, False]
