"""`livechat.rooms.chat`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from livechat import metrics
from livechat.backends.sqlite.messages import WAIT
from livechat.errors import ChatError, Kind
from livechat.identity.door import Claim
from livechat.members.base import JoinRequest
from livechat.members.plain import PlainSession
from livechat.protocol.messages import Message, Repeated
from livechat.rooms.history import Window
from tests.rooms.saying import say, seqs
from tests.support import (
    ANN,
    RecordingClient,
    RecordingSink,
    World,
    kind,
    result,
    run,
)


def test_sent_is_stored_and_delivered(world: World) -> None:
    """A message gets the next number, is delivered to the room and stands in its history."""
    client = RecordingClient()
    run(world.chat.join(ANN, "r", client))
    sent = result(world.chat.send(world.caller("192.0.2.1"), "r", "hi"))
    assert (sent.seq, sent.message) == (1, "hi")
    assert client.frames() == [b'{"message":"hi"}']
    assert seqs(world, Window()) == [1]


def test_a_member_that_left_gets_nothing(world: World) -> None:
    """A member that has left gets nothing; leaving again is a no-op."""
    client = RecordingClient()
    run(world.chat.join(ANN, "r", client))
    world.chat.leave(ANN, "r", client)
    say(world, "hi")
    assert client.frames() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 101, Kind.MESSAGE_TOO_LONG),
        ("é" * 51, Kind.MESSAGE_TOO_LONG),
        ("\ud800", Kind.BAD_MESSAGE),
    ],
)
def test_refused_texts(make_world: Callable[..., World], text: str, expected: Kind) -> None:
    """A text over the limit in UTF-8, or that is no Unicode, is refused and not stored."""
    world = make_world(max_message=100)
    with pytest.raises(ChatError) as caught:
        world.chat.send(world.caller("192.0.2.1"), "r", text)
    assert caught.value.kind is expected
    assert seqs(world, Window()) == []


@pytest.mark.parametrize("text", ["", "x" * 100, "é" * 50])
def test_accepted_texts(make_world: Callable[..., World], text: str) -> None:
    """A text may be empty and may be exactly as long as the limit."""
    world = make_world(max_message=100)
    say(world, text)
    assert seqs(world, Window()) == [1]


def test_a_connection_has_a_rate(make_world: Callable[..., World]) -> None:
    """A connection that talks too fast is told how long to wait; others are not affected."""
    world = make_world(rate=2)
    sender = world.caller("192.0.2.1")
    for _ in range(4):
        result(world.chat.send(sender, "r", "x"))
    with pytest.raises(ChatError) as caught:
        world.chat.send(sender, "r", "x")
    assert caught.value.kind is Kind.RATE_LIMITED
    assert caught.value.retry_after == pytest.approx(0.5)
    result(world.chat.send(world.caller("192.0.2.1"), "r", "x"))
    world.clock.advance(0.5)
    result(world.chat.send(sender, "r", "x"))


def test_connections_of_an_address_share_a_rate(make_world: Callable[..., World]) -> None:
    """All connections of one address share its rate; another address has its own."""
    world = make_world(rate_per_ip=1)
    for _ in range(2):
        result(world.chat.send(world.caller("2001:db8::1"), "r", "x"))
    with pytest.raises(ChatError) as caught:
        world.chat.send(world.caller("2001:db8::2"), "r", "x")
    assert caught.value.kind is Kind.RATE_LIMITED
    result(world.chat.send(world.caller("2001:db9::1"), "r", "x"))


def test_trouble_of_the_backend_is_of_the_chat(world: World) -> None:
    """The backend's trouble is the chat's."""
    assert world.chat.trouble() is None
    world.backend.health.trouble = "no disk"
    assert world.chat.trouble() == "no disk"
    world.backend.health.trouble = None


def test_the_second_member_waits_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every join waits until the room's subscription holds, however many wait."""
    subscribing: list[Deferred[None]] = []

    def subscribe(room: str) -> Deferred[None]:
        subscribing.append(Deferred())
        return subscribing[-1]

    monkeypatch.setattr(world.backend.messages, "subscribe", subscribe)
    joining = [
        Deferred.fromCoroutine(world.chat.join(ANN, "r", RecordingClient())) for _ in range(2)
    ]
    assert not any(each.called for each in joining)
    for each in subscribing:
        each.callback(None)
    assert all(each.called for each in joining)


def test_a_failed_join_leaves_no_member(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member whose room cannot be subscribed is not in it."""
    unsubscribed: list[str] = []
    away = ChatError(Kind.UNAVAILABLE, "Away.")
    monkeypatch.setattr(world.backend.messages, "subscribe", lambda room: fail(away))
    monkeypatch.setattr(world.backend.messages, "unsubscribe", unsubscribed.append)
    joining = Deferred.fromCoroutine(world.chat.join(ANN, "r", RecordingClient()))
    assert kind(joining) is Kind.UNAVAILABLE
    assert world.hub.members("r") == 0
    assert unsubscribed == ["r"]


def test_a_watcher_needs_no_members(world: World) -> None:
    """A watcher sees messages whether or not the room has members."""
    watcher = RecordingSink()
    run(world.chat.watch(ANN, "r", watcher))
    say(world, "a")
    client = RecordingClient()
    run(world.chat.join(ANN, "r", client))
    say(world, "b")
    world.chat.leave(ANN, "r", client)
    say(world, "c")
    world.chat.unwatch("r", watcher)
    world.chat.unwatch("r", watcher)
    say(world, "d")
    assert watcher.texts("r") == ["a", "b", "c"]


def test_members_stay_when_watchers_go(world: World) -> None:
    """A room that nobody watches any more is delivered to its members all the same."""
    watcher, client = RecordingSink(), RecordingClient()
    run(world.chat.join(ANN, "r", client))
    run(world.chat.watch(ANN, "r", watcher))
    world.chat.unwatch("r", watcher)
    say(world, "a")
    assert client.frames() == [b'{"message":"a"}']


def test_a_room_that_cannot_be_watched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the backend cannot deliver a room it is not watched."""
    watcher = RecordingSink()
    refusal = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(world.backend.messages, "subscribe", lambda room: fail(refusal))
    with pytest.raises(ChatError):
        run(world.chat.watch(ANN, "r", watcher))
    world.hub.deliver("r", "e", [])
    assert watcher.delivered == []


def test_a_retry_while_strangers_send(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much other addresses say meanwhile, it is not stored again."""
    monkeypatch.setattr("livechat.backends.nonces.MOST", 50)
    world = make_world()

    def say(address: str, nonce: str) -> Message:
        # A user of its own each time: keys can be made up.
        actor = run(world.door.caller(world.source(address), Claim(key=f"{nonce:x<32}")))
        return result(world.chat.send(actor, "r", "x", nonce=nonce))

    first = say("192.0.2.1", "mine")
    for number in range(100):
        for address in ("198.51.100.1", f"2001:db8::{number:x}"):
            say(address, f"{address.replace(':', '')[:3]}{number}")
    again = say("192.0.2.1", "mine")
    assert isinstance(again, Repeated)
    assert again.seq == first.seq


def test_counted_where_nobody_is(make_world: Callable[..., World]) -> None:
    """Messages count, and are active, in rooms that have no member here; repeated ones do not."""
    world = make_world(held=True)
    before = metrics.stored.count
    sender = world.caller("192.0.2.1")
    sent = [world.chat.send(sender, "r", "a", nonce="1" * 20) for _ in range(2)]
    sent += [world.chat.send(sender, room, "b") for room in ("r", "r", "s")]
    world.write()
    assert [result(each).seq for each in sent] == [1, 1, 2, 3, 1]
    assert metrics.stored.count == before + 4
    rooms = world.chat._activity.rooms({})
    active = {each.name: each.newest.seq for each in rooms if each.newest is not None}
    assert active == {"r": 3, "s": 1}


def test_counted_though_nobody_waits_any_more(make_world: Callable[..., World]) -> None:
    """A message that is stored too late for its sender counts as any other."""
    world = make_world(held=True)
    before = metrics.stored.count
    sent = world.chat.send(world.caller("192.0.2.1"), "r", "a")
    world.turn()
    world.clock.advance(WAIT)
    assert kind(sent) is Kind.UNKNOWN
    world.write()
    assert metrics.stored.count == before + 1


def test_a_sender_that_has_left(make_world: Callable[..., World]) -> None:
    """A sender's message is stored and delivered to the others after it has left."""
    world = make_world(held=True)
    stays, leaves = RecordingClient(), RecordingClient()
    for client in (stays, leaves):
        run(world.chat.join(ANN, "r", client))
    sender = PlainSession(world.chat, world.clock, ANN, JoinRequest("r"), leaves)
    sender.text_received(b'{"message":"hi"}')
    world.chat.leave(ANN, "r", leaves)
    world.write()
    assert (stays.frames(), leaves.frames()) == ([b'{"message":"hi"}'], [])
    assert seqs(world, Window()) == [1]


def test_one_read_for_all_that_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a room where nothing was said since the start, only its first member reads its place."""
    say(world, "hi")
    reads = []
    read = world.backend.messages.read

    def counted(*asked: Any) -> Any:
        reads.append(asked)
        return read(*asked)

    monkeypatch.setattr(world.backend.messages, "read", counted)
    for _ in range(3):
        run(world.chat.join(ANN, "r", RecordingClient(), reads=True))
        assert run(world.chat.place(ANN, "r")).seq == 1
    assert reads == [("r", 0, 0)]
