"""`livechat.rooms.asking`."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.door import Claim
from livechat.identity.rights import ALL_RIGHTS
from livechat.identity.site import BOUNDS, MOST_FAILURES, WITHIN
from tests.members.plain_client import Client as PlainClient
from tests.members.session_client import Client
from tests.rooms.asked import MakeWorld, pump, send, sender
from tests.rooms.moderating import code, manager, moderator, user
from tests.rooms.reporting import listed, texts
from tests.support import ADMIN, LOCAL_KEY, World, kind, result, run
from tests.support.asked import AskedSite


@pytest.fixture
def world(make_world: MakeWorld, there: AskedSite) -> World:
    """A world whose site is asked."""
    return make_world(asked=there)


def test_an_accepted_message_is_said(world: World, there: AskedSite) -> None:
    """A message is hidden until the site has accepted it."""
    sent = send(world, sender(world), "hi", reply_to=7)
    assert there.asked[0].question == {
        "type": "ask",
        "about": "send",
        "room": "r",
        "kind": "guest",
        "user": {"id": "ann", "name": "Ann"},
        "message": "hi",
        "reply_to": 7,
    }
    assert texts(world) == []
    assert not sent.called
    there.asked[0].says()
    assert (result(sent).seq, texts(world)) == (1, ["hi"])


def test_a_rewritten_message_has_the_words_of_the_site(world: World, there: AskedSite) -> None:
    """The room has the site's words, and never the sender's."""
    sent = send(world, sender(world), "darn")
    there.asked[0].says("accept", message="d***")
    assert result(sent).message == "d***"
    assert texts(world) == ["d***"]


def test_a_rejected_message_has_the_reason_of_the_site(world: World, there: AskedSite) -> None:
    """A sender is told the site's reason."""
    sent = send(world, sender(world))
    there.asked[0].says("reject", reason="Be nice.")
    with pytest.raises(ChatError) as caught:
        result(sent)
    assert (caught.value.kind, caught.value.reason) == (Kind.REJECTED, "Be nice.")
    assert "Be nice." in caught.value.detail
    assert texts(world) == []


def test_a_message_held_by_the_site_waits_for_review(world: World, there: AskedSite) -> None:
    """A message that the site is not sure of waits for a review, and is then said unasked."""
    mod = moderator(world)
    sent = send(world, sender(world))
    there.asked[0].says("hold")
    pump(world)
    assert kind(sent) is Kind.HELD
    [(case, found)] = listed(world)
    assert found.message == "hi"
    mod.sends({"type": "review", "case": case, "verdict": "approve"})
    pump(world)
    assert texts(world) == ["hi"]
    assert len(there.asked) == 1


@pytest.mark.parametrize("failing", ["refuse", "accept"])
def test_without_an_answer_the_option_decides(make_world: MakeWorld, failing: Any) -> None:
    """A hanging site refuses messages, or lets them pass, as the operator configured it."""
    world = make_world(asked=AskedSite("send", failing=failing))
    sent = send(world, sender(world))
    world.clock.advance(WITHIN)
    if failing == "accept":
        assert result(sent).seq == 1
    else:
        assert kind(sent) is Kind.UNAVAILABLE
        assert texts(world) == []


@pytest.mark.parametrize("usual", [OSError("away"), {"verdict": "reject"}])
def test_refusals_make_no_garbage(make_world: MakeWorld, usual: Any) -> None:
    """A flood of refusals leaves no garbage in cycles: to look for it stops everybody."""
    world = make_world(asked=AskedSite("send", usual=usual))
    member = Client(world, name="Ann")

    def refused(count: int) -> None:
        for number in range(count):
            member.sends({"type": "message", "message": "hi", "nonce": f"{count}-{number}"})
            world.clock.advance(1)

    refused(2 * MOST_FAILURES)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        refused(50)
        gc.collect()
        # Others in this process may leave garbage meanwhile, but no refusals.
        assert not [each for each in gc.garbage if isinstance(each, ChatError | Client)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("failing", ["refuse", "accept"])
@pytest.mark.parametrize("text", ["x" * 101, "é" * 51, "\ud83d", "", " \u200b "])
def test_useless_rewrites(make_world: MakeWorld, failing: Any, text: str) -> None:
    """
    A text that cannot be said is not said, nor the one before it; and nobody can make a pause of
    the site's by it.
    """
    there = AskedSite("send", failing=failing, usual={"verdict": "accept", "message": text})
    world = make_world(asked=there, max_message=100)
    for _ in range(2 * MOST_FAILURES):
        assert kind(send(world, sender(world))) is Kind.REJECTED
    assert len(there.asked) == 2 * MOST_FAILURES
    assert texts(world) == []


def test_messages_of_one_sender_keep_their_order(world: World, there: AskedSite) -> None:
    """Messages of one sender keep their order, in whatever order the site answers."""
    ann = sender(world)
    sent = [send(world, ann, text) for text in "abcd"]
    assert there.texts == list("abcd")
    there.asked[3].says()
    there.asked[1].says("reject")
    there.asked[2].says()
    assert texts(world) == []
    there.asked[0].says()
    assert texts(world) == ["a", "c", "d"]
    assert [result(sent[number]).seq for number in (0, 2, 3)] == [1, 2, 3]
    assert kind(sent[1]) is Kind.REJECTED


def test_others_do_not_wait(world: World, there: AskedSite) -> None:
    """A question that is not answered delays nobody else, and nobody in another room."""
    ann, bob = sender(world), sender(world, "Bob")
    late = send(world, ann, "late")
    said = [send(world, bob, "bob"), world.chat.send(ann, "s", "elsewhere")]
    for each in there.asked[1:]:
        each.says()
    assert [result(each).seq for each in said] == [1, 1]
    there.asked[0].says()
    assert result(late).seq == 2


def test_anonymous_requests_do_not_wait(world: World, there: AskedSite) -> None:
    """Requests of nobody in particular are nobody's line."""
    one = send(world, world.caller("192.0.2.1"))
    two = send(world, world.caller("192.0.2.1"))
    there.asked[1].says()
    assert result(two).seq == 1
    assert not one.called
    there.asked[0].says()
    assert result(one).seq == 2


def test_both_protocols_are_told_the_outcome(world: World, there: AskedSite) -> None:
    """Sockets of both protocols are told what became of their messages."""
    plain, client = PlainClient(world), Client(world)
    plain.says({"message": "one"})
    client.sends({"type": "message", "message": "two", "nonce": "n"})
    there.asked[0].says("reject", reason="No.")
    there.asked[1].says()
    world.hub.flush()
    assert plain.heard()[0]["error"]["code"] == "rejected"
    assert client.hears("ack")[0]["seq"] == 1


def test_a_message_outlives_its_sender(world: World, there: AskedSite) -> None:
    """A message is stored although its sender has left meanwhile."""
    client = Client(world)
    client.sends({"type": "message", "message": "bye", "nonce": "n"})
    client.session.close()
    there.asked[0].says()
    assert texts(world) == ["bye"]


@pytest.mark.parametrize("verdict", ["accept", "hold"])
def test_a_ban_wins_over_the_site(world: World, there: AskedSite, verdict: str) -> None:
    """A ban that is made while the site thinks wins over its answer."""
    mod, ann = moderator(world), user(world)
    ann.sends({"type": "message", "message": "spam", "nonce": "n"})
    mod.sends({"type": "restrict", "user": "42", "kind": "ban"})
    pump(world)
    there.asked[0].says(verdict)
    pump(world)
    assert texts(world) == []
    assert listed(world) == []


def test_request_muted_meanwhile(world: World, there: AskedSite) -> None:
    """The same goes for a request, which no restriction is told of."""
    actor = run(world.door.caller(world.source("192.0.2.1"), _claim(world.token())))
    sent = send(world, actor)
    mod = moderator(world)
    mod.sends({"type": "restrict", "user": "42", "kind": "mute"})
    pump(world)
    there.asked[0].says()
    assert kind(sent) is Kind.MUTED
    assert texts(world) == []


def test_a_revocation_wins_over_the_site(world: World, there: AskedSite) -> None:
    """A token that is revoked meanwhile says nothing any more."""
    actor = run(world.door.caller(world.source("192.0.2.1"), _claim(world.token())))
    sent = send(world, actor)
    result(world.leases.revoke_user("42"))
    there.asked[0].says()
    assert kind(sent) is Kind.TOKEN_REVOKED


def test_a_quiet_room_wins_over_the_site(world: World, there: AskedSite) -> None:
    """A room that is made quiet meanwhile is quiet."""
    sent = send(world, sender(world))
    boss = manager(world)
    boss.sends({"type": "room", "set": {"hold": "all"}})
    pump(world)
    there.asked[0].says()
    pump(world)
    assert kind(sent) is Kind.HELD
    assert texts(world) == []


def test_rewritten_words_are_checked(world: World, there: AskedSite) -> None:
    """The room's words count for what the site has written, too."""
    boss = manager(world)
    boss.sends({"type": "room", "set": {"words": ["bad"]}})
    pump(world)
    sent = send(world, sender(world))
    there.asked[0].says("accept", message="so bad")
    assert kind(sent) is Kind.REJECTED
    with pytest.raises(ChatError):
        send(world, sender(world), "bad")
    assert len(there.asked) == 1, "what may not be said is not asked about"


def test_an_edit_is_asked_about(world: World, there: AskedSite) -> None:
    """An edit is asked about as a message is, in the order of both."""
    client = Client(world, key="k" * 16)
    client.sends({"type": "message", "message": "a", "nonce": "1"})
    there.asked[0].says()
    client.sends(
        {"type": "message", "message": "b", "nonce": "2"},
        {"type": "edit", "ref": 1, "message": "darn", "nonce": "3"},
    )
    assert there.asked[2].question["ref"] == 1
    assert there.asked[2].question["message"] == "darn"
    there.asked[2].says("accept", message="d***")
    assert texts(world) == ["a"]
    there.asked[1].says()
    assert texts(world) == ["d***", "b"]
    client.sends({"type": "edit", "ref": 1, "message": "darn", "nonce": "3"})
    assert [each["seq"] for each in client.hears("ack")][-2:] == [3, 3]


@pytest.mark.parametrize(("verdict", "expected"), [("reject", "rejected"), ("hold", "forbidden")])
def test_an_edit_cannot_be_held(
    world: World, there: AskedSite, verdict: str, expected: str
) -> None:
    """An edit cannot wait for a review."""
    client = Client(world, key="k" * 16)
    client.sends({"type": "message", "message": "a", "nonce": "1"})
    there.asked[0].says()
    client.sends({"type": "edit", "ref": 1, "message": "b", "nonce": "2"})
    there.asked[1].says(verdict)
    assert code(client.hears("error")[-1]) == expected
    assert texts(world) == ["a"]


def test_retractions_are_not_asked_about(world: World, there: AskedSite) -> None:
    """Retractions do not need the site's answer."""
    client = Client(world, key="k" * 16)
    client.sends({"type": "message", "message": "a", "nonce": "1"})
    there.asked[0].says()
    client.sends({"type": "retract", "ref": 1, "nonce": "2"})
    assert (texts(world), len(there.asked)) == ([], 1)


def test_operators_are_not_asked_about(world: World, there: AskedSite) -> None:
    """Operators, and commands on the server, can say that the site is down."""
    there.usual = OSError("away")
    local = run(world.door.caller(world.source("127.0.0.1"), _claim(LOCAL_KEY, here=True)))
    for actor in (ADMIN, local):
        assert result(send(world, actor, "The site is down.")).seq
    assert not there.asked


def test_very_many_messages_are_all_answered(make_world: MakeWorld, there: AskedSite) -> None:
    """Among 1,100 messages at once all are answered, and the accepted ones stored."""
    world = make_world(asked=there)
    sent, refused = [], 0
    for number in range(1_100):
        try:
            sent.append(send(world, sender(world, f"n{number}", f"198.51.{number % 100}.1")))
        except ChatError as error:
            refused += error.kind is Kind.OVERLOADED
    assert (len(sent), refused) == (BOUNDS.running + BOUNDS.waiting, 36)
    while waiting := [each for each in there.asked if not each.answer.called]:
        for each in waiting:
            each.says()
    assert sorted(result(each).seq for each in sent) == list(range(1, len(sent) + 1))
    assert world.chat._asking is not None
    assert not world.chat._asking._lines


def test_a_bug_costs_its_own_act(
    world: World, there: AskedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug costs the act that met it, and no other one of the line."""
    ann = sender(world)
    one, two = send(world, ann, "one"), send(world, ann, "two")
    publish = world.backend.messages.publish

    def broken(draft: Any, receiver: Any) -> None:
        if draft.message == "one":
            raise RuntimeError("a bug")
        publish(draft, receiver)

    monkeypatch.setattr(world.backend.messages, "publish", broken)
    there.asked[1].says()
    there.asked[0].says()
    with pytest.raises(RuntimeError):
        result(one)
    assert result(two).seq == 1


def test_nothing_is_asked(make_world: MakeWorld) -> None:
    """Without a site that is asked about messages a message is stored before the call returns."""
    for there in (None, AskedSite("join")):
        world = make_world(asked=there)
        assert world.chat._asking is None
        assert send(world, sender(world)).called


def test_a_back_end_is_asked_about(world: World, there: AskedSite) -> None:
    """A back end is asked about too, as itself or for a user."""
    key = Actor("key", world.source("192.0.2.1"), grants={"*": ALL_RIGHTS})
    sent = send(world, key)
    there.asked[0].says()
    assert result(sent).user is None
    assert there.asked[0].question["kind"] == "key"
    assert "user" not in there.asked[0].question


def _claim(credential: str, **more: Any) -> Any:
    return Claim(credential=credential, **more)
