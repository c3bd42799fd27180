"""`livechat.rooms.chat`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Message, Newest, Repeated
from livechat.rooms.chat import LONGEST_PAGE, History, Window
from tests.support import ANN, Lane, RecordingClient, RecordingSink, World, kind, result, run


def say(world: World, *texts: str, room: str = "r") -> None:
    sender = world.source("192.0.2.1")
    for text in texts:
        result(world.chat.send(sender, room, text))


def seqs(world: World, window: Window, room: str = "r") -> list[int]:
    async def read() -> list[int]:
        history = await world.chat.history(room, window)
        return [message.seq async for page in history.pages() for message in page]

    found: list[int] = run(read())
    return found


def test_sent_is_stored_and_delivered(world: World) -> None:
    """A message gets the next number, is delivered to the room and stands in its history."""
    client = RecordingClient()
    run(world.chat.join("r", client, ANN))
    sent = result(world.chat.send(world.source("192.0.2.1"), "r", "hi"))
    assert (sent.seq, sent.message) == (1, "hi")
    assert client.frames() == [b'{"message":"hi"}']
    assert seqs(world, Window()) == [1]


def test_after_leaving(world: World) -> None:
    """Who has left gets nothing; leaving twice is nothing."""
    client = RecordingClient()
    run(world.chat.join("r", client, ANN))
    world.chat.leave("r", client, ANN)
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
        world.chat.send(world.source("192.0.2.1"), "r", text)
    assert caught.value.kind is expected
    assert seqs(world, Window()) == []


@pytest.mark.parametrize("text", ["", "x" * 100, "é" * 50])
def test_accepted_texts(make_world: Callable[..., World], text: str) -> None:
    """A text may be empty and may be exactly as long as the limit."""
    world = make_world(max_message=100)
    say(world, text)
    assert seqs(world, Window()) == [1]


def test_rate_of_a_connection(make_world: Callable[..., World]) -> None:
    """A connection that talks too fast is told how long to wait; others are not affected."""
    world = make_world(rate=2)
    sender = world.source("192.0.2.1")
    for _ in range(4):
        result(world.chat.send(sender, "r", "x"))
    with pytest.raises(ChatError) as caught:
        world.chat.send(sender, "r", "x")
    assert caught.value.kind is Kind.RATE_LIMITED
    assert caught.value.retry_after == pytest.approx(0.5)
    result(world.chat.send(world.source("192.0.2.1"), "r", "x"))
    world.clock.advance(0.5)
    result(world.chat.send(sender, "r", "x"))


def test_rate_of_an_address(make_world: Callable[..., World]) -> None:
    """All connections of one address share its rate; another address has its own."""
    world = make_world(rate_per_ip=1)
    for _ in range(2):
        result(world.chat.send(world.source("2001:db8::1"), "r", "x"))
    with pytest.raises(ChatError) as caught:
        world.chat.send(world.source("2001:db8::2"), "r", "x")
    assert caught.value.kind is Kind.RATE_LIMITED
    result(world.chat.send(world.source("2001:db9::1"), "r", "x"))


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(), range(51, 151)),
        (Window(limit=3), [148, 149, 150]),
        (Window(limit=0), []),
        (Window(limit=LONGEST_PAGE + 1), range(1, 151)),
        (Window(limit=3, after=0), [1, 2, 3]),
        (Window(limit=3, after=148), [149, 150]),
        (Window(limit=3, after=150), []),
        (Window(limit=3, after=999), []),
        (Window(limit=3, before=151), [148, 149, 150]),
        (Window(limit=3, before=999), [148, 149, 150]),
        (Window(limit=3, before=3), [1, 2]),
        (Window(limit=3, before=1), []),
        (Window(limit=3, before=0), []),
        (Window(limit=0, before=9), []),
        (Window(limit=0, after=9), []),
    ],
)
def test_windows(world: World, window: Window, expected: list[int]) -> None:
    """A history's part is exactly what was asked for, oldest first."""
    say(world, *(str(number) for number in range(150)))
    assert seqs(world, window) == list(expected)


def test_longest_page(world: World) -> None:
    """However much is asked for, a history has no more than its longest page."""
    say(world, *("x" for _ in range(LONGEST_PAGE + 5)))
    assert seqs(world, Window(limit=5_000)) == list(range(6, LONGEST_PAGE + 6))


def test_unknown_room(world: World) -> None:
    """A room in which nothing was said has an empty history and a position all the same."""
    history = run(world.chat.history("nowhere", Window()))
    assert (history.position.seq, history.position.oldest) == (0, 1)
    assert history.position.epoch
    assert history.last == history.first - 1


def test_long_texts_come_in_pages(world: World) -> None:
    """Long messages are read a few at a time, and all of them arrive."""
    say(world, *("x" * 16_000 for _ in range(20)))

    async def sizes() -> list[int]:
        history = await world.chat.history("r", Window())
        return [len(page) async for page in history.pages()]

    found = run(sizes())
    assert sum(found) == 20
    assert max(found) <= 5


def test_trouble(world: World) -> None:
    """The backend's trouble is the chat's."""
    assert world.chat.trouble() is None
    world.backend._trouble = "no disk"
    assert world.chat.trouble() == "no disk"
    world.backend._trouble = None


def test_history_while_messages_expire(make_world: Callable[..., World]) -> None:
    """A history that is read slowly has no messages but those it began with."""
    world = make_world(retention=Retention(5, 0))
    say(world, *"12345")
    early, late = (run(world.chat.history("r", Window())) for _ in range(2))

    async def rest(history: History) -> list[int]:
        return [message.seq async for page in history.pages() for message in page]

    say(world, *"678")
    assert run(rest(early)) == [4, 5]
    say(world, *"90123")
    assert run(rest(late)) == []


def test_the_second_member_waits_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is in a room before it is delivered, however many join meanwhile."""
    subscribing: list[Deferred[None]] = []

    def subscribe(room: str) -> Deferred[None]:
        subscribing.append(Deferred())
        return subscribing[-1]

    monkeypatch.setattr(world.backend, "subscribe", subscribe)
    joining = [
        Deferred.fromCoroutine(world.chat.join("r", RecordingClient(), ANN)) for _ in range(2)
    ]
    assert not any(each.called for each in joining)
    for each in subscribing:
        each.callback(None)
    assert all(each.called for each in joining)


def test_a_join_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot be given a room's messages is not in it."""
    unsubscribed: list[str] = []
    away = ChatError(Kind.UNAVAILABLE, "Away.")
    monkeypatch.setattr(world.backend, "subscribe", lambda room: fail(away))
    monkeypatch.setattr(world.backend, "unsubscribe", unsubscribed.append)
    joining = Deferred.fromCoroutine(world.chat.join("r", RecordingClient(), ANN))
    assert kind(joining) is Kind.UNAVAILABLE
    assert world.hub.members("r") == 0
    assert unsubscribed == ["r"]


def rooms(world: World) -> dict[str, tuple[int, Newest | None]]:
    return {room.name: (room.members, room.newest) for room in run(world.chat.rooms())}


def test_watching(world: World) -> None:
    """Who watches is shown what is said, whether or not anybody is there."""
    watcher = RecordingSink()
    run(world.chat.watch("r", watcher))
    say(world, "a")
    client = RecordingClient()
    run(world.chat.join("r", client, ANN))
    say(world, "b")
    world.chat.leave("r", client, ANN)
    say(world, "c")
    world.chat.unwatch("r", watcher)
    world.chat.unwatch("r", watcher)
    say(world, "d")
    assert watcher.texts("r") == ["a", "b", "c"]


def test_members_stay_when_watchers_go(world: World) -> None:
    """A room that nobody watches any more is delivered to its members all the same."""
    watcher, client = RecordingSink(), RecordingClient()
    run(world.chat.join("r", client, ANN))
    run(world.chat.watch("r", watcher))
    world.chat.unwatch("r", watcher)
    say(world, "a")
    assert client.frames() == [b'{"message":"a"}']


def test_a_room_that_cannot_be_watched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the backend cannot deliver a room it is not watched."""
    watcher = RecordingSink()
    refusal = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(world.backend, "subscribe", lambda room: fail(refusal))
    with pytest.raises(ChatError):
        run(world.chat.watch("r", watcher))
    world.hub.deliver("r", "e", [])
    assert watcher.delivered == []


def test_active_rooms(world: World) -> None:
    """Rooms with members, and those spoken in lately, with what was said there last."""
    say(world, "before", room="quiet")
    say(world, "x", room="over")
    world.clock.advance(1_000)
    run(world.chat.join("quiet", RecordingClient(), ANN))
    run(world.chat.join("new", RecordingClient(), ANN))
    say(world, "a", "b", room="busy")
    found = rooms(world)
    time = int(world.wall * 1_000)
    assert found == {
        "quiet": (1, Newest(1, time - 1_000_000)),
        "new": (1, Newest(0, 0)),
        "busy": (0, Newest(2, time)),
    }


def test_active_rooms_are_looked_up_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is asked about a quiet room when somebody looks, and not again."""
    client = RecordingClient()
    run(world.chat.join("r", client, ANN))
    assert rooms(world) == {"r": (1, Newest(0, 0))}
    asked: list[list[str]] = []

    def newest(names: list[str]) -> Deferred[dict[str, Newest]]:
        asked.append(names)
        return succeed({})

    monkeypatch.setattr(world.backend, "newest", newest)
    assert rooms(world) == {"r": (1, Newest(0, 0))}
    assert asked == []
    world.chat.leave("r", client, ANN)
    assert rooms(world) == {}
    run(world.chat.join("r", client, ANN))
    rooms(world)
    assert asked == [["r"]]


def test_active_rooms_while_the_backend_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks then sees who is there."""
    run(world.chat.join("r", RecordingClient(), ANN))
    monkeypatch.setattr(
        world.backend, "newest", lambda names: fail(ChatError(Kind.UNAVAILABLE, "away"))
    )
    assert rooms(world) == {"r": (1, None)}
    assert run(world.chat.room("r")).members == 1


def test_active_rooms_on_a_disk_that_hangs(world: World) -> None:
    """The same if nothing answers, after a while."""
    run(world.chat.join("r", RecordingClient(), ANN))
    lane = Lane(held=True)
    world.backend._readers = lane
    asked = Deferred.fromCoroutine(world.chat.rooms())
    world.clock.advance(4)
    assert not asked.called
    world.clock.advance(1)
    assert [room.newest for room in result(asked)] == [None]
    lane.step()


def test_one_room(world: World) -> None:
    """Any room can be looked at."""
    say(world, "a", room="said")
    time = int(world.wall * 1_000)
    world.clock.advance(10_000)
    assert run(world.chat.room("said")).newest == Newest(1, time)
    assert run(world.chat.room("never")).newest == Newest(0, 0)


def test_a_retry_while_strangers_send(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much other addresses say meanwhile, it is not stored again."""
    monkeypatch.setattr("livechat.backends.nonces.MOST", 50)
    world = make_world()
    chat = world.chat

    def say(address: str, nonce: str) -> Message:
        # A user of its own each time: keys can be made up.
        user = run(chat.visitor(None, f"{nonce:x<32}")).user
        return result(chat.send(world.source(address), "r", "x", user=user, nonce=nonce))

    first = say("192.0.2.1", "mine")
    for number in range(100):
        for address in ("198.51.100.1", f"2001:db8::{number:x}"):
            say(address, f"{address.replace(':', '')[:3]}{number}")
    again = say("192.0.2.1", "mine")
    assert isinstance(again, Repeated)
    assert again.seq == first.seq
