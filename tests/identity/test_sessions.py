"""`livechat.identity.sessions`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from livechat.backends.alone import STORE_WITHIN
from livechat.backends.maps import MapEntry
from livechat.errors import Kind
from livechat.identity.passwords import Password
from livechat.identity.sessions import (
    MOST_OF_ONE,
    MOST_SESSIONS,
    Session,
    session_key,
)
from tests.identity.desk import LASTS, Cluster, Desk
from tests.support import PASSWORD, result, run


@pytest.mark.parametrize("token", ["", "x", "é", "\0", "a" * 43])
def test_tokens_of_nobody(desk: Desk, token: str) -> None:
    """A token that was never given is nobody's."""
    desk.sign_in()
    assert not desk.operators.sessions.lasting(token)


def test_a_session_ends_in_time(desk: Desk) -> None:
    """A session ends when its time is over, whatever the browser still sends."""
    token = desk.sign_in()
    desk.wall += LASTS - 1
    assert desk.operators.sessions.lasting(token)
    desk.wall += 1
    assert not desk.operators.sessions.lasting(token)


def test_a_restart_signs_nobody_out(desk: Desk) -> None:
    """A restart signs nobody out, and brings nobody back."""
    stays, goes = desk.sign_in(), desk.sign_in()
    run(desk.operators.sessions.end(goes))
    again = desk.again()
    assert again.sessions.lasting(stays)
    assert not again.sessions.lasting(goes)


def test_one_session_too_many_ends_the_oldest(desk: Desk) -> None:
    """Sessions are bounded: one too many ends the oldest, and what goes on for it."""
    first = desk.sign_in()
    ended: list[str] = []
    with desk.operators.sessions.during(first, lambda: ended.append("first")):
        rest = [desk.sign_in() for _ in range(MOST_SESSIONS)]
    assert not desk.operators.sessions.lasting(first)
    assert ended == ["first"]
    assert all(map(desk.operators.sessions.lasting, rest))
    assert desk.count() == MOST_SESSIONS


def test_expired_sessions_are_forgotten(desk: Desk) -> None:
    """Sessions that are over are no sessions."""
    desk.sign_in()
    desk.wall += LASTS
    desk.sign_in()
    assert desk.sessions.count() == 1


def test_what_goes_on_for_a_session(desk: Desk) -> None:
    """Signing out ends what goes on for this session, and nothing that has ended already."""
    one, two = desk.sign_in(), desk.sign_in()
    ended: list[str] = []

    def end(name: str) -> Callable[[], None]:
        return lambda: ended.append(name)

    with (
        desk.operators.sessions.during(one, end("one")),
        desk.operators.sessions.during(one, end("one more")),
        desk.operators.sessions.during(two, end("two")),
    ):
        with desk.operators.sessions.during(one, end("gone")):
            pass
        run(desk.operators.sessions.end(one))
        assert sorted(ended) == ["one", "one more"]
        # A page may begin a stream just as its session ends.
        with desk.operators.sessions.during(one, end("late")):
            pass
    assert desk.operators.sessions._open == {}


def test_a_full_disk_lets_operators_sign_in(desk: Desk) -> None:
    """An operator can sign in when nothing can be written: just then he must."""
    desk.full = True
    with capturedLogs() as events:
        token = desk.sign_in()
    assert desk.operators.sessions.lasting(token)
    assert any("cannot be written" in event["log_format"] for event in events)
    assert desk.count() == 0
    desk.full = False
    later = desk.sign_in()
    assert desk.again().sessions.lasting(token)
    assert desk.sessions.lasting(later)


def test_a_hanging_disk_lets_operators_sign_in(desk: Desk) -> None:
    """An operator is let in and out after a moment, whatever the disk does."""
    desk.disk.held = True
    coming = Deferred.fromCoroutine(desk.operators.sign_in("192.0.2.1", PASSWORD))
    assert not coming.called
    with capturedLogs() as events:
        desk.clock.advance(STORE_WITHIN)
        desk.clock.advance(STORE_WITHIN)
    token = result(coming)
    assert desk.operators.sessions.lasting(token) == LASTS
    assert any("cannot be written" in event["log_format"] for event in events)
    going = Deferred.fromCoroutine(desk.operators.sessions.end(token))
    assert not desk.operators.sessions.lasting(token)
    desk.clock.advance(STORE_WITHIN)
    result(going)
    while desk.disk.busy():
        desk.disk.step()


def test_expired_sessions_end(desk: Desk) -> None:
    """An expired session's work ends when the next session begins, at the latest."""
    ended: list[str] = []
    with desk.operators.sessions.during(desk.sign_in(), lambda: ended.append("first")):
        desk.wall += LASTS
        desk.sign_in()
    assert ended == ["first"]


def test_a_session_holds_in_all_processes(desks: tuple[Desk, Desk]) -> None:
    """A session holds in all processes, and its end too."""
    one, two = desks
    first, second = one.sign_in(), two.sign_in()
    for desk in desks:
        assert desk.sessions.lasting(first)
        assert desk.sessions.lasting(second)
    ended: list[str] = []
    with two.sessions.during(first, lambda: ended.append("first")):
        run(one.sessions.end(first))
        assert ended == ["first"]
    assert not two.sessions.lasting(first)
    assert two.sessions.lasting(second)


def test_without_the_map_nobody_signs_in(desks: tuple[Desk, Desk], cluster: Cluster) -> None:
    """Without the map signing in fails, and existing sessions stay."""
    one, two = desks
    token = one.sign_in()
    cluster.away = True
    assert one.refused(PASSWORD).kind is Kind.UNAVAILABLE
    assert run(two.sessions.look_up(token))
    assert not run(two.sessions.look_up("x" * 43))


def test_sessions_from_before_names(desk: Desk) -> None:
    """A bare time, as versions before wrote it, is a session of the shared password."""
    token = "b" * 43
    desk.kept[f"sessions:{session_key(token)}"] = MapEntry(b"%d" % (desk.wall + 60), 0)
    session = desk.again().sessions.find(token)
    assert session == Session(int(desk.wall + 60))
    assert desk.sign_in()
    assert json.loads(next(iter(reversed(desk.kept.values()))).value) > desk.wall - 1


@pytest.mark.parametrize("value", [b"[]", b'["x"]', b'{"a":1}', b"null", b'[1,"ann"', b"1e99", b""])
def test_values_that_cannot_be_read(desk: Desk, value: bytes) -> None:
    """A session of another livechat, or a damaged one, is none."""
    token = "b" * 43
    desk.kept[f"sessions:{session_key(token)}"] = MapEntry(value, 0)
    assert desk.again().sessions.find(token) is None
    assert desk.sign_in()


@pytest.mark.parametrize("change", ["drop", "rooms", "password", "again"])
def test_changed_operators_are_signed_out(desks: tuple[Desk, Desk], change: str) -> None:
    """Changing an operator ends its sessions and their work at all processes; others stay."""
    one, two = desks
    for name in ("ann", "bob"):
        one.put(name, lobby="moderate")
    token, bobs, shared = two.sign_in(name="ann"), two.sign_in(name="bob"), two.sign_in()
    ended: list[str] = []
    with (
        two.sessions.during(token, lambda: ended.append("ann")),
        two.sessions.during(bobs, lambda: ended.append("bob")),
        two.sessions.during(shared, lambda: ended.append("shared")),
    ):
        match change:
            case "drop":
                run(one.accounts.drop("ann"))
            case "rooms":
                one.put("ann", None, lobby="send")
            case "password":
                one.put("ann", "another password", lobby="moderate")
            case "again":
                run(one.accounts.drop("ann"))
                one.put("ann", lobby="moderate")
    assert ended == ["ann"]
    for desk in desks:
        assert not desk.sessions.lasting(token)
        assert run(desk.sessions.look_up(token)) is None
        assert desk.sessions.lasting(bobs)
        assert desk.sessions.lasting(shared)


def test_a_new_shared_password_is_nothing_to_the_named(desk: Desk) -> None:
    """Operators with a password of their own stay signed in."""
    desk.put("ann", lobby="moderate")
    named, shared = desk.sign_in(name="ann"), desk.sign_in()
    run(desk.operators.renew(lambda: Password("another password", "a test")))
    assert desk.sessions.lasting(named)
    assert not desk.sessions.lasting(shared)


def test_one_operator_signs_out_only_itself(desk: Desk) -> None:
    """However often it signs in."""
    for name in ("ann", "bob"):
        desk.put(name, lobby="moderate")
    bobs, shared, first = desk.sign_in(name="bob"), desk.sign_in(), desk.sign_in(name="ann")
    rest = [desk.sign_in(name="ann") for _ in range(MOST_OF_ONE)]
    assert not desk.sessions.lasting(first)
    assert all(map(desk.sessions.lasting, [bobs, shared, *rest]))
    others = [desk.sign_in() for _ in range(MOST_SESSIONS)]
    assert not desk.sessions.lasting(shared)
    assert all(map(desk.sessions.lasting, [bobs, *rest, *others]))
