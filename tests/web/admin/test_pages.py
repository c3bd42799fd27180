"""`livechat.web.admin.pages`."""

from __future__ import annotations

import re

import pytest
from twisted.internet.defer import succeed

from livechat.protocol.cluster import Report, Room
from livechat.web.admin.rooms import ROOMS_PER_PAGE
from tests.support import Browser, World
from tests.web.admin.looking import (
    join,
    names,
    page,
    say,
)


def test_overview_of_several_processes(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overview has figures of all processes together, and of each."""
    join(world, "r")
    here = world.chat.directory.report("here/1", 1_789_999_900_000, 5)
    other = Report(
        "<b>/2", 1_789_996_400_000, 7, 2.0, here.chart, (Room("r", 3), Room("elsewhere", 4, 1.0))
    )
    monkeypatch.setattr(world.backend.processes, "reports", lambda: succeed([here, other]))
    text = page(browser, "/admin/")
    assert names(text) == ["elsewhere", "r"]
    tiles = re.findall(r"<dt>(\w[\w ]*)</dt>\n<dd><strong>([^<]*)</strong> <small>([^<]*)", text)
    assert ("Members", "8", "in 2 active rooms") in tiles
    assert ("Connections", "12", "in 2 processes") in tiles
    listed = text[text.index("<h3>Processes</h3>") :]
    found = re.findall(r"<dt>(.*?)(?: <span.*?)? <code>(.*?)</code></dt><dd>(.*?)</dd>", listed)
    assert found[:2] == [
        ("&lt;b&gt;/2", "up for 1 hour", "7 connections, 7 members"),
        ("here/1", "up for 2 minutes", "5 connections, 1 member"),
    ]
    room = page(browser, "/admin/rooms/r/")
    assert re.search(r"<dt>Members</dt>\n?<dd><strong>4</strong>", room)


def test_the_overview_says_what_the_server_is(browser: Browser, world: World) -> None:
    """The overview says what the server is, how it is, and who is in which room."""
    for room in ("lobby", "lobby", "support"):
        join(world, room)
    say(world, "hi", "lobby")
    text = page(browser, "/admin/")
    assert names(text) == ["lobby", "support"]
    for expected in (
        "<strong>3</strong> <small>in 2 active rooms", "Working", "a test&#39;s",
        "localhost, chat.example", "self-signed", "2030-01-31", "16,384 bytes", "--max-message",
        "MiB", 'aria-label="Messages a second over the last 5 minutes',
    ):  # fmt: skip
        assert expected in text


def test_an_overview_of_nothing(browser: Browser) -> None:
    """An overview without rooms says how to join one."""
    assert "Nobody is here yet." in page(browser, "/admin/")


def test_trouble_with_storing_is_on_the_overview(browser: Browser, world: World) -> None:
    """Trouble with storing is on the overview, with its reason."""
    world.backend.health.trouble = "messages cannot be stored: disk <full>"
    text = page(browser, "/admin/")
    assert "Trouble" in text
    assert "disk &lt;full&gt;" in text


def test_sorting_and_filtering(browser: Browser, world: World) -> None:
    """The list is sorted and filtered by the query, and keeps one when the other changes."""
    for room, count in (("alpha", 1), ("beta", 3), ("alphabet", 2)):
        for _ in range(count):
            join(world, room)
    assert names(page(browser, "/admin/")) == ["beta", "alphabet", "alpha"]
    assert names(page(browser, "/admin/?sort=name")) == ["alpha", "alphabet", "beta"]
    text = page(browser, "/admin/?q=alpha&sort=name&order=turned")
    assert names(text) == ["alphabet", "alpha"]
    assert "2 of 3 active rooms" in text
    assert 'href="/admin/?q=alpha&amp;sort=name"' in text
    assert 'name="sort" value="name"' in text
    assert names(page(browser, "/admin/?q=%3Cb%3E")) == []
    assert "“&lt;b&gt;”" in page(browser, "/admin/?q=%3Cb%3E")


def test_ten_thousand_rooms_come_in_pages(browser: Browser, world: World) -> None:
    """Ten thousand rooms come in pages."""
    for number in range(10_000):
        join(world, f"{number:05}")
    text = page(browser, "/admin/?sort=name")
    assert names(text) == [f"{number:05}" for number in range(ROOMS_PER_PAGE)]
    assert "10,000 active rooms" in text
    assert f"Page 1 of {10_000 // ROOMS_PER_PAGE}" in text
    assert names(page(browser, "/admin/?sort=name&page=200"))[-1] == "09999"
    assert names(page(browser, "/admin/?sort=name&page=201"))[-1] == "09999"


@pytest.mark.parametrize(
    "target",
    [
        "/admin/?page=0", "/admin/?page=x", "/admin/?sort=x", "/admin/?q=%ff", "/admin/?q=a&q=b",
        "/admin/rooms/r/?before=-1", "/admin/rooms/r/?before=1&after=1", "/admin/rooms/r/?sent=x",
        "/admin/rooms/a%20b/", "/admin/rooms/%2e%2e/", "/admin/rooms/%3Cscript%3E/",
    ],
)  # fmt: skip
def test_bad_requests_get_a_page(browser: Browser, target: str) -> None:
    """A senseless request is refused with a page."""
    answer = browser.get(target)
    assert answer.status == 400
    assert "That did not work" in answer.body.decode()
    assert "<script>" not in answer.body.decode()


@pytest.mark.parametrize(
    "target",
    ["/admin/events?page=0", "/admin/rooms/a%20b/events", "/admin/rooms/r/events?after=x"],
)
def test_bad_streams_are_refused(browser: Browser, target: str) -> None:
    """A senseless stream is refused before it begins."""
    assert browser.get(target).status == 400
    assert browser.get(target).headers["content-type"] == "application/problem+json"


def test_a_name_leads_to_its_room(browser: Browser) -> None:
    """A name leads to its room; a bad one is kept, with the reason beside it."""
    found = browser.get("/admin/rooms/?room=+new-room+")
    assert (found.status, found.headers["location"]) == (303, "/admin/rooms/new-room/")
    refused = browser.get("/admin/rooms/?room=%22%3E%3Cb%3E")
    assert refused.status == 400
    text = refused.body.decode()
    assert 'value="&#34;&gt;&lt;b&gt;"' in text
    assert "A room’s name" in text or "A room&#39;s name" in text
    assert browser.get("/admin/rooms/").status == 400


def test_changed_parts_of_the_overview_come_again(browser: Browser, world: World) -> None:
    """The overview's parts come again when they have changed, and only then."""
    # After that, the uptime is told in minutes.
    world.clock.advance(120)
    stream = browser.events("/admin/events?q=ro")
    assert [name for name, _ in stream.events()] == ["tiles", "rooms", "server"]
    world.clock.advance(1)
    assert stream.events() == []
    join(world, "room")
    join(world, "other")
    world.clock.advance(1)
    events = dict(stream.events())
    assert events.keys() == {"tiles", "rooms"}
    assert names(events["rooms"]) == ["room"]
    say(world, "hi", "room")
    world.clock.advance(1)
    assert "a second ago" in dict(stream.events())["rooms"]


def test_no_timer_outlives_the_last_stream(browser: Browser, world: World) -> None:
    """No timer runs once all streams have ended."""
    before = len(world.clock.getDelayedCalls())
    streams = [browser.events(target) for target in ("/admin/events", "/admin/rooms/r/events") * 3]
    assert len(world.clock.getDelayedCalls()) > before
    for stream in streams:
        stream.hang_up()
    assert len(world.clock.getDelayedCalls()) == before


def test_many_streams_share_one_look(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rooms are gathered once a second, for any number of open overviews."""
    asked: list[int] = []
    rooms = world.chat.directory.rooms

    async def counted() -> list[Room]:
        asked.append(1)
        return await rooms()

    monkeypatch.setattr(world.chat.directory, "rooms", counted)
    streams = [browser.events("/admin/events") for _ in range(5)]
    assert len(asked) == 1
    join(world, "new")
    world.clock.advance(1)
    assert len(asked) == 2
    assert [names(dict(stream.events())["rooms"]) for stream in streams] == [["new"]] * 5
    # The list is kept while an overview is open, and dropped afterwards.
    for stream in streams[1:]:
        stream.hang_up()
    streams.append(browser.events("/admin/events"))
    assert len(asked) == 2
    for stream in streams:
        stream.hang_up()
    browser.events("/admin/events")
    assert len(asked) == 3
