"""`livechat.web.admin.room`: a room's page that is live."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import fail

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Message
from tests.support import Browser, Lane, World, result
from tests.web.admin.looking import (
    EVE,
    changes,
    edit,
    join,
    names,
    page,
    say,
)


def test_a_bad_last_event_id(browser: Browser) -> None:
    """A bad Last-Event-ID is refused."""
    wire = browser.events("/admin/rooms/r/events", Last_Event_ID="x")
    assert wire.answer().code() == "bad_query"


def test_missed_messages_come_before_new_ones(browser: Browser, world: World) -> None:
    """Missing messages come first, then new ones, at most ten times a second."""
    for number in range(1, 4):
        say(world, str(number))
    stream = browser.events("/admin/rooms/r/events?after=2")
    events = stream.events()
    assert [json.loads(data)["seq"] for name, data in events if name == "message"] == [3]
    assert [name for name, _ in events] == ["message", "room_tiles", "panic"]
    join(world, "r")
    world.clock.advance(0.1)
    assert stream.events() == []
    say(world, "4")
    events = stream.events()
    assert [name for name, _ in events] == ["message", "room_tiles"]
    assert "<strong>4</strong> <small>said so far" in dict(events)["room_tiles"]
    for number in range(5, 10):
        say(world, str(number))
    assert stream.events() == []
    world.clock.advance(0.1)
    events = stream.events()
    assert [json.loads(data)["seq"] for name, data in events if name == "message"] == [
        5,
        6,
        7,
        8,
        9,
    ]


def test_a_browser_that_comes_back_misses_nothing(browser: Browser, world: World) -> None:
    """A browser that was away gets what it missed, each message once."""
    for number in range(1, 11):
        say(world, str(number))
    stream = browser.events("/admin/rooms/r/events?after=2", Last_Event_ID="7")
    events = stream.events()
    assert [json.loads(data)["seq"] for name, data in events if name == "message"] == [8, 9, 10]


def test_a_page_that_missed_much_gets_the_newest(browser: Browser, world: World) -> None:
    """A page that missed very much gets the newest; the numbers show the gap."""
    for number in range(1, 201):
        say(world, str(number))
    events = browser.events("/admin/rooms/r/events?after=2").events()
    seqs = [json.loads(data)["seq"] for name, data in events if name == "message"]
    assert seqs == list(range(151, 201))


def test_a_page_of_another_database_begins_anew(browser: Browser, world: World) -> None:
    """A page with more messages than the room is told to begin anew."""
    say(world, "a")
    stream = browser.events("/admin/rooms/r/events?after=7")
    assert stream.events() == [("reset", "")]


def test_numbers_that_begin_anew(browser: Browser, world: World) -> None:
    """A page is told to begin anew if the backend loses messages meanwhile."""
    say(world, "a")
    stream = browser.events("/admin/rooms/r/events?after=1")
    stream.events()
    world.hub.deliver("r", "another epoch", [Message("b", 1, 0)])
    world.clock.pump([0.1] * 20)
    assert ("reset", "") in stream.events()


def test_a_message_while_a_stream_begins(browser: Browser, world: World) -> None:
    """A message that is sent while the history is read comes after it, once."""
    say(world, "a")
    lane = Lane(held=True)
    world.backend.messages._readers = lane
    stream = browser.events("/admin/rooms/r/events")
    say(world, "b")
    while lane.busy():
        lane.step()
    world.clock.advance(1)
    while lane.busy():
        lane.step()
    seqs = [json.loads(data)["seq"] for name, data in stream.events() if name == "message"]
    assert seqs == [1, 2]


def test_watchers_are_no_members(browser: Browser, world: World) -> None:
    """An operator who watches a room is not counted, and leaves nothing behind."""
    stream = browser.events("/admin/rooms/r/events")
    assert "<strong>0</strong> <small>here now" in dict(stream.events())["room_tiles"]
    assert names(page(browser, "/admin/")) == []
    assert "r" in world.backend.messages._subscribed
    stream.hang_up()
    assert world.backend.messages._subscribed == {}
    assert world.hub._watchers == {}
    assert world.operators.sessions._open == {}


def test_a_watcher_that_does_not_read(browser: Browser, world: World) -> None:
    """A page that is not read costs its room nothing, and is shown the newest later."""
    stream = browser.events("/admin/rooms/r/events")
    stream.events()
    stream.transport.full = True
    say(world, "1")
    world.clock.advance(1)
    stream.events()
    for number in range(2, 1_002):
        say(world, str(number))
        world.clock.advance(0.01)
    assert stream.events() == []
    stream.transport.full = False
    stream.resume()
    world.clock.advance(1)
    seqs = [json.loads(data)["seq"] for name, data in stream.events() if name == "message"]
    assert seqs[-1] == 1_001
    assert seqs == sorted(set(seqs))


def test_a_stream_ends_with_its_session(browser: Browser, world: World) -> None:
    """A stream ends with the session of its page."""
    world.wall += 3_540
    stream = browser.events("/admin/rooms/r/events")
    world.clock.advance(59)
    assert stream.events()
    world.clock.advance(1)
    assert stream.received().endswith(b"0\r\n\r\n")


def test_a_stream_of_a_room_that_cannot_be_read(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable room has no stream, so that no page calls itself live."""
    refusal = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(world.backend.messages, "read", lambda *_: fail(refusal))
    assert browser.events("/admin/rooms/r/events").answer().code() == "unavailable"


def test_a_stream_ends_when_the_backend_goes_away(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose room cannot be watched ends in good order: the browser comes back."""
    refusal = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(world.backend.messages, "subscribe", lambda room: fail(refusal))
    answer = browser.events("/admin/rooms/r/events").answer()
    assert (answer.status, answer.body) == (200, b"retry: 1000\n:\n\n")
    assert world.hub._watchers == {}


def test_events_that_change_messages(browser: Browser, world: World) -> None:
    """Edits and removals come live, each once, and after a reload those since the page."""
    say(world, "one", user=EVE)
    say(world, "two", user=EVE)
    edit(world, 1, "uno")
    stream = browser.events("/admin/rooms/r/events?after=2")
    events = stream.events()
    assert changes(events) == [("edited", 3)]
    browser.get("/admin/rooms/r/")
    browser.post("/admin/rooms/r/remove/", seq="2")
    world.clock.advance(1)
    events = stream.events()
    assert changes(events) == [("retracted", 4)]
    assert json.loads(dict(events)["retracted"]) | {"time": 0} == {
        "seq": 4, "time": 0, "refs": [2], "by": "moderator",
    }  # fmt: skip
    back = browser.events("/admin/rooms/r/events?after=2", Last_Event_ID="3")
    assert changes(back.events()) == [("retracted", 4)]


def test_events_that_a_page_has_missed(browser: Browser, world: World) -> None:
    """A page that may show a text that was taken back is made anew."""
    say(world, "leaked", user=EVE)
    result(world.chat.retract(world.caller("198.51.100.1", EVE), "r", [1]))
    for number in range(100):
        say(world, str(number))
    assert browser.events("/admin/rooms/r/events?after=1").events() == [("reset", "")]
