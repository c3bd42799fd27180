"""`livechat.web.admin.room`: a room's page, its history, search and form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from twisted.internet.defer import fail

from livechat.errors import ChatError, Kind
from livechat.identity.actor import OPERATOR
from livechat.protocol.messages import User
from tests.support import Browser, Port, World, result
from tests.support.outcomes import refusing
from tests.web.admin.looking import (
    EVE,
    HOSTILE,
    authors,
    edit,
    join,
    page,
    say,
    shown,
)
from tests.web.admin.moderating import restrict, seen


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_text(browser: Browser, world: World, text: str) -> None:
    """Messages are shown as text, on the page and in events."""
    stream = browser.events("/admin/rooms/r/events")
    stream.events()
    say(world, text)
    (found,) = shown(page(browser, "/admin/rooms/r/"))
    assert not re.search(r"[<>\"']", found)
    world.clock.advance(1)
    events = [data for name, data in stream.events() if name == "message"]
    assert [json.loads(data)["message"] for data in events] == [text]


def test_a_room_has_its_newest_messages(browser: Browser, world: World) -> None:
    """A room's page has its state, its newest messages, and how to join."""
    join(world, "r")
    for number in range(1, 121):
        say(world, str(number))
    text = page(browser, "/admin/rooms/r/")
    assert shown(text) == [str(number) for number in range(71, 121)]
    assert "wscat -c wss://localhost:10443/ws/chat/r/ --no-check" in text
    assert "<strong>120</strong> <small>said so far" in text
    assert 'data-live="/admin/rooms/r/events?after=120"' in text


def test_scrolling_back_misses_no_message(browser: Browser, world: World) -> None:
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


def test_a_sent_message_arrives_at_members(browser: Browser, world: World) -> None:
    """A test message arrives at every member like any other, and the page says so."""
    client = join(world, "r")
    browser.get("/admin/rooms/r/")
    answer = browser.post("/admin/rooms/r/", message="hello\r\nworld")
    assert (answer.status, answer.headers["location"]) == (303, "/admin/rooms/r/?sent=1")
    assert client.frames() == [b'{"message":"hello\\nworld"}']
    text = page(browser, answer.headers["location"])
    assert "Message 1 was sent to everyone in the room." in text
    assert shown(text) == ["hello\nworld"]


def test_a_message_is_from_its_operator(browser: Browser, world: World) -> None:
    """An operator's message is from an operator, whatever the request says."""
    client = join(world, "r")
    for target in ("/admin/rooms/r/", "/admin/rooms/r/?name=Eve&client=abcdefghijklmnop"):
        browser.get("/admin/rooms/r/")
        browser.post(target, message="hi", name="Eve", client="x" * 16, role="admin", user="Eve")
    assert client.frames() == [b'{"message":"hi"}'] * 2
    said = result(world.backend.messages.read("r", 0, 9)).messages
    assert [each.user for each in said] == [OPERATOR] * 2


def test_authors_stand_beside_their_messages(browser: Browser, world: World) -> None:
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
def test_hostile_names_are_shown_as_text(browser: Browser, world: World, name: str) -> None:
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


def test_a_search_ignores_case_and_is_not_live(browser: Browser, world: World) -> None:
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


def test_a_page_of_a_person_has_acts(browser: Browser, world: World) -> None:
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


def test_verified_users_have_a_mark(browser: Browser, world: World) -> None:
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
