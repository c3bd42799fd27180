"""`livechat.rooms.moderation`: what moderators do, and what becomes of it at this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from livechat.errors import ChatError, Kind
from livechat.identity.door import Claim
from livechat.protocol.messages import Draft, User
from livechat.rooms.history import Window
from livechat.rooms.restrictions import MOST_RESTRICTIONS
from tests.members.session_client import KEY, Client
from tests.rooms.moderating import (
    acts,
    closed,
    code,
    manager,
    moderator,
    recorded,
    restricts,
    texts,
    user,
)
from tests.support import ADMIN, World, kind, run
from tests.support.outcomes import publish

NOW = 1_790_000_000


def test_a_muted_member_reads_on(world: World) -> None:
    """A muted member is told so; it reads on, and cannot send, edit, retract or type."""
    ann, bob = user(world), moderator(world)
    ann.sends({"message": "first"})
    ann.heard()
    answer = restricts(bob, seconds=600, reason="spam")
    assert answer["type"] == "ack"
    (told,) = ann.hears("rights")
    assert told["can"] == ["join", "history"]
    assert told["restriction"] == {"kind": "mute", "until": NOW + 600, "reason": "spam"}
    ann.sends(
        {"message": "x"}, {"type": "edit", "ref": 1, "message": "x"}, {"type": "retract", "ref": 1},
        {"type": "typing"},
    )  # fmt: skip
    errors = [each["error"] for each in ann.hears("error")]
    assert [each["code"] for each in errors] == ["muted"] * 4
    assert errors[0]["detail"].endswith("UTC: spam")
    assert errors[0]["reason"] == "spam"
    assert 590_000 < errors[0]["retry_ms"] <= 600_000
    bob.sends({"message": "heard"})
    assert [each["message"] for each in ann.hears("message")] == ["heard"]
    assert closed(ann) is None


def test_the_end_of_a_mute(world: World) -> None:
    """The end of a mute tells the client its rights, which then hold."""
    ann, bob = user(world), moderator(world)
    restricts(bob, seconds=600)
    ann.heard()
    world.clock.advance(598)
    ann.sends({"message": "x"})
    assert code(ann.hears("error")[0]) == "muted"
    world.clock.advance(2)
    assert ann.hears("rights") == [{"type": "rights", "can": ["join", "history", "send"],
                                    "expires": NOW + 3_600}]  # fmt: skip
    ann.sends({"message": "y"})
    assert ann.hears("ack")


def test_a_banned_user_is_out_and_stays_out(world: World) -> None:
    """A banned user's connections in the room close with the reason; it cannot come back."""
    ann, again, elsewhere, bob = user(world), user(world), user(world, room="x"), moderator(world)
    restricts(bob, "ban", reason="raid")
    assert closed(ann) == closed(again) == (Kind.BANNED, "You are banned: raid")
    assert closed(elsewhere) is None
    assert kind(user(world).opening) is Kind.BANNED
    actor = run(world.door.caller(world.source("192.0.2.1"), claim(world)))
    for act in (
        lambda: world.chat.send(actor, "r", "x"),
        lambda: Deferred.fromCoroutine(world.chat.history(actor, "r", Window())),
        lambda: Deferred.fromCoroutine(world.chat.place(actor, "r")),
    ):
        assert refusal(act) is Kind.BANNED
    assert not bob.hears("error")


def claim(world: World) -> Any:
    return Claim(credential=world.token("42"))


def refusal(act: Callable[[], Deferred[Any]]) -> Kind:
    try:
        return kind(act())
    except ChatError as reason:
        return reason.kind


def test_a_kick_is_a_ban_of_a_second(world: World) -> None:
    """A ban of a second is a kick: after it one may come back."""
    ann, bob = user(world), moderator(world)
    restricts(bob, "ban", seconds=5)
    assert closed(ann) is not None
    world.clock.advance(5)
    assert user(world).heard()[0]["type"] == "hello"


def test_restricting_everywhere_needs_all_rooms(world: World) -> None:
    """Only who manages all rooms restricts in all of them."""
    ann, bob, eve = user(world, room="x"), moderator(world), manager(world)
    assert code(restricts(bob, "ban", everywhere=True)) == "forbidden"
    assert restricts(eve, "ban", everywhere=True)["type"] == "ack"
    assert closed(ann) is not None
    assert acts(eve, type="pardon", user="42", everywhere=True)["type"] == "ack"
    assert user(world, room="x").heard()[0]["type"] == "hello"


def test_a_banned_address_keeps_new_keys_out(world: World) -> None:
    """A guest who is banned with its address does not come back by another key."""
    ann = Client(world, name="Ann", key=KEY)
    (hello,) = ann.hears("hello")
    bob = moderator(world)
    answer = restricts(bob, "ban", hello["user"]["id"], guest=True, address=True)
    assert answer["address"] is True
    assert closed(ann) is not None
    assert kind(Client(world, key=KEY).opening) is Kind.BANNED
    assert kind(Client(world, key="z" * 16).opening) is Kind.BANNED
    assert kind(Client(world).opening) is Kind.BANNED
    # From the same address, by the right that binds it not.
    assert closed(bob) is None
    assert acts(bob, type="pardon", user=hello["user"]["id"], guest=True)["type"] == "ack"
    assert Client(world, key="z" * 16).heard()[0]["type"] == "hello"


def test_a_ban_that_removes_needs_both_rights(world: World) -> None:
    """A ban that would also remove messages needs both rights; without one nothing is done."""
    eve = Client(world, token=world.token("8", rooms={"*": ["join", "manage"]}))
    assert code(restricts(eve, "ban", retract=600)) == "forbidden"
    assert user(world).heard()[0]["type"] == "hello"
    assert restricts(eve, "ban")["type"] == "ack"


@pytest.mark.parametrize("everywhere", [False, True])
def test_what_they_said(world: World, everywhere: bool) -> None:
    """A restriction removes messages as far back as it says, and those of the next moments."""
    ann = user(world)
    ann.sends({"message": "long ago"})
    world.clock.advance(3_600)
    bob, eve = user(world, "43"), manager(world)
    ann, elsewhere = user(world), user(world, room="x")
    ann.sends({"message": "spam"}, {"message": "more"})
    elsewhere.sends({"message": "there"})
    bob.heard()
    eve.heard()
    ban = {"type": "restrict", "kind": "ban", "user": "42", "retract": 600}
    eve.sends(ban | {"everywhere": everywhere})
    world.clock.pump([0.05] * 10)
    assert [each["count"] for each in eve.hears("ack")] == [3 if everywhere else 2]
    # Another process has not heard of it yet.
    publish(world.backend.messages, Draft("r", "late", ANN))
    world.clock.pump([0.5] * 5)
    assert said(world, "r") == ["long ago"]
    assert said(world, "x") == ([] if everywhere else ["there"])
    assert [each.text for each in recorded(world) if each.action.type == "retract"][-1] == "late"


ANN = User("42", "User 42", verified=True)


def said(world: World, room: str) -> list[str]:
    return texts(run(world.chat.history(ADMIN, room, Window(50))))


def test_a_ban_that_becomes_less(world: World) -> None:
    """A lesser restriction in place of the ban frees the address again."""
    ann, bob = Client(world, name="Ann", key=KEY), moderator(world)
    (hello,) = ann.hears("hello")
    eve = hello["user"]["id"]
    restricts(bob, "ban", eve, guest=True, address=True)
    assert kind(Client(world).opening) is Kind.BANNED
    assert restricts(bob, "mute", eve, guest=True)["type"] == "ack"
    assert Client(world, key=KEY).heard()[0]["can"] == ["join", "history"]
    assert "send" in Client(world).heard()[0]["can"]


@pytest.mark.parametrize("stays", [True, False])
def test_an_address_is_known_for_an_hour(world: World, stays: bool) -> None:
    """The address of a guest is known while the guest is there, and for an hour from then on."""
    ann = Client(world, name="Ann", key=KEY)
    (hello,) = ann.hears("hello")
    world.clock.advance(7_200)
    if not stays:
        ann.session.close()
        world.clock.advance(1_800)
    answer = restricts(moderator(world), "ban", hello["user"]["id"], guest=True, address=True)
    assert answer["address"] is True
    assert kind(Client(world, key="z" * 16).opening) is Kind.BANNED


def test_an_address_that_nobody_knows(world: World) -> None:
    """The ack says that no address was restricted, a second later."""
    bob = moderator(world)
    assert restricts(bob, "ban", "somebody", guest=True, address=True)["address"] is False


def test_moderators_do_not_bind_each_other(world: World) -> None:
    """Moderators bind neither each other nor themselves, nor undo what a manager did."""
    ann, bob, carl, eve = user(world), moderator(world, "7"), moderator(world, "9"), manager(world)
    assert code(restricts(bob, "ban", "9")) == "forbidden"
    assert code(restricts(bob, "ban", "7")) == code(restricts(eve, "ban", "8")) == "bad_message"
    assert code(restricts(ann, "ban", "7")) == "forbidden"
    assert closed(carl) is None
    assert restricts(eve, "mute", "9")["type"] == "ack"
    assert restricts(eve, "mute", "42")["type"] == "ack"
    assert code(restricts(bob, "ban", "42")) == "forbidden"
    assert code(acts(bob, type="pardon", user="42")) == "forbidden"
    assert code(acts(carl, type="message", message="x")) == "muted"
    # A moderator that is away cannot be told from others; it is not bound all the same.
    carl.session.close()
    assert restricts(bob, "ban", "10")["type"] == "ack"
    assert moderator(world, "10").heard()[0]["type"] == "hello"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "restrict", "user": "", "kind": "ban"}, "bad_message"),
        ({"type": "restrict", "user": "a b", "kind": "ban"}, "bad_message"),
        ({"type": "restrict", "user": "!key:x", "kind": "ban"}, "bad_message"),
        ({"type": "restrict", "user": "x" * 65, "kind": "ban"}, "bad_message"),
        ({"type": "restrict", "user": "42", "kind": "shadow"}, "bad_message"),
        ({"type": "restrict", "user": "42", "kind": "ban", "seconds": 0}, "bad_message"),
        ({"type": "restrict", "user": "42", "kind": "ban", "seconds": 10**12}, "bad_message"),
        ({"type": "restrict", "user": "42", "kind": "ban", "reason": "x" * 201}, "bad_message"),
        ({"type": "pardon", "user": "42"}, "not_found"),
        ({"type": "room", "set": {}}, "bad_message"),
        ({"type": "room", "set": {"fast": 1}}, "bad_message"),
        ({"type": "room", "set": {"title": "x"}}, "forbidden"),
    ],
)  # fmt: skip
def test_refused_acts_are_not_recorded(world: World, action: Any, expected: str) -> None:
    """Invalid actions and those beyond a moderator's rights are refused and not recorded."""
    assert code(acts(moderator(world), **action)) == expected
    assert recorded(world) == []


def test_reasons_come_as_they_were_written(world: World) -> None:
    """Markup, directions and emoji of a reason come as they were written."""
    reason = "<b>\u202e\u0000" + "\U0001f4a3" * 190
    ann, bob = user(world), moderator(world)
    assert restricts(bob, "ban", reason=reason)["type"] == "ack"
    assert closed(ann) == (Kind.BANNED, f"You are banned: {reason}")
    assert recorded(world)[-1].action.reason == reason


def test_each_act_is_recorded_before_its_ack(world: World) -> None:
    """Each act is recorded before its ack: by whom, whom, what, where, how long and why."""
    user(world)
    bob, eve = moderator(world), manager(world)
    restricts(bob, seconds=60, reason="spam")
    acts(bob, type="pardon", user="42")
    acts(eve, type="room", set={"slow": 5, "title": "Ships"})
    restricts(eve, "ban", everywhere=True)
    mute, pardon, room, ban = recorded(world)
    assert (mute.action.kind, mute.action.seconds, mute.action.reason) == ("mute", 60, "spam")
    assert (mute.by.user.id, mute.action.user.name, mute.room) == ("7", "User 42", "r")
    assert (pardon.action.type, pardon.action.user.id) == ("pardon", "42")
    assert (room.action.set, room.by.user.id) == ({"slow": 5, "title": "Ships"}, "8")
    assert (ban.room, ban.action.seconds) == ("*", None)


def test_moderators_see_acts_of_others(world: World) -> None:
    """Moderators of the room see what others do there, and nobody else does."""
    ann, bob, carl = user(world), moderator(world), moderator(world, "9")
    elsewhere = Client(world, "x", token=world.token("11", rooms={"x": ["*"]}))
    restricts(bob, user="43", reason="spam")
    (told,) = carl.hears("moderated")
    assert told["action"]["type"] == "restrict"
    assert told["by"]["user"]["id"] == "7"
    assert ann.hears("moderated") == elsewhere.hears("moderated") == []
    restricts(manager(world), user="43", everywhere=True)
    assert len(elsewhere.hears("moderated")) == len(carl.hears("moderated")) == 1


def test_moderators_see_restrictions(world: World) -> None:
    """Moderators see the restrictions of their room, and those in all rooms."""
    bob, eve = moderator(world), manager(world)
    restricts(bob, user="1")
    world.clock.advance(1)
    restricts(eve, user="2", everywhere=True)
    actor = bob.session._actor
    listed = world.chat.moderation.listed(actor, "r")
    assert [(where, each.user.id) for where, each in listed] == [("r", "1"), ("*", "2")]
    with pytest.raises(ChatError, match="moderate"):
        world.chat.moderation.listed(actor)
    assert len(world.chat.moderation.listed(ADMIN)) == 2


def test_an_unstored_restriction_fails(world: World) -> None:
    """A restriction that cannot be stored fails; the one in force stays."""
    ann, bob = user(world), moderator(world)
    restricts(bob)
    shared = world.chat.restrictions._shared
    away = ChatError(Kind.UNAVAILABLE, "It is away.")
    world.chat.restrictions._shared = Broken(shared, away)  # type: ignore[assignment]
    assert code(restricts(bob, "ban")) == "unavailable"
    assert closed(ann) is None
    assert code(acts(ann, type="message", message="x")) == "muted"


class Broken:
    """A map that cannot be changed."""

    def __init__(self, shared: Any, reason: ChatError) -> None:
        self._shared = shared
        self._reason = reason

    def put(self, *_: object, **__: object) -> Deferred[bool]:
        return fail(self._reason)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shared, name)


def test_a_full_map_refuses_restrictions(world: World) -> None:
    """A full map refuses new restrictions and drops none."""
    shared = world.chat.restrictions._shared
    shared._most = 1  # type: ignore[attr-defined]
    bob = moderator(world)
    restricts(bob, user="1")
    assert code(restricts(bob, user="2")) == "overloaded"
    assert restricts(bob, "ban", user="1")["type"] == "ack"
    assert MOST_RESTRICTIONS == 50_000
