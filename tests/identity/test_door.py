"""`livechat.identity.door`."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from livechat.errors import ChatError, Kind
from livechat.identity.actor import GUESTS_RIGHTS, Actor
from livechat.identity.door import Claim, Door
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from tests.support import kind, run

SOURCE = Source("192.0.2.1", Rate.of(0))
KEY = "abcdefghijklmnop"


def member(claim: Claim, secret: bytes = b"s") -> Actor:
    made: Actor = run(Door(lambda: succeed(secret)).member(SOURCE, claim))
    return made


def caller(claim: Claim) -> Actor:
    made: Actor = run(Door(lambda: succeed(b"s")).caller(SOURCE, claim))
    return made


def test_the_secret_cannot_be_read() -> None:
    """A client with a key is refused; one without a key needs no secret."""
    door = Door(lambda: fail(ChatError(Kind.UNAVAILABLE, "away")))
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
    assert (one.kind, one.source, one.rights) == ("guest", SOURCE, GUESTS_RIGHTS)


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
