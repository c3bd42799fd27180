"""`livechat.web.admin.room`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from twisted.internet.defer import fail

from livechat.errors import ChatError, Kind
from livechat.identity.actor import OPERATOR
from livechat.protocol.messages import Message, User
from tests.support import Browser, Lane, Port, World, result
from tests.support.outcomes import refusing
from tests.web.admin.looking import (
    EVE,
    HOSTILE,
    authors,
    changes,
    edit,
    join,
    names,
    page,
    say,
    shown,
)
from tests.web.admin.moderating import restrict, seen


def test_a_bad_last_event_id(browser: Browser) -> None:
    """A bad Last-Event-ID is refused."""
    wire = browser.events("/admin/rooms/r/events", Last_Event_ID="x")
    assert wire.answer().code() == "bad_query"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(browser: Browser, world: World, text: str) -> None:
    """Messages are shown as text, on the page and in events."""
    stream = browser.events("/admin/rooms/r/events")
    stream.events()
    say(world, text)
    (found,) = shown(page(browser, "/admin/rooms/r/"))
    assert not re.search(r"[<>\"']", found)
    world.clock.advance(1)
    events = [data for name, data in stream.events() if name == "message"]
    assert [json.loads(data)["message"] for data in events] == [text]


def test_a_room(browser: Browser, world: World) -> None:
    """A room's page has its state, its newest messages, and how to join."""
    join(world, "r")
    for number in range(1, 121):
        say(world, str(number))
    text = page(browser, "/admin/rooms/r/")
    assert shown(text) == [str(number) for number in range(71, 121)]
    assert "wscat -c wss://localhost:10443/ws/chat/r/ --no-check" in text
    assert "<strong>120</strong> <small>said so far" in text
    assert 'data-live="/admin/rooms/r/events?after=120"' in text


def test_scrolling_back(browser: Browser, world: World) -> None:
    """From the newest messages one gets to the oldest, and back, without missing one."""
    for number in range(1, 131):
        say(world, str(number))
    target, seen = "/admin/rooms/r/", list[str]()
    while target:
        text = page(browser, target)
        seen = shown(text) + seen
        assert ("data-live" in text) == (target == "/admin/rooms/r/")
        links = re.findall(r'href="([^"]+\?before=\d+)"', text)
        target = links[0] if links else ""
    assert seen == [str(number) for number in range(1, 131)]
    assert "The history begins here." in text
    seen, target = shown(text), re.findall(r'href="([^"]+\?after=\d+)"', text)[0]
    while target:
        text = page(browser, target)
        seen += shown(text)
        links = re.findall(r'href="([^"]+\?after=\d+)"', text)
        target = links[0] if links else ""
    assert seen == [str(number) for number in range(1, 131)]


def test_sending(browser: Browser, world: World) -> None:
    """A test message arrives at every member like any other, and the page says so."""
    client = join(world, "r")
    browser.get("/admin/rooms/r/")
    answer = browser.post("/admin/rooms/r/", message="hello\r\nworld")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/?sent=1")
    assert client.frames() == [b'{"message":"hello\\nworld"}']
    text = page(browser, answer.headers["location"])
    assert "Message 1 was sent to everyone in the room." in text
    assert shown(text) == ["hello\nworld"]


def test_from_an_operator(browser: Browser, world: World) -> None:
    """An operator's message is from an operator, whatever the request says."""
    client = join(world, "r")
    for target in ("/admin/rooms/r/", "/admin/rooms/r/?name=Eve&client=abcdefghijklmnop"):
        browser.get("/admin/rooms/r/")
        browser.post(target, message="hi", name="Eve", client="x" * 16, role="admin", user="Eve")
    assert client.frames() == [b'{"message":"hi"}'] * 2
    said = result(world.backend.messages.read("r", 0, 9)).messages
    assert [each.user for each in said] == [OPERATOR] * 2


def test_authors(browser: Browser, world: World) -> None:
    """A message has its author beside it, if there is one, marked as guest or user."""
    say(world, "from nobody")
    say(world, "from Ann", user=User("kX3vPq0aT7yB", "Ann <b>"))
    browser.get("/admin/rooms/r/")
    browser.post("/admin/rooms/r/", message="from us")
    text = page(browser, "/admin/rooms/r/")
    assert authors(text) == ["", "Ann &lt;b&gt; ·kX3v guest", "Operator operator"]
    assert 'title="kX3vPq0aT7yB"' in text
    assert '<div class="author" hidden' in text
    # Live events give the page's script the same fields.
    stream = browser.events("/admin/rooms/r/events")
    said = [json.loads(data) for name, data in stream.events() if name == "message"]
    assert [each.get("user") for each in said] == [
        None,
        {"id": "kX3vPq0aT7yB", "name": "Ann <b>"},
        {"id": OPERATOR.id, "name": "Operator", "role": "operator"},
    ]


@pytest.mark.parametrize("name", HOSTILE[:8])
def test_hostile_names(browser: Browser, world: World, name: str) -> None:
    """Names are shown as text."""
    say(world, "x", user=User('"><b>', name))
    text = page(browser, "/admin/rooms/r/")
    assert not re.search(r"[<>\"]", re.findall(r"<bdi>(.*?)</bdi>", text, re.DOTALL)[0])
    assert 'title="&#34;&gt;&lt;b&gt;"' in text


def test_messages_that_cannot_be_sent(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that cannot be sent stays in its form, with the reason."""
    world = make_world(rate=0.5, max_message=10)
    browser = Browser(Port(world))
    browser.sign_in()
    browser.get("/admin/rooms/r/")
    long = browser.post("/admin/rooms/r/", message="<b>far too long")
    assert long.status == 400
    assert "at most 10 are allowed" in long.body.decode()
    assert "\n&lt;b&gt;far too long</textarea>" in long.body.decode()
    for nothing in ("", " \r\n", "\u200d", "\u3164"):
        empty = browser.post("/admin/rooms/r/", message=nothing)
        assert (empty.status, "Type a message first." in empty.body.decode()) == (400, True)
    assert browser.post("/admin/rooms/r/").status == 400
    refusal = ChatError(Kind.UNAVAILABLE, "The message could not be stored.")
    monkeypatch.setattr(world.backend.messages, "publish", refusing(refusal))
    away = browser.post("/admin/rooms/r/", message="kept")
    assert (away.status, away.headers["retry-after"]) == (503, "1")
    assert "could not be stored" in away.body.decode()
    assert "\nkept</textarea>" in away.body.decode()
    bad = browser.post("/admin/rooms/a%20b/", message="x")
    assert (bad.status, "That did not work" in bad.body.decode()) == (400, True)


def test_sending_too_often(make_world: Callable[..., World]) -> None:
    """Operators keep to the rates too."""
    world = make_world(rate_per_ip=0.5)
    browser = Browser(Port(world))
    browser.sign_in()
    browser.get("/admin/rooms/r/")
    assert browser.post("/admin/rooms/r/", message="a").status == 303
    refused = browser.post("/admin/rooms/r/", message="b")
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")
    assert "\nb</textarea>" in refused.body.decode()


def test_a_room_whose_history_cannot_be_read(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of an unreadable room has the form, with the typed text."""
    refusal = ChatError(Kind.UNAVAILABLE, "The history cannot be read just now.")
    monkeypatch.setattr(world.backend.messages, "read", lambda *_: fail(refusal))
    monkeypatch.setattr(world.backend.messages, "newest", lambda _: fail(refusal))
    monkeypatch.setattr(world.backend.messages, "publish", refusing(refusal))
    text = page(browser, "/admin/rooms/r/")
    assert "The history cannot be read just now." in text
    assert "data-live" not in text
    assert "\nkept</textarea>" in browser.post("/admin/rooms/r/", message="kept").body.decode()


def test_room_events(browser: Browser, world: World) -> None:
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


def test_coming_back(browser: Browser, world: World) -> None:
    """A browser that was away gets what it missed, each message once."""
    for number in range(1, 11):
        say(world, str(number))
    stream = browser.events("/admin/rooms/r/events?after=2", Last_Event_ID="7")
    events = stream.events()
    assert [json.loads(data)["seq"] for name, data in events if name == "message"] == [8, 9, 10]


def test_a_gap_between_page_and_stream(browser: Browser, world: World) -> None:
    """A page that missed very much gets the newest; the numbers show the gap."""
    for number in range(1, 201):
        say(world, str(number))
    events = browser.events("/admin/rooms/r/events?after=2").events()
    seqs = [json.loads(data)["seq"] for name, data in events if name == "message"]
    assert seqs == list(range(151, 201))


def test_another_database(browser: Browser, world: World) -> None:
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


def test_the_backend_goes_away(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose room cannot be watched ends in good order: the browser comes back."""
    refusal = ChatError(Kind.UNAVAILABLE, "away")
    monkeypatch.setattr(world.backend.messages, "subscribe", lambda room: fail(refusal))
    answer = browser.events("/admin/rooms/r/events").answer()
    assert (answer.status, answer.body) == (200, b"retry: 1000\n:\n\n")
    assert world.hub._watchers == {}


def test_removing(browser: Browser, world: World) -> None:
    """A removed message is gone for all, and its place says by whose act."""
    client = join(world, "r")
    say(world, "spam", user=EVE)
    say(world, "stays")
    client.frames()
    assert "Remove for everyone" in page(browser, "/admin/rooms/r/")
    answer = browser.post("/admin/rooms/r/remove/", seq="1")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/?removed=1")
    text = page(browser, answer.headers["location"])
    assert "Message 1 was removed." in text
    assert shown(text) == ["Removed by a moderator", "stays"]
    assert "spam" not in text
    assert text.count('<li data-seq="1" class="gone">') == 1
    assert client.frames() == []
    assert result(world.backend.messages.read("r", 0, 9)).messages[0].message == "stays"


def test_removing_in_an_earlier_part(browser: Browser, world: World) -> None:
    """Removing leads back to the same part; other parts of the query are dropped."""
    for number in range(1, 100):
        say(world, str(number))
    text = page(browser, "/admin/rooms/r/?before=40")
    assert 'action="/admin/rooms/r/remove/?before=40"' in text
    answer = browser.post("/admin/rooms/r/remove/?before=40&sent=%0d%0ax", seq="7")
    assert answer.headers["location"] == "/admin/rooms/r/?before=40&removed=7"


@pytest.mark.parametrize(
    ("query", "form", "status"),
    [
        ("", {}, 400), ("", {"seq": "x"}, 400), ("", {"seq": "-1"}, 400), ("", {"seq": "2"}, 404),
        ("", {"seq": "0"}, 404), ("", {"seq": "999999999999999"}, 404), ("", {"seq": "1e3"}, 400),
        ("?before=x", {"seq": "1"}, 400), ("?before=1&after=1", {"seq": "1"}, 400),
        ("", {"seq": "1", "token": "x"}, 403),
    ],
)  # fmt: skip
def test_removals_that_make_no_sense(
    browser: Browser, world: World, query: str, form: dict[str, str], status: int
) -> None:
    """A senseless removal does nothing, and the page says why."""
    say(world, "stays", user=EVE)
    browser.get("/admin/rooms/r/")
    answer = browser.post(f"/admin/rooms/r/remove/{query}", **form)
    assert answer.status == status
    assert 'role="alert"' in answer.body.decode()
    assert shown(page(browser, "/admin/rooms/r/")) == ["stays"]


def test_removals_of_strangers(browser: Browser, world: World) -> None:
    """A removal without a session, from another site or by a link does nothing."""
    say(world, "stays", user=EVE)
    page(browser, "/admin/rooms/r/")
    assert browser.get("/admin/rooms/r/remove/?seq=1").status == 405
    body = f"token={browser.token}&seq=1".encode()
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": ""},
    ):
        assert browser.send("/admin/rooms/r/remove/", body, **headers).status == 403
    stranger = Browser(browser.port)
    answer = stranger.send("/admin/rooms/r/remove/", body)
    assert (answer.status, "password" in answer.body.decode()) == (403, True)
    assert shown(page(browser, "/admin/rooms/r/")) == ["stays"]


def test_removing_too_often(make_world: Callable[..., World]) -> None:
    """Operators keep to the rates when they remove, too."""
    world = make_world(rate_per_ip=0.5)
    browser = Browser(Port(world))
    browser.sign_in()
    browser.get("/admin/rooms/r/")
    browser.post("/admin/rooms/r/remove/", seq="1")
    refused = browser.post("/admin/rooms/r/remove/", seq="1")
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")


def test_edited_and_taken_back(browser: Browser, world: World) -> None:
    """The page shows the last text with a mark, and none of what was taken back."""
    for text in ("one", "two", "three"):
        say(world, text, user=EVE)
    edit(world, 1, "first")
    edit(world, 1, "uno <b>")
    result(world.chat.retract(world.caller("198.51.100.1", EVE), "r", [2]))
    text = page(browser, "/admin/rooms/r/")
    lines = shown(text)
    assert lines[:3] == ["uno &lt;b&gt;", "Taken back by its author", "three"]
    assert "first" not in text
    marks = re.findall(r'<li data-seq="(\d+)"[^>]*>.*?<em( hidden)?>edited', text, re.DOTALL)
    assert marks[:3] == [("1", ""), ("2", " hidden"), ("3", " hidden")]


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


def test_searching(browser: Browser, world: World) -> None:
    """A search ignores case, its links keep it, and its page is not live."""
    for number in range(120):
        say(world, f"Ｓpam {number}" if number % 2 else "fine")
    text = page(browser, "/admin/rooms/r/?q=SPAM")
    assert shown(text) == [f"Ｓpam {number}" for number in range(21, 120, 2)]
    assert "data-live" not in text
    assert 'value="SPAM"' in text
    (older,) = re.findall(r'href="(/admin/rooms/r/\?q=SPAM&amp;before=\d+)"', text)
    older_text = page(browser, unescape(older))
    assert shown(older_text)[-1] == "Ｓpam 19"
    (newer,) = re.findall(r'href="(/admin/rooms/r/\?q=SPAM&amp;after=\d+)"', older_text)
    assert shown(page(browser, unescape(newer))) == shown(text)
    assert "Nothing was found" in page(browser, "/admin/rooms/r/?q=%3Cb%3E")
    assert browser.get(f"/admin/rooms/r/?q={'x' * 201}").status == 400


def test_messages_of_a_person(browser: Browser, world: World) -> None:
    """A person's page has their messages, their restrictions, and forms for acts."""
    for number in range(3):
        say(world, f"{number}", user=EVE)
        say(world, "other", user=User("other", "Other"))
    text = page(browser, "/admin/rooms/r/")
    assert 'href="/admin/rooms/r/?user=g%3Aeve"' in text
    restrict(world, user=EVE, kind="mute", reason="<b>")
    text = page(browser, "/admin/rooms/r/?user=g%3Aeve")
    assert shown(text) == ["0", "1", "2"]
    assert "What Eve ·eve guest said" in seen(text)
    assert "Muted until pardoned: <b>" in seen(text)
    assert 'name="kind"><option value="ban">' in text
    assert shown(page(browser, "/admin/rooms/r/?user=u%3Aeve")) == []
    for bad in ("eve", "x:eve", "g:"):
        assert browser.get(f"/admin/rooms/r/?user={bad}").status == 400


def test_removing_in_a_search(browser: Browser, world: World) -> None:
    say(world, "spam", user=EVE)
    text = page(browser, "/admin/rooms/r/?q=spam")
    assert 'action="/admin/rooms/r/remove/?q=spam"' in text
    answer = browser.post("/admin/rooms/r/remove/?q=spam", seq="1")
    assert answer.headers["location"] == "/admin/rooms/r/?q=spam&removed=1"


def test_verified_users(browser: Browser, world: World) -> None:
    """A verified user has a mark, and a tag that tells apart ids with the same beginning."""
    for known_as in ("auth0-1001", "auth0-1002", "42"):
        say(world, "hi", user=User(known_as, "Ann", verified=True))
    say(world, "hi", user=User("kX3vPq0aT7yB", "Ann"))
    assert authors(page(browser, "/admin/rooms/r/")) == [
        "Ann ✓ ·auth…1001 user",
        "Ann ✓ ·auth…1002 user",
        "Ann ✓ ·42 user",
        "Ann ·kX3v guest",
    ]


def test_operators_have_no_menu_of_a_person(browser: Browser) -> None:
    """Messages of operators, and without an author, can only be removed."""
    browser.get("/admin/rooms/r/")
    browser.post("/admin/rooms/r/", message="hi")
    text = page(browser, "/admin/rooms/r/")
    listed = text[text.index("data-messages") : text.index("</ol>")]
    assert "Remove for everyone" in listed
    assert "Mute" not in listed
