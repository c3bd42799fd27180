"""`livechat.identity.operators`."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface import implementer
from zope.interface.verify import verifyObject

from livechat.errors import ChatError, Kind, StartError
from livechat.identity.operators import (
    ATTEMPTS_OF_ALL,
    ATTEMPTS_OF_ONE,
    LARGEST,
    MOST_SESSIONS,
    Operators,
)
from livechat.identity.passwords import Password, affordable
from livechat.interfaces import IShelf
from livechat.system.time import Time
from tests.support import CHEAP, PASSWORD, Lane, kind, result, run

LASTS = 3_600


class Desk:
    """Operators in a directory, at a time that the test moves."""

    def __init__(self, directory: Path, shelf: Shelf | None = None) -> None:
        self.shelf = shelf
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
            Time(self.clock, lambda: self.wall),
            hashing=self.lane,
            saving=self.disk,
            lasts=LASTS,
            hasher=CHEAP,
            shelf=self.shelf,
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
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_signing_in_and_out(desk: Desk) -> None:
    """Who knows the password is signed in, each time anew, until he signs out."""
    one, two = desk.sign_in(), desk.sign_in()
    assert one != two
    assert len(one) == 43
    assert desk.operators.lasting(one)
    run(desk.operators.sign_out(one))
    assert not desk.operators.lasting(one)
    assert desk.operators.lasting(two)
    run(desk.operators.sign_out(one))
    run(desk.operators.sign_out("nonsense"))


@pytest.mark.parametrize("token", ["", "x", "é", "\0", "a" * 43])
def test_tokens_of_nobody(desk: Desk, token: str) -> None:
    """A token that was never given is nobody's."""
    desk.sign_in()
    assert not desk.operators.lasting(token)


@pytest.mark.parametrize(
    "password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 10_000, "\0"]
)
def test_wrong_passwords(desk: Desk, password: str) -> None:
    """A wrong password is refused, however it looks."""
    assert desk.refused(password).kind is Kind.WRONG_PASSWORD


def test_expiry(desk: Desk) -> None:
    """A session ends when its time is over, whatever the browser still sends."""
    token = desk.sign_in()
    desk.wall += LASTS - 1
    assert desk.operators.lasting(token)
    desk.wall += 1
    assert not desk.operators.lasting(token)


def test_nothing_secret_is_kept(desk: Desk) -> None:
    """The file has hashes only, is readable for its owner only, and so is not a way in."""
    token = desk.sign_in()
    text = desk.path.read_text()
    assert PASSWORD not in text
    assert token not in text
    assert json.loads(text)["password"].startswith("$argon2id$")
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    for key in json.loads(text)["sessions"]:
        assert not desk.operators.lasting(key)


def test_restart(desk: Desk) -> None:
    """A restart signs nobody out, and brings nobody back."""
    stays, goes = desk.sign_in(), desk.sign_in()
    run(desk.operators.sign_out(goes))
    again = desk.again()
    assert again.lasting(stays)
    assert not again.lasting(goes)


def test_a_new_password(desk: Desk) -> None:
    """A new password at the start signs all out, and the old one is no good any more."""
    token = desk.sign_in()
    again = desk.again("another password")
    assert not again.lasting(token)
    assert desk.refused(PASSWORD).kind is Kind.WRONG_PASSWORD
    assert again.lasting(desk.sign_in("another password")) == LASTS


def test_a_new_password_while_it_runs(desk: Desk) -> None:
    """The same when it is renewed; what goes on for the signed in ends at once."""
    token = desk.sign_in()
    ended: list[str] = []
    with desk.operators.during(token, lambda: ended.append("a")):
        assert run(desk.operators.renew(lambda: Password(PASSWORD, "a test"))) is False
        assert desk.operators.lasting(token)
        assert run(desk.operators.renew(lambda: Password("another password", "a test"))) is True
    assert not desk.operators.lasting(token)
    assert ended == ["a"]
    desk.sign_in("another password")


def test_renewed_while_a_password_is_checked(desk: Desk) -> None:
    """Who gave the old password while it was replaced does not come in."""
    desk.lane.held = True
    renewed = Deferred.fromCoroutine(
        desk.operators.renew(lambda: Password("another password", "x"))
    )
    coming = Deferred.fromCoroutine(desk.operators.sign_in("192.0.2.1", PASSWORD))
    while not (renewed.called and coming.called):
        desk.lane.step()
    assert result(renewed)
    assert kind(coming) is Kind.WRONG_PASSWORD


def test_a_hash_in_place_of_the_password(desk: Desk) -> None:
    """The password can be given as its hash; the same hash again is the same password."""
    hashed = CHEAP.hash("another password")
    desk.again(hashed)
    token = desk.sign_in("another password")
    assert desk.refused(hashed).kind is Kind.WRONG_PASSWORD
    assert desk.again(hashed).lasting(token)
    assert not desk.again(CHEAP.hash("another password")).lasting(token)


#: Hashes that take hours, all memory, or thousands of threads to check.
ABSURD = [
    "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$",
    "$argon2id$v=19$m=65536,t=4294967295,p=4$c29tZXNhbHQ$",
    "$argon2id$v=19$m=8,t=200000,p=1$c29tZXNhbHQ$",
    "$argon2id$v=19$m=262144,t=100,p=4$c29tZXNhbHQ$",
    "$argon2id$v=19$m=1048576,t=1,p=16777215$c29tZXNhbHQ$",
    "$argon2d$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$",
]
DIGEST = "aGFzaGhhc2hoYXNoaGFzaA"


@pytest.mark.parametrize("costs", ABSURD)
def test_a_file_with_a_hash_of_absurd_cost(desk: Desk, costs: str) -> None:
    """A file with a hash of absurd cost is damaged: one line, and the daemon starts at once."""
    token = desk.sign_in()
    kept = json.loads(desk.path.read_text())
    desk.path.write_text(json.dumps({**kept, "password": costs + DIGEST}))
    with capturedLogs() as events:
        again = desk.again()
    (event,) = events
    assert "costs too much" in event["reason"]
    assert not again.lasting(token)
    desk.sign_in()


@pytest.mark.parametrize("costs", [each for each in ABSURD if "argon2id" in each])
def test_a_password_with_a_hash_of_absurd_cost(desk: Desk, costs: str) -> None:
    """Wherever it is from, it is refused in a line: at the start, and at a renewal."""
    with pytest.raises(StartError, match=r"^a test: this hash costs too much"):
        desk.again(costs + DIGEST)
    desk.again()
    renewal = Deferred.fromCoroutine(desk.operators.renew(lambda: Password(costs + DIGEST, "x")))
    with pytest.raises(StartError, match="costs too much"):
        result(renewal)
    desk.sign_in()


def test_a_hash_of_the_highest_cost_that_is_recommended() -> None:
    """RFC 9106's first choice may be used."""
    assert affordable("$argon2id$v=19$m=2097152,t=1,p=4$c29tZXNhbHQ$" + DIGEST)


def test_an_endless_file(desk: Desk) -> None:
    """A file that is too large is not read to its end."""
    desk.path.unlink()
    desk.path.symlink_to("/dev/zero")
    with capturedLogs() as events:
        desk.again()
    assert "bytes" in events[0]["reason"]
    assert not desk.path.is_symlink()
    desk.sign_in()


def test_a_bad_hash(desk: Desk) -> None:
    """What only begins like a hash is refused at the start."""
    with pytest.raises(StartError, match="argon2id"):
        desk.again("$argon2id$v=19$nonsense")


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


def test_signing_in_often(desk: Desk) -> None:
    """A right password costs nothing."""
    for _ in range(50):
        desk.sign_in()


def test_most_sessions(desk: Desk) -> None:
    """Sessions are bounded: one too many ends the oldest, and what goes on for it."""
    first = desk.sign_in()
    ended: list[str] = []
    with desk.operators.during(first, lambda: ended.append("first")):
        rest = [desk.sign_in() for _ in range(MOST_SESSIONS)]
    assert not desk.operators.lasting(first)
    assert ended == ["first"]
    assert all(map(desk.operators.lasting, rest))
    assert len(json.loads(desk.path.read_text())["sessions"]) == MOST_SESSIONS


def test_expired_sessions_are_forgotten(desk: Desk) -> None:
    """Sessions that are over do not stay in the file."""
    desk.sign_in()
    desk.wall += LASTS
    desk.sign_in()
    assert len(json.loads(desk.path.read_text())["sessions"]) == 1


def test_what_goes_on_for_a_session(desk: Desk) -> None:
    """Signing out ends what goes on for this session, and nothing that has ended already."""
    one, two = desk.sign_in(), desk.sign_in()
    ended: list[str] = []

    def end(name: str) -> Callable[[], None]:
        return lambda: ended.append(name)

    with (
        desk.operators.during(one, end("one")),
        desk.operators.during(one, end("one more")),
        desk.operators.during(two, end("two")),
    ):
        with desk.operators.during(one, end("gone")):
            pass
        run(desk.operators.sign_out(one))
        assert sorted(ended) == ["one", "one more"]
        # A page may begin a stream just as its session ends.
        with desk.operators.during(one, end("late")):
            pass
    assert desk.operators._open == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"password": 1}', "\xff"])
def test_a_damaged_file(desk: Desk, text: str) -> None:
    """A file that makes no sense signs all out, and is said so; the daemon starts."""
    token = desk.sign_in()
    desk.path.write_bytes(text.encode("latin-1"))
    with capturedLogs() as events:
        again = desk.again()
    assert any("damaged" in event["log_format"] for event in events)
    assert not again.lasting(token)
    desk.sign_in()


def test_a_full_disk(desk: Desk) -> None:
    """An operator can sign in when nothing can be written: just then he must."""
    desk.path.unlink()
    desk.path.mkdir()
    (desk.path / "in the way").touch()
    with capturedLogs() as events:
        token = desk.sign_in()
    assert desk.operators.lasting(token)
    assert any("cannot be written" in event["log_format"] for event in events)
    assert list(desk.path.parent.iterdir()) == [desk.path]


def test_a_state_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """If the file cannot be made or read at the start, that is said in a line."""
    with pytest.raises(StartError, match="cannot write"):
        Desk(tmp_path / "missing")
    (tmp_path / "operators.json").mkdir()
    with pytest.raises(StartError, match="cannot read"):
        Desk(tmp_path)


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
    assert desk.operators.lasting(result(waiting[1]))


def test_the_log(desk: Desk) -> None:
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


def test_a_disk_that_hangs(desk: Desk) -> None:
    """An operator is let in and out after a moment, whatever the disk does."""
    desk.disk.held = True
    coming = Deferred.fromCoroutine(desk.operators.sign_in("192.0.2.1", PASSWORD))
    assert not coming.called
    with capturedLogs() as events:
        desk.clock.advance(2)
    token = result(coming)
    assert desk.operators.lasting(token) == LASTS
    assert any("cannot be written" in event["log_format"] for event in events)
    going = Deferred.fromCoroutine(desk.operators.sign_out(token))
    assert not desk.operators.lasting(token)
    desk.clock.advance(2)
    result(going)
    desk.disk.step()


def test_expired_sessions_end(desk: Desk) -> None:
    """What goes on for a session that is over ends at the latest when the next one begins."""
    ended: list[str] = []
    with desk.operators.during(desk.sign_in(), lambda: ended.append("first")):
        desk.wall += LASTS
        desk.sign_in()
    assert ended == ["first"]


def test_asked_twice_for_the_same_new_password(desk: Desk) -> None:
    """Two SIGHUPs in a row are one: who signed in between stays."""
    desk.lane.held = True
    renewals = [
        Deferred.fromCoroutine(desk.operators.renew(lambda: Password("another password", "x")))
        for _ in range(2)
    ]
    while not renewals[1].called:
        desk.lane.step()
    assert [result(each) for each in renewals] == [True, False]


@implementer(IShelf)
class Shelf:
    """What two processes have, in memory; away while `away` is set."""

    def __init__(self) -> None:
        self.document = b""
        self.away = False
        self.watchers: list[Callable[[], None]] = []
        self.replaced = 0
        #: Replacing is told to the watchers, but not answered before it fires.
        self.answer: Deferred[bool] | None = None
        #: Is called before the next replacing.
        self.meanwhile: Callable[[], None] | None = None

    def read(self) -> Deferred[bytes]:
        return fail(ChatError(Kind.UNAVAILABLE, "away")) if self.away else succeed(self.document)

    def replace(self, before: bytes, after: bytes) -> Deferred[bool]:
        if self.away:
            return fail(ChatError(Kind.UNAVAILABLE, "away"))
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if before != self.document:
            return succeed(False)
        self.document = after
        self.replaced += 1
        for each in self.watchers:
            each()
        return self.answer or succeed(True)

    def watch(self, changed: Callable[[], None]) -> None:
        self.watchers.append(changed)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def desks(tmp_path: Path, shelf: Shelf) -> tuple[Desk, Desk]:
    """Two processes of one cluster."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(Desk(tmp_path / name, shelf))
        made[-1].operators.start()
    return made[0], made[1]


def test_several_processes(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """Who is signed in to one is signed in to all, and signed out of all."""
    one, two = desks
    assert verifyObject(IShelf, shelf)
    first, second = one.sign_in(), two.sign_in()
    for desk in desks:
        assert desk.operators.lasting(first)
        assert desk.operators.lasting(second)
    ended: list[str] = []
    with two.operators.during(first, lambda: ended.append("first")):
        run(one.operators.sign_out(first))
        assert ended == ["first"]
    assert not two.operators.lasting(first)
    assert two.operators.lasting(second)


def test_a_session_that_was_not_told_of(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """Its browser may be here before the news."""
    one, two = desks
    shelf.watchers.clear()
    token = one.sign_in()
    assert not two.operators.lasting(token)
    assert run(two.operators.look_up(token))
    assert not run(two.operators.look_up("x" * 43))


def test_signing_in_at_the_same_time(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """Neither is lost; where others never cease, one is told to try again."""
    one, two = desks
    tokens: list[str] = []
    shelf.meanwhile = lambda: tokens.append(two.sign_in())
    tokens.append(one.sign_in())
    for desk in desks:
        assert all(desk.operators.lasting(token) for token in tokens)

    def without_end() -> None:
        shelf.document += b" "
        shelf.meanwhile = without_end

    shelf.meanwhile = without_end
    assert one.refused(PASSWORD).kind is Kind.UNAVAILABLE


def test_the_shelf_is_away(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """Then nobody can sign in, and who is signed in stays so."""
    one, two = desks
    token = one.sign_in()
    shelf.away = True
    assert one.refused(PASSWORD).kind is Kind.UNAVAILABLE
    assert run(two.operators.look_up(token))
    assert not run(two.operators.look_up("x" * 43))


def test_a_new_password_of_several_processes(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """It signs all out, of all; if they cannot be told, as soon as they can."""
    one, two = desks
    token = two.sign_in()
    assert run(one.operators.renew(lambda: Password("another one", "a test")))
    assert not two.operators.lasting(token)
    token = two.sign_in()
    shelf.away = True
    assert run(one.operators.renew(lambda: Password("a third one", "a test")))
    assert two.operators.lasting(token)
    shelf.away = False
    for each in shelf.watchers:
        each()
    assert not two.operators.lasting(token)


def test_news_of_a_sign_out_that_is_not_answered_yet(
    desks: tuple[Desk, Desk], shelf: Shelf
) -> None:
    """News of a process's own sign-out signs nobody out again."""
    one, two = desks
    token = two.sign_in()
    shelf.replaced = 0
    shelf.answer = Deferred()
    renewed = Deferred.fromCoroutine(one.operators.renew(lambda: Password("another one", "a test")))
    assert not renewed.called
    assert shelf.replaced == 1
    assert not two.operators.lasting(token)
    answer, shelf.answer = shelf.answer, None
    answer.callback(True)
    assert result(renewed)
    token = two.sign_in()
    for each in shelf.watchers:
        each()
    assert two.operators.lasting(token)


def test_a_sign_out_that_failed_on_the_way(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """One of which nobody knows whether it was done is done again."""
    one, two = desks
    shelf.answer = fail(ChatError(Kind.UNAVAILABLE, "away"))
    assert run(one.operators.renew(lambda: Password("another one", "a test")))
    shelf.answer = None
    shelf.replaced = 0
    for each in 2 * shelf.watchers:
        each()
    assert shelf.replaced == 1
    assert two.operators.lasting(two.sign_in())


def test_a_new_password_at_a_start(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """One that was changed while the process was away signs all out; a restart does not."""
    one, two = desks
    token = two.sign_in()
    one.again().start()
    for each in tuple(shelf.watchers):
        each()
    assert one.operators.lasting(token)
    one.again("another password").start()
    for each in tuple(shelf.watchers):
        each()
    assert not two.operators.lasting(token)
    assert "sessions" in json.loads(shelf.document)
    assert json.loads(one.path.read_bytes())["sessions"] == {}


def test_a_damaged_shelf(desks: tuple[Desk, Desk], shelf: Shelf) -> None:
    """Nobody is signed in by it, and it is mended by the next one."""
    one, two = desks
    for document in (b"{", b"\xff", b"[]", b" " * LARGEST + b"{}"):
        shelf.document = document
        with capturedLogs() as events:
            token = one.sign_in()
        assert "damaged" in events[0]["log_format"]
        assert two.operators.lasting(token)
