"""`livechat.identity.site_sessions`, behind the door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.door import Claim
from livechat.identity.site import WITHIN
from livechat.protocol.messages import User
from tests.support import LOCAL_KEY, World, kind, result
from tests.support.asked import AskedSite

MakeWorld = Callable[..., World]
COOKIE = {"cookie": ("sessionid=abc; csrftoken=x",)}
ANN: dict[str, Any] = {"verdict": "accept", "user": {"id": "42", "name": "Ann", "role": "vip"}}


@pytest.fixture
def there() -> AskedSite:
    return AskedSite("join")


@pytest.fixture
def world(make_world: MakeWorld, there: AskedSite) -> World:
    return make_world(asked=there)


def joins(world: World, **claimed: Any) -> Deferred[Actor]:
    """A client that wants to join, of a page that may use its cookies."""
    given = {"room": "r", "headers": COOKIE, "ours": True, **claimed}
    return Deferred.fromCoroutine(world.door.member(world.source("192.0.2.1"), Claim(**given)))


def test_a_session_of_a_site_is_an_identity(world: World, there: AskedSite) -> None:
    """A session of the site is an identity like a token's."""
    joining = joins(world, name="Nobody")
    asked = there.asked[0]
    assert (asked.question["about"], asked.question["room"]) == ("join", "r")
    assert (asked.question["kind"], asked.question["user"]["name"]) == ("guest", "Nobody")
    assert asked.headers["cookie"] == "sessionid=abc; csrftoken=x"
    ends = int(world.wall) + 600
    asked.says(**ANN, rooms={"r": ["join", "send"]}, expires=ends + 0.5)
    actor = result(joining)
    assert (actor.kind, actor.user) == ("user", User("42", "Ann", "vip", verified=True))
    assert actor.user is not None
    assert actor.user.subject == "u:42"
    assert actor.grants == {"r": frozenset({"join", "send"})}
    assert actor.lease is not None
    assert (actor.lease.issued, actor.lease.ends) == (int(world.wall), ends)
    assert actor.connection is not None
    assert world.chat.can(actor, "r") == ("join", "send")
    assert world.chat.can(actor, "other") == ()


@pytest.mark.parametrize("verdict", [None, "accept"])
def test_an_accepted_stranger_is_a_guest(
    world: World, there: AskedSite, verdict: str | None
) -> None:
    """A visitor whom the site accepts, and does not know, is a guest."""
    joining = joins(world, name="Bob")
    there.asked[0].says(verdict)
    actor = result(joining)
    assert actor.user is not None
    assert (actor.kind, actor.user.name, actor.lease) == ("guest", "Bob", None)


def test_a_rejected_visitor_is_told_the_reason(world: World, there: AskedSite) -> None:
    """A visitor whom the site rejects is told its reason."""
    joining = joins(world)
    there.asked[0].says("reject", reason="Log in first.")
    with pytest.raises(ChatError) as caught:
        result(joining)
    assert (caught.value.kind, caught.value.reason) == (Kind.FORBIDDEN, "Log in first.")


@pytest.mark.parametrize("failing", ["refuse", "accept"])
def test_a_hanging_site_lets_in_nobody_or_everybody(make_world: MakeWorld, failing: Any) -> None:
    """A hanging site lets nobody in, or everybody as a guest."""
    world = make_world(asked=AskedSite("join", failing=failing))
    joining = joins(world)
    world.clock.advance(WITHIN)
    if failing == "accept":
        assert result(joining).kind == "guest"
    else:
        assert kind(joining) is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    ("user", "rooms"),
    [
        ({"id": ""}, None),
        ({"id": "a b"}, None),
        ({"id": "!operator"}, None),
        ({"id": "x" * 65}, None),
        ({"id": "\u200b"}, None),
        ({"id": "42"}, {"r": ["fly"]}),
        ({"id": "42"}, {"!audit": ["*"]}),
        ({"id": "42"}, {f"r{number}": [] for number in range(101)}),
    ],
)
@pytest.mark.parametrize("failing", ["refuse", "accept"])
def test_an_identity_that_nobody_can_have_is_refused(
    make_world: MakeWorld, failing: Any, user: Any, rooms: Any
) -> None:
    """An identity that can be nobody's is not even a guest's."""
    there = AskedSite("join", failing=failing)
    there.usual = {"verdict": "accept", "user": user, "rooms": rooms}
    assert kind(joins(make_world(asked=there))) is Kind.INTERNAL


@pytest.mark.parametrize("name", ["admin", "Moderat\u043er", "\u200b", "x" * 1_000, None])
def test_names_of_a_site_do_not_pass_for_operators(
    world: World, there: AskedSite, name: str | None
) -> None:
    """Names and roles from the site cannot pass for those of the server's operators."""
    joining = joins(world)
    there.asked[0].says("accept", user={"id": "42", "name": name, "role": "operator"})
    user = result(joining).user
    assert user is not None
    assert user.role is None
    assert user.name in ("42", "x" * 40)


def test_an_identity_that_ended_is_refused(world: World, there: AskedSite) -> None:
    """An identity that is over is nobody's."""
    joining = joins(world)
    there.asked[0].says(**ANN, expires=int(world.wall))
    assert kind(joining) is Kind.TOKEN_EXPIRED


def test_a_revoked_user_stays_out_for_half_a_minute(world: World, there: AskedSite) -> None:
    """A revoked user stays out for the half minute in which a token would."""
    result(world.leases.revoke_user("42"))
    there.usual = ANN
    assert kind(joins(world)) is Kind.TOKEN_REVOKED
    world.clock.advance(32)
    assert result(joins(world)).kind == "user"


def test_token_counts_more(world: World, there: AskedSite) -> None:
    """A site that is asked about a user with a token may turn it away, and not make it another."""
    joining = joins(
        world,
        credential=world.token("7", name="Eve"),
        headers={"authorization": ("Bearer x",), **COOKIE},
    )
    assert there.asked[0].question["user"] == {"id": "7", "name": "Eve", "verified": True}
    assert "authorization" not in there.asked[0].headers
    there.asked[0].says(**ANN)
    user = result(joining).user
    assert user is not None
    assert user.id == "7"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("a=1; b=2", "c=3"), "a=1; b=2; c=3"),
        (("__Host-livechat-10443=secret; a=1; chat=token",), "a=1"),
        (('__Secure-livechat=secret;a=1 ;;  b="x"; chat2=c',), 'a=1; b="x"; chat2=c'),
        (("__Host-livechat=secret",), None),
        (("name=J\xf6rg; a=1",), "a=1"),
        ((), None),
    ],
)
def test_the_site_is_shown_no_cookie_of_livechat(
    world: World, there: AskedSite, lines: tuple[str, ...], expected: str | None
) -> None:
    """The site is shown no cookie of livechat's own: they would let it in at the admin page."""
    joins(world, headers={"cookie": lines}).addErrback(lambda _: None)
    assert there.asked[0].headers.get("cookie") == expected


def test_a_foreign_page_is_not_shown_as_its_visitor(world: World, there: AskedSite) -> None:
    """A page that may not use the visitor's cookies is not shown to the site as the visitor."""
    headers = {**COOKIE, "authorization": ("Basic eDp5",), "origin": ("https://evil.example",)}
    joins(world, headers=headers, ours=False).addErrback(lambda _: None)
    assert not {"cookie", "authorization"} & set(there.asked[0].headers)


@pytest.mark.parametrize(
    ("given", "credential", "expected"),
    [
        ("Basic eDp5", None, "Basic eDp5"),
        ("Bearer opaque", "opaque", "Bearer opaque"),
        (None, "opaque", "Bearer opaque"),
        ("Bearer lck_x_y", None, None),
        (None, None, None),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_foreign_credentials_are_shown_to_the_site(
    world: World,
    there: AskedSite,
    given: str | None,
    credential: str | None,
    expected: str | None,
    ours: bool,
) -> None:
    """A program's own credentials, and a page's, are shown if they are no key or token of ours."""
    headers = {} if given is None else {"authorization": (given,)}
    joins(world, headers=headers, credential=credential, ours=ours).addErrback(lambda _: None)
    assert there.asked[0].headers.get("authorization") == expected


def test_key_is_shown_to_nobody(world: World, there: AskedSite) -> None:
    """A key is no business of the site's, whether it counts or not."""
    headers = {"authorization": (f"Bearer {LOCAL_KEY}",)}
    joins(world, headers=headers, credential=LOCAL_KEY, here=True, ours=False).addErrback(print)
    assert there.asked[0].question["kind"] == "key"
    assert "authorization" not in there.asked[0].headers
    broken = joins(world, headers={}, credential="lck_nobody_x", ours=False)
    assert kind(broken) is Kind.UNAUTHORIZED
    assert len(there.asked) == 1


def test_requests_are_not_asked_about(world: World, there: AskedSite) -> None:
    """Single requests join nothing."""
    caller = world.door.caller(world.source("192.0.2.1"), Claim("Ann", room="r"))
    assert result(Deferred.fromCoroutine(caller)).kind == "guest"
    member = world.door.member(world.source("192.0.2.1"), Claim("Ann"))
    assert result(Deferred.fromCoroutine(member)).kind == "guest"
    assert not there.asked
