"""`livechat.identity.door`."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.door import Claim, Door
from livechat.interfaces import Credentials, IAuthenticator, Identity
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.messages import User
from tests.support import kind, make_door, run

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


def test_a_single_request() -> None:
    """Nobody, unless it claims to be somebody; and it is no connection that others could see."""
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


def test_turned_away() -> None:
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
