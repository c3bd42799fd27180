"""`livechat.identity.door`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.identity.actor import ALL_GRANTS, Actor
from livechat.identity.door import Claim, Door
from livechat.identity.tokens import Tokens
from livechat.interfaces import Credentials, IAuthenticator, Identity
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.messages import User
from livechat.system.time import Time
from tests.support import LOCAL_KEY, kind, make_door, make_keys, run

SOURCE = Source("192.0.2.1", Rate.of(0))
KEY = "abcdefghijklmnop"


def member(claim: Claim, secret: bytes = b"s") -> Actor:
    made: Actor = run(make_door(lambda: succeed(secret)).member(SOURCE, claim))
    return made


def caller(claim: Claim) -> Actor:
    made: Actor = run(make_door(lambda: succeed(b"s")).caller(SOURCE, claim))
    return made


def test_the_secret_cannot_be_read() -> None:
    """A client with a key is refused; one without a key needs no secret."""
    door = make_door(lambda: fail(ChatError(Kind.UNAVAILABLE, "away")))
    for made in (door.member, door.caller):
        assert kind(Deferred.fromCoroutine(made(SOURCE, Claim(key=KEY)))) is Kind.UNAVAILABLE
        assert run(made(SOURCE, Claim("Ann"))).user.name == "Ann"


def test_a_member_without_a_key() -> None:
    """The user is the connection, another one each time, and has a name all the same."""
    one, two = member(Claim()), member(Claim())
    assert one.user is not None
    assert one.user.id == one.connection != two.connection
    assert one.user.name.startswith("guest-")
    assert not one.returns
    assert (one.kind, one.source, one.grants) == ("guest", SOURCE, None)


def test_a_member_with_a_key() -> None:
    """The same user on another connection."""
    one, two = member(Claim("Ann", KEY)), member(Claim("Ann", KEY))
    assert one.user == two.user
    assert one.connection != two.connection
    assert one.returns
    assert member(Claim("Ann", KEY), b"t").user != one.user


def test_a_single_request_is_no_visible_connection() -> None:
    """A single request is anonymous unless it claims a name, and is no visible connection."""
    assert caller(Claim()).user is None
    ann = caller(Claim("Ann"))
    assert ann.user is not None
    assert (ann.user.name, ann.returns, ann.connection) == ("Ann", False, None)
    again = caller(Claim("Ann", KEY))
    assert (again.user, again.returns) == (member(Claim("Ann", KEY)).user, True)


@implementer(IAuthenticator)
class Header:
    """Knows clients by a header."""

    def __init__(self) -> None:
        self.asked: list[Credentials] = []

    def authenticate(self, credentials: Credentials) -> Identity | None:
        self.asked.append(credentials)
        if credentials.header("X-Bad"):
            raise ChatError(Kind.FORBIDDEN, "Not you.")
        known_as = credentials.header("X-User")
        return Identity(known_as, "Ann") if known_as else None


def door(authenticator: IAuthenticator) -> Door:
    return make_door(lambda: succeed(b"s"), authenticator)


def test_a_client_turned_away_has_no_actor() -> None:
    """A client that an authenticator turns away gets no actor, whatever it claims to be."""
    made = door(Header())
    for claim in (Claim(headers={"x-bad": ("1",)}), Claim("Ann", KEY, {"x-bad": ("1",)})):
        for enters in (made.member, made.caller):
            assert kind(Deferred.fromCoroutine(enters(SOURCE, claim))) is Kind.FORBIDDEN


def test_known_to_an_authenticator() -> None:
    """The site's word counts, and the client's own does not; the user is the same each time."""
    made, claim = door(Header()), Claim("Eve", KEY, {"x-user": ("42",)})
    one, two, single = (
        run(enters(SOURCE, claim)) for enters in (made.member,) * 2 + (made.caller,)
    )
    assert one.user == two.user == single.user == User("42", "Ann", verified=True)
    assert {each.kind for each in (one, two, single)} == {"user"}
    assert one.returns
    assert single.returns
    assert one.connection != two.connection
    assert single.connection is None


def test_unknown_to_authenticators() -> None:
    """A client that no authenticator knows is a guest; they see what it brings."""
    header = Header()
    made = door(header)
    guest = run(made.member(SOURCE, Claim("Bob", headers={"x": ("1",)}, proxied=True)))
    assert (guest.kind, guest.user.name) == ("guest", "Bob")
    assert header.asked == [Credentials({"x": ("1",)}, "192.0.2.1", proxied=True)]
    assert run(made.caller(SOURCE, Claim())).user is None


NOW = 1_790_000_000


class BackEnds:
    """A door for keys."""

    def __init__(self) -> None:
        self.time = Time(Clock(), lambda: NOW)
        self.keys = make_keys(self.time)
        self.door = make_door(lambda: succeed(b"s"), time=self.time, keys=self.keys)

    def key(self, **more: Any) -> str:
        _, credential = run(self.keys.add("news", {"news": ["send"]}, **more))
        return str(credential)

    def caller(self, credential: str, **more: Any) -> Actor:
        made: Actor = run(self.door.caller(SOURCE, Claim(credential=credential, **more)))
        return made

    def refusal(self, credential: str, **more: Any) -> Kind:
        claim = Claim(credential=credential, **more)
        found = {
            kind(Deferred.fromCoroutine(enters(SOURCE, claim)))
            for enters in (self.door.caller, self.door.member)
        }
        (only,) = found
        return only


@pytest.mark.parametrize("header", ["origin", "sec-fetch-site"])
def test_a_key_in_a_browser_is_refused(header: str) -> None:
    """The key is refused, right or wrong, before it is looked at."""
    desk = BackEnds()
    for credential in (desk.key(), f"lck_x_{'w' * 43}", LOCAL_KEY):
        headers = {header: ("https://localhost",)}
        assert desk.refusal(credential, headers=headers, here=True) is Kind.FORBIDDEN


def test_a_bad_key_lets_nothing_else_count() -> None:
    """Neither does the client's own word count then, nor an authenticator's."""
    desk = BackEnds()
    for credential in ("lck_", f"lck_x_{'w' * 43}", LOCAL_KEY):
        assert desk.refusal(credential, name="Ann", key=KEY) is Kind.UNAUTHORIZED


def test_a_back_end_is_a_user_where_it_is_a_member() -> None:
    """A key has no user in a request, and its own where it is a member."""
    desk = BackEnds()
    credential = desk.key(rate=7, expires=NOW + 60)
    actor = desk.caller(credential, name="Eve", key=KEY)
    assert (actor.kind, actor.user, actor.name, actor.rate) == ("key", None, "news", 7)
    assert (actor.returns, actor.as_users) == (True, False)
    assert actor.grants == {"news": frozenset({"send"})}
    assert actor.lease is not None
    assert (actor.lease.key, actor.lease.ends) == (credential.split("_")[1], NOW + 60)
    member = run(desk.door.member(SOURCE, Claim(credential=credential)))
    assert member.user == User(f"!key:{actor.lease.key}", "news", verified=True)
    assert member.connection


def test_a_reserved_name_of_a_key() -> None:
    """No key looks like an operator."""
    desk = BackEnds()
    _, credential = run(desk.keys.add("Operator", {}))
    member = run(desk.door.member(SOURCE, Claim(credential=credential)))
    assert member.user.name == f"key-{credential.split('_')[1]}"


def test_a_key_may_name_users() -> None:
    """Only a key that may names users, whom it makes nobody whom a token could not."""
    desk = BackEnds()
    ann = Identity("42", "Ann", "vip")
    assert desk.refusal(desk.key(), user=ann) is Kind.FORBIDDEN
    credential = desk.key(as_users=True)
    actor = desk.caller(credential, user=ann)
    assert actor.user == User("42", "Ann", "vip", verified=True)
    assert (actor.kind, actor.grants) == ("key", {"news": frozenset({"send"})})
    for known_as in ("a!b", "!operator", "", "x" * 65, "a b", "\u200b"):
        assert desk.refusal(credential, user=Identity(known_as)) is Kind.BAD_REQUEST
    assert desk.caller(credential, user=Identity("7", "Operator", "moderator")).user == User(
        "7", "7", verified=True
    )


def test_the_local_key_has_all_rights_from_this_machine() -> None:
    """The local key has all rights from this machine, and may name users."""
    actor = BackEnds().caller(LOCAL_KEY, here=True)
    assert (actor.kind, actor.name, actor.as_users) == ("key", "local", True)
    assert actor.grants == ALL_GRANTS


def test_a_key_is_not_renewed() -> None:
    """No token takes its place, of the user for whom it acts neither."""
    desk = BackEnds()
    actor = desk.caller(desk.key(as_users=True), user=Identity("42"))
    tokens = Tokens(lambda: succeed(b"s"), desk.time, 3_600)
    minted = run(tokens.mint("42"))
    assert kind(Deferred.fromCoroutine(desk.door.renew(actor, minted.token))) is Kind.FORBIDDEN
