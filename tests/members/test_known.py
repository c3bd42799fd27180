"""Connections that came with a token: its end, its renewal, its revocation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.door import Claim
from livechat.identity.leases import EXPIRING, GRACE, SKEW
from livechat.members.base import JoinRequest
from livechat.members.plain import PlainSession
from livechat.members.session import ASK_RATE, Session
from tests.members.session_client import Client
from tests.support import ANN, RecordingClient, World, kind, result, run

NOW = 1_790_000_000
HOUR = 3_600


def rights(client: Client) -> list[Any]:
    return client.hears("rights")


def codes(client: Client) -> list[str]:
    return [each["error"]["code"] for each in client.hears("error")]


def closed(client: RecordingClient) -> Kind | None:
    """Why it was turned away."""
    return client.refused.kind if client.refused else None


def test_hello_says_who_the_site_knows(world: World) -> None:
    """The hello says who the site says one is, what one may do, and until when."""
    client = Client(world, token=world.token(name="Ann", role="vip"), name="Eve")
    hello = client.heard()[0]
    assert hello["user"] == {"id": "42", "name": "Ann", "role": "vip", "verified": True}
    assert (hello["can"], hello["expires"]) == (["join", "history", "send"], NOW + HOUR)


def test_rights_of_a_token_replace_those_of_users(world: World) -> None:
    """A token's rooms replace the rights of all users; other rooms cannot be entered."""
    token = world.token(rooms={"r": ["join"], "other": ["*"]})
    client = Client(world, token=token)
    assert client.heard()[0]["can"] == ["join"]
    client.sends({"message": "x"}, {"type": "typing"}, {"type": "history"})
    assert codes(client) == ["forbidden"] * 3
    assert kind(Client(world, "elsewhere", token=token).opening) is Kind.FORBIDDEN
    assert Client(world, "other", token=token).heard()[0]["can"][-1] == "manage"


def test_the_end_of_a_token_is_told_and_closes(world: World) -> None:
    """The client is told a minute before; behind it nothing is done, and soon it closes."""
    client = Client(world, token=world.token(seconds=90))
    client.heard()
    world.clock.advance(90 - EXPIRING - 1)
    assert rights(client) == []
    world.clock.advance(1)
    assert rights(client) == [
        {
            "type": "rights",
            "can": ["join", "history", "send"],
            "expires": NOW + 90,
            "expiring": True,
        }
    ]
    client.sends({"message": "in time"})
    world.clock.advance(EXPIRING)
    client.sends({"message": "too late"})
    assert codes(client) == ["token_expired"]
    assert closed(client) is None
    world.clock.advance(GRACE)
    assert closed(client) is Kind.TOKEN_EXPIRED


def test_hardly_any_time_left(world: World) -> None:
    """A client that comes with a token which is about to end is told so behind its hello."""
    client = Client(world, token=world.token(seconds=30))
    assert [each["type"] for each in client.heard()][:2] == ["hello", "rights"]


def test_a_renewal_counts_from_now_on(world: World) -> None:
    """Another token of the same user: its end and its rights count from now on."""
    client = Client(world, token=world.token(seconds=90, rooms={"r": ["join", "send"]}))
    world.clock.advance(80)
    client.heard()
    client.sends({"type": "auth", "token": world.token(seconds=90, rooms={"r": ["join"]})})
    assert rights(client) == [{"type": "rights", "can": ["join"], "expires": NOW + 80 + 90}]
    client.sends({"message": "x"})
    assert codes(client) == ["forbidden"]
    world.clock.advance(90 - EXPIRING - 1)
    assert rights(client) == []
    world.clock.advance(EXPIRING + GRACE + 1)
    assert closed(client) is Kind.TOKEN_EXPIRED


def test_renewal_without_the_room(world: World) -> None:
    """A token by which one may not be here ends the visit."""
    client = Client(world, token=world.token())
    client.heard()
    client.sends({"type": "auth", "token": world.token(rooms={"other": ["*"]})})
    assert rights(client)[0]["can"] == []
    assert closed(client) is Kind.FORBIDDEN


def test_renewal_behind_the_end(world: World) -> None:
    """A token is in time until the connection closes."""
    client = Client(world, token=world.token(seconds=90))
    world.clock.advance(95)
    client.heard()
    client.sends({"type": "auth", "token": world.token()}, {"message": "x"})
    assert [each["type"] for each in client.hears("rights", "ack", "error")] == ["rights", "ack"]
    world.clock.advance(GRACE)
    assert closed(client) is None


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda world: world.token("43"), "forbidden"),
        (lambda world: world.token() + "x", "unauthorized"),
        (lambda world: "", "unauthorized"),
        (lambda world: "x" * 65_536, "unauthorized"),
        (lambda world: "a.b.c", "unauthorized"),
    ],
)
def test_a_token_of_another_user_is_refused(
    world: World, token: Callable[[World], str], code: str
) -> None:
    """Another user's, or none at all: refused, and the connection goes on as it was."""
    client = Client(world, token=world.token())
    client.heard()
    client.sends({"type": "auth", "token": token(world)}, {"message": "x"})
    heard = client.hears("rights", "error", "ack")
    assert [each.get("error", {}).get("code") for each in heard] == [code, None]
    assert closed(client) is None


def test_a_guest_brings_none(world: World) -> None:
    """An identity never changes: a guest connects anew with its token."""
    client = Client(world)
    client.heard()
    client.sends({"type": "auth", "token": world.token()})
    assert codes(client) == ["forbidden"]


def test_tokens_are_rate_limited(world: World) -> None:
    """Tokens are rate limited like other frames that make the server work."""
    client = Client(world, token=world.token())
    client.heard()
    frame = {"type": "auth", "token": world.token()}
    client.sends(*[frame] * 100)
    told = client.hears("rights", "error")
    assert [each["type"] for each in told].count("rights") == ASK_RATE.burst
    assert {each["error"]["code"] for each in told if each["type"] == "error"} == {"rate_limited"}


@pytest.mark.parametrize("plain", [False, True])
def test_a_revoked_user_is_closed_at_once(world: World, plain: bool) -> None:
    """All connections of the user close at once; those of others, and guests of that id, stay."""
    other, guest = Client(world, token=world.token("43")), Client(world, name="42")
    client = PlainVisitor(world, world.token()) if plain else Client(world, token=world.token())
    result(world.leases.revoke_user("42"))
    assert closed(client) is Kind.TOKEN_REVOKED
    assert (closed(other), closed(guest)) == (None, None)
    assert kind(Client(world, token=world.token()).opening) is Kind.TOKEN_REVOKED


def test_a_revoked_token_leaves_others_valid(world: World) -> None:
    """Revoking one token leaves the user's other tokens valid."""
    first, second = world.token(), world.token()
    one, two = Client(world, token=first), Client(world, token=second)
    known = run(world.tokens.known(first))
    result(world.leases.revoke_token(known.lease.token))
    assert (closed(one), closed(two)) == (Kind.TOKEN_REVOKED, None)
    two.heard()
    two.sends({"type": "auth", "token": first})
    assert codes(two) == ["token_revoked"]
    two.sends({"type": "auth", "token": second})
    assert [each["type"] for each in two.hears("rights")] == ["rights"]


def test_issued_after_it_was_revoked(world: World) -> None:
    """Clocks differ: half a minute later tokens count again."""
    result(world.leases.revoke_user("42"))
    world.clock.advance(SKEW)
    assert kind(Client(world, token=world.token()).opening) is Kind.TOKEN_REVOKED
    world.clock.advance(1)
    assert Client(world, token=world.token()).heard()[0]["type"] == "hello"


def test_revoked_while_it_enters(world: World) -> None:
    """A revocation between the door and the room is not missed."""
    actor = run(world.door.member(world.source("192.0.2.1"), Claim(credential=world.token())))
    result(world.leases.revoke_user("42"))
    client = RecordingClient()
    session = Session(world.chat, world.clock, actor, JoinRequest("r"), client)
    run(session.open())
    assert closed(client) is Kind.TOKEN_REVOKED


def test_a_closed_session_holds_no_timer(world: World) -> None:
    """A session that is closed holds nothing: no timer, no revocation reaches it."""
    client = Client(world, token=world.token())
    client.session.close()
    result(world.leases.revoke_user("42"))
    world.clock.advance(HOUR + GRACE)
    assert closed(client) is None
    assert world.leases._held == {}


class PlainVisitor(RecordingClient):
    """A client of plain mode with a token."""

    def __init__(self, world: World, token: str) -> None:
        super().__init__()
        actor = run(world.door.member(world.source("192.0.2.1"), Claim(credential=token)))
        self.session = PlainSession(world.chat, world.clock, actor, JoinRequest("r"), self)
        run(self.session.open())


def test_a_plain_client_is_closed_untold(world: World) -> None:
    """No frame tells of the end, which comes all the same."""
    client = PlainVisitor(world, world.token(seconds=90))
    client.session.text_received(b'{"message": "x"}')
    world.hub.flush()
    world.clock.advance(91)
    client.session.text_received(b'{"message": "y"}')
    world.hub.flush()
    frames = [json.loads(frame) for frame in client.frames()]
    assert frames[0] == {"message": "x"}
    assert frames[1]["error"]["code"] == "token_expired"
    assert len(frames) == 2
    world.clock.advance(GRACE)
    assert closed(client) is Kind.TOKEN_EXPIRED


def test_a_set_clock_ends_tokens(world: World) -> None:
    """Timers know nothing of it: a token that is over by the new time does nothing more."""
    client = Client(world, token=world.token())
    client.heard()
    world.wall += 2 * HOUR
    client.sends({"message": "x"})
    assert codes(client) == ["token_expired"]


def test_guests_may_not(make_world: Callable[..., World]) -> None:
    """Guests off: guests are told to bring a token; users come in."""
    world = make_world(guests="off")
    assert kind(Client(world).opening) is Kind.UNAUTHORIZED
    assert Client(world, token=world.token()).heard()[0]["can"] == ["join", "history", "send"]


def test_guests_may_read(make_world: Callable[..., World]) -> None:
    """Guests may only read: their hello says so, and each of their sends is refused."""
    world = make_world(guests="read")
    client, user = Client(world, name="Eve"), Client(world, token=world.token())
    assert client.heard()[0]["can"] == ["join", "history"]
    user.sends({"message": "hi"})
    client.sends({"message": "ho"}, {"type": "typing"}, {"type": "edit", "ref": 1, "message": "x"})
    told = client.hears("message", "error")
    assert [each["type"] for each in told] == ["message", "error", "error", "error"]
    assert {each["error"]["code"] for each in told[1:]} == {"unauthorized"}


def test_the_same_id_of_another_kind(world: World) -> None:
    """A guest whose key makes the id of a user of the site is somebody else, present by itself."""
    assert ANN.user is not None
    guest = Client(world, name="Ann", key="k" * 16)
    known_as = guest.heard()[0]["user"]["id"]
    Client(world, token=world.token(known_as, name="Ann"))
    (joined,) = guest.hears("joined")
    assert joined["user"] == {"id": known_as, "name": "Ann", "verified": True}


def test_a_user_has_one_rate(make_world: Callable[..., World]) -> None:
    """Over all connections of the user, whatever the address."""
    world = make_world(rate_per_user=1)
    one, two = Client(world, token=world.token()), Client(world, token=world.token())
    other = Client(world, token=world.token("43"))
    one.sends({"message": "a"})
    two.sends({"message": "b"}, {"message": "c"})
    other.sends({"message": "d"})
    assert [codes(each) for each in (one, two, other)] == [[], ["rate_limited"], []]


def test_error_of_a_holder_that_is_gone(world: World) -> None:
    """Letting go twice is letting go once."""
    actor = run(world.door.member(world.source("192.0.2.1"), Claim(credential=world.token())))

    class Holder:
        def expiring(self) -> None:
            raise AssertionError

        def lapsed(self, reason: ChatError) -> None:
            raise AssertionError

    hold: Any = world.leases.hold(actor, Holder())  # type: ignore[arg-type]
    hold.end()
    hold.end()
    result(world.leases.revoke_user("42"))
