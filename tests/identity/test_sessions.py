"""`livechat.identity.sessions`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from livechat.backends.alone import STORE_WITHIN
from livechat.errors import Kind
from livechat.identity.sessions import (
    MOST_SESSIONS,
)
from tests.identity.desk import LASTS, Cluster, Desk
from tests.support import PASSWORD, result, run


@pytest.mark.parametrize("token", ["", "x", "é", "\0", "a" * 43])
def test_tokens_of_nobody(desk: Desk, token: str) -> None:
    """A token that was never given is nobody's."""
    desk.sign_in()
    assert not desk.operators.sessions.lasting(token)


def test_expiry(desk: Desk) -> None:
    """A session ends when its time is over, whatever the browser still sends."""
    token = desk.sign_in()
    desk.wall += LASTS - 1
    assert desk.operators.sessions.lasting(token)
    desk.wall += 1
    assert not desk.operators.sessions.lasting(token)


def test_restart(desk: Desk) -> None:
    """A restart signs nobody out, and brings nobody back."""
    stays, goes = desk.sign_in(), desk.sign_in()
    run(desk.operators.sessions.end(goes))
    again = desk.again()
    assert again.sessions.lasting(stays)
    assert not again.sessions.lasting(goes)


def test_most_sessions(desk: Desk) -> None:
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


def test_a_full_disk(desk: Desk) -> None:
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


def test_a_disk_that_hangs(desk: Desk) -> None:
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
    """What goes on for a session that is over ends at the latest when the next one begins."""
    ended: list[str] = []
    with desk.operators.sessions.during(desk.sign_in(), lambda: ended.append("first")):
        desk.wall += LASTS
        desk.sign_in()
    assert ended == ["first"]


def test_several_processes(desks: tuple[Desk, Desk]) -> None:
    """Who is signed in to one is signed in to all, and signed out of all."""
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


def test_the_map_is_away(desks: tuple[Desk, Desk], cluster: Cluster) -> None:
    """Then nobody can sign in, and who is signed in stays so."""
    one, two = desks
    token = one.sign_in()
    cluster.away = True
    assert one.refused(PASSWORD).kind is Kind.UNAVAILABLE
    assert run(two.sessions.look_up(token))
    assert not run(two.sessions.look_up("x" * 43))
