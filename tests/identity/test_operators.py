"""`livechat.identity.operators`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from livechat.errors import Kind, StartError
from livechat.identity.passwords import Password, affordable
from livechat.identity.sessions import (
    session_key,
)
from tests.identity.desk import LASTS, Cluster, Desk
from tests.support import CHEAP, PASSWORD, kind, result, run


def test_a_session_lasts_until_its_operator_signs_out(desk: Desk) -> None:
    """The password opens a new session each time, which lasts until its operator signs out."""
    one, two = desk.sign_in(), desk.sign_in()
    assert one != two
    assert len(one) == 43
    assert desk.operators.sessions.lasting(one)
    run(desk.operators.sessions.end(one))
    assert not desk.operators.sessions.lasting(one)
    assert desk.operators.sessions.lasting(two)
    run(desk.operators.sessions.end(one))
    run(desk.operators.sessions.end("nonsense"))


@pytest.mark.parametrize(
    "password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 10_000, "\0"]
)
def test_wrong_passwords_are_refused(desk: Desk, password: str) -> None:
    """A wrong password is refused, however it looks."""
    assert desk.refused(password).kind is Kind.WRONG_PASSWORD


def test_nothing_secret_is_kept(desk: Desk) -> None:
    """The file has hashes only, is readable for its owner only, and so is not a way in."""
    token = desk.sign_in()
    text = desk.path.read_text()
    assert PASSWORD not in text
    assert token not in text
    assert json.loads(text)["password"].startswith("$argon2id$")
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    assert json.loads(text).keys() == {"password"}
    assert token not in str(desk.kept)
    for key in desk.kept:
        assert not desk.sessions.lasting(key.partition(":")[2])


def test_a_new_password_signs_all_out(desk: Desk) -> None:
    """A new password at the start signs all out, and the old one is no good any more."""
    token = desk.sign_in()
    again = desk.again("another password")
    assert not again.sessions.lasting(token)
    assert desk.refused(PASSWORD).kind is Kind.WRONG_PASSWORD
    assert again.sessions.lasting(desk.sign_in("another password")) == LASTS


def test_a_new_password_while_it_runs(desk: Desk) -> None:
    """The same when it is renewed; what goes on for the signed in ends at once."""
    token = desk.sign_in()
    ended: list[str] = []
    with desk.operators.sessions.during(token, lambda: ended.append("a")):
        assert run(desk.operators.renew(lambda: Password(PASSWORD, "a test"))) is False
        assert desk.operators.sessions.lasting(token)
        assert run(desk.operators.renew(lambda: Password("another password", "a test"))) is True
    assert not desk.operators.sessions.lasting(token)
    assert ended == ["a"]
    desk.sign_in("another password")


def test_renewed_while_a_password_is_checked(desk: Desk) -> None:
    """An old password that is replaced while it is being checked is refused."""
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
    assert desk.again(hashed).sessions.lasting(token)
    assert not desk.again(CHEAP.hash("another password")).sessions.lasting(token)


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
    assert not again.sessions.lasting(token)
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


def test_an_endless_file_is_read_to_its_bound(desk: Desk) -> None:
    """A file that is too large is not read to its end."""
    desk.path.unlink()
    desk.path.symlink_to("/dev/zero")
    with capturedLogs() as events:
        desk.again()
    assert "bytes" in events[0]["reason"]
    assert not desk.path.is_symlink()
    desk.sign_in()


def test_a_bad_hash_stops_the_start(desk: Desk) -> None:
    """Text that only begins like a hash is refused at the start."""
    with pytest.raises(StartError, match="argon2id"):
        desk.again("$argon2id$v=19$nonsense")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"password": 1}', "\xff"])
def test_a_damaged_file_signs_all_out(desk: Desk, text: str) -> None:
    """A file that makes no sense signs all out, and is said so; the daemon starts."""
    token = desk.sign_in()
    desk.path.write_bytes(text.encode("latin-1"))
    with capturedLogs() as events:
        again = desk.again()
    assert any("damaged" in event["log_format"] for event in events)
    assert not again.sessions.lasting(token)
    desk.sign_in()


def test_a_state_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """If the file cannot be made or read at the start, that is said in a line."""
    with pytest.raises(StartError, match="cannot write"):
        Desk(tmp_path / "missing")
    (tmp_path / "operators.json").mkdir()
    with pytest.raises(StartError, match="cannot read"):
        Desk(tmp_path)


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


def test_a_new_password_of_several_processes(desks: tuple[Desk, Desk], cluster: Cluster) -> None:
    """A new password ends all sessions in all processes, or as soon as those can be reached."""
    one, two = desks
    token = two.sign_in()
    assert run(one.operators.renew(lambda: Password("another one", "a test")))
    assert not two.sessions.lasting(token)
    token = two.sign_in()
    cluster.away = True
    assert run(one.operators.renew(lambda: Password("a third one", "a test")))
    assert two.sessions.lasting(token)
    assert not one.sessions.lasting(token)
    cluster.away = False
    cluster.tell(())
    assert not two.sessions.lasting(token)


def test_news_of_a_sign_out_that_is_not_answered_yet(
    desks: tuple[Desk, Desk], cluster: Cluster
) -> None:
    """News of a process's own sign-out signs nobody out again."""
    one, two = desks
    token = two.sign_in()
    cluster.answer = Deferred()
    renewed = Deferred.fromCoroutine(one.operators.renew(lambda: Password("another one", "a test")))
    assert not renewed.called
    assert not two.sessions.lasting(token)
    answer, cluster.answer = cluster.answer, None
    token = two.sign_in()
    cluster.tell(())
    answer.callback(None)
    assert result(renewed)
    cluster.tell(())
    assert two.sessions.lasting(token)


def test_a_sign_out_that_failed_on_the_way(desks: tuple[Desk, Desk], cluster: Cluster) -> None:
    """A sign-out that failed on the way is repeated, and only once."""
    one, two = desks
    token = two.sign_in()
    cluster.away = True
    assert run(one.operators.renew(lambda: Password("another one", "a test")))
    cluster.away = False
    cluster.dropped = 0
    for _ in range(3):
        cluster.tell(())
    assert cluster.dropped == 2
    assert not two.sessions.lasting(token)
    assert two.sessions.lasting(two.sign_in())


def test_a_new_password_at_a_start(desks: tuple[Desk, Desk], cluster: Cluster) -> None:
    """A password changed while the process was away ends all sessions; a restart does not."""
    one, two = desks
    token = two.sign_in()
    one.again().start()
    assert one.sessions.lasting(token)
    one.again("another password").start()
    assert not two.sessions.lasting(token)


def test_a_file_that_is_gone(desk: Desk) -> None:
    """Without the file the password may be another one, so all sessions end."""
    token = desk.sign_in()
    desk.path.unlink()
    desk.again().start()
    assert not desk.sessions.lasting(token)
    assert desk.count() == 0


#: As the version before wrote it.
FORMER = {
    "sessions": {
        session_key(token): 1_790_000_000 + end for token, end in (("a" * 43, 60), ("b" * 43, -1))
    },
    "addresses": ["198.51.100.1", "198.51.100.2"],
}


def test_a_file_of_the_version_before(desk: Desk) -> None:
    """Sessions and addresses in an older version's file move to the map; its hash stays."""
    hashed = json.loads(desk.path.read_text())["password"]
    desk.path.write_text(json.dumps({"password": hashed, **FORMER}))
    desk.again().start()
    assert desk.sessions.lasting("a" * 43) == 60
    assert not desk.sessions.lasting("b" * 43)
    assert desk.sessions.knows("198.51.100.2")
    assert json.loads(desk.path.read_text()) == {"password": hashed}
    run(desk.sessions.end("a" * 43))
    desk.again().start()
    assert not desk.sessions.lasting("a" * 43)


def test_a_file_of_the_version_before_and_a_map_that_is_away(
    tmp_path: Path, cluster: Cluster
) -> None:
    """An older version's sessions move to the map as soon as it can be written."""
    desk = Desk(tmp_path, cluster)
    kept = json.loads(desk.path.read_text())
    desk.path.write_text(json.dumps({**kept, **FORMER}))
    cluster.away = True
    desk.again().start()
    assert not desk.sessions.lasting("a" * 43)
    assert json.loads(desk.path.read_text())["sessions"]
    cluster.away = False
    cluster.tell(())
    assert desk.sessions.lasting("a" * 43)
    assert json.loads(desk.path.read_text()) == kept


def test_another_password_and_a_file_of_the_version_before(desk: Desk) -> None:
    """A new password signs out those of the file too."""
    hashed = json.loads(desk.path.read_text())["password"]
    desk.path.write_text(json.dumps({"password": hashed, **FORMER}))
    desk.again("another password").start()
    assert not desk.sessions.lasting("a" * 43)
    assert desk.kept == {}


def test_a_new_operator_gets_a_password(desk: Desk) -> None:
    """A new operator gets a password if none is given; a known one keeps its own."""
    new, made = run(desk.operators.put("ann", {}, None))
    assert new
    assert desk.sign_in(made, name="ann")
    assert run(desk.operators.put("ann", {}, None)) == (False, None)
    assert desk.sign_in(made, name="ann")
    assert run(desk.operators.put("ann", {}, "another password")) == (False, None)
    assert desk.refused(made, name="ann").kind is Kind.WRONG_PASSWORD
    assert made not in str(desk.accounts.all())


@pytest.mark.parametrize("password", ["", "short", "two\nlines of it", "x" * 1_025, "half \ud800"])
def test_passwords_that_cannot_be(desk: Desk, password: str) -> None:
    putting = Deferred.fromCoroutine(desk.operators.put("ann", {}, password))
    assert kind(putting) is Kind.BAD_REQUEST
    assert desk.accounts.get("ann") is None


def test_changed_while_a_password_is_checked(desk: Desk) -> None:
    """An old password that was right when it came does not let in behind a change."""
    desk.put("ann", lobby="moderate")
    desk.lane.held = True
    coming = Deferred.fromCoroutine(desk.operators.sign_in("192.0.2.1", PASSWORD, "ann"))
    run(desk.accounts.put("ann", {}, None))
    while not coming.called:
        desk.lane.step()
    assert kind(coming) is Kind.WRONG_PASSWORD
