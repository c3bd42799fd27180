"""`livechat.web.visitors`."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from livechat.protocol.settings import SettingsChange
from livechat.rooms.listing import BUSIEST
from livechat.web.visitors import ROOMS_PER_PAGE
from tests.support import Answer, Port, run

#: (words, what the page shows of them)
HOSTILE = [
    ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ('"><img src=x onerror=alert(1)>', '"><img src=x onerror=alert(1)>'),
    ("{{ 7*7 }}", "{{ 7*7 }}"),
    ("\u202eevil\u2066", "evil"),
    ("a\r\nSet-Cookie: x\0", "a Set-Cookie: x"),
    ("x" * 10_000, None),
    ("\u200b\u2800", None),
]


def sets(port: Port, room: str, **given: Any) -> None:
    run(port.world.chat.settings.change(room, SettingsChange(**given)))


def words_of(answer: Answer) -> str | None:
    found = re.search(r'data-called="([^"]*)"', answer.body.decode())
    return None if found is None else html.unescape(found[1])


def meta(answer: Answer) -> dict[str, str]:
    found = re.findall(
        r'<meta (?:name|property)="([^"]+)"[^>]* content="([^"]*)">', answer.body.decode()
    )
    return {name: html.unescape(content) for name, content in found}


def links(answer: Answer) -> list[str]:
    return re.findall(r'<a href="/rooms/([^"/]+)/">', answer.body.decode())


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (" general ", "/rooms/general/"),
        ("Live Event 2026", "/rooms/live-event-2026/?title=Live+Event+2026"),
        ("Münchner Treff", "/rooms/muenchner-treff/?title=M%C3%BCnchner+Treff"),
        ("//evil.example", "/rooms/evil.example/?title=%2F%2Fevil.example"),
        ("/\\evil.example", "/rooms/evil.example/?title=%2F%5Cevil.example"),
        ("https://evil.example", "/rooms/https-evil.example/?title=https%3A%2F%2Fevil.example"),
    ],
)
def test_rooms_named_by_people(port: Port, words: str, target: str) -> None:
    """The form leads to the room that the words name, with the words, and nowhere else."""
    answer = port.ask("GET", f"/rooms/?{urlencode({'room': words})}")
    assert (answer.status, answer.headers["location"]) == (303, target)
    assert port.ask("GET", target).status == 200


@pytest.mark.parametrize("words", ["", "..", "\u202e", "🎉", "x" * 10_000])
def test_words_that_name_no_room(port: Port, words: str) -> None:
    """The form says why the words name no room, and asks again."""
    answer = port.ask("GET", f"/rooms/?{urlencode({'room': words})}")
    assert answer.status == 400
    assert "A room&#39;s name " in answer.body.decode()


@pytest.mark.parametrize(("words", "shown"), HOSTILE)
def test_words_of_a_link_are_text(port: Port, words: str, shown: str | None) -> None:
    """The words of a link are text for the page's script, and never the page's title."""
    answer = port.ask("GET", f"/rooms/r/?{urlencode({'title': words})}")
    assert answer.status == 200
    assert words_of(answer) == shown
    page = answer.body.decode()
    assert "<title>r · livechat</title>" in page
    assert meta(answer)["og:title"] == "r"
    assert page.count("<script") == 1
    assert "<img src=x" not in page


@pytest.mark.parametrize("query", ["title=%ff", "title=a&title=b", "&" * 5_000, "title"])
def test_queries_that_cannot_be_read(port: Port, query: str) -> None:
    """A room's page ignores an unreadable query."""
    answer = port.ask("GET", f"/rooms/r/?{query}")
    assert (answer.status, words_of(answer)) == (200, None)


def test_a_stored_title_counts_before_the_link(port: Port) -> None:
    """A stored title is the page's, and the link's words do not count beside it."""
    sets(port, "r", title='The "Room"</title>')
    answer = port.ask("GET", "/rooms/r/?title=Another")
    assert meta(answer)["og:title"] == 'The "Room"</title>'
    assert "<title>The &#34;Room&#34;&lt;/title&gt; · livechat</title>" in answer.body.decode()
    assert words_of(answer) is None


@pytest.mark.parametrize("setting", [{"closed": True}, {"members": True}, {"guests": "off"}])
def test_titles_that_strangers_must_not_know(port: Port, setting: dict[str, Any]) -> None:
    """The page of a room that guests cannot enter has only its name."""
    sets(port, "r", title="Layoffs", topic="in May", listed=True, **setting)
    for path in ("/rooms/r/", "/", "/rooms/"):
        page = port.ask("GET", path).body.decode()
        assert "Layoffs" not in page
        assert "in May" not in page


def test_no_rooms_address(port: Port) -> None:
    """An address that names no room is refused, with the room that may be meant."""
    answer = port.ask("GET", f"/rooms/{quote('Münchner Treff')}/")
    page = answer.body.decode()
    assert answer.status == 400
    assert "Perhaps it is muenchner-treff." in page
    assert 'value="Münchner Treff"' in page


def test_the_front_page_explains_and_lists(port: Port) -> None:
    """The front page explains the chat and lists rooms; code is on a page of its own."""
    sets(port, "news", listed=True, title="The <b>news", topic="\u202eships")
    answer = port.ask("GET", "/")
    page = answer.body.decode()
    assert "wscat" not in page
    assert 'href="/developers/"' in page
    assert links(answer) == ["news"]
    assert "<bdi>The &lt;b&gt;news</bdi>" in page
    assert '<p class="hint" dir="auto">ships</p>' in page


def test_thousands_of_listed_rooms(port: Port) -> None:
    """The front page has some of the listed rooms, and links to pages of all."""
    count = 3 * ROOMS_PER_PAGE
    for number in range(count):
        sets(port, f"r{number:04}", listed=True)
    found = port.ask("GET", "/")
    assert len(links(found)) == BUSIEST
    assert f'<a href="/rooms/">All {count} rooms</a>' in found.body.decode()
    rooms, target = list[str](), "/rooms/"
    while target:
        page = port.ask("GET", target)
        assert len(links(page)) == ROOMS_PER_PAGE
        rooms += links(page)
        more = re.search(r'rel="next" href="([^"]+)"', page.body.decode())
        target = html.unescape(more[1]) if more else ""
    assert rooms == [f"r{number:04}" for number in range(count)]
    assert "There are no more." in port.ask("GET", "/rooms/?after=zzz").body.decode()


def test_the_developers_page_talks_to_this_server(port: Port) -> None:
    """A page of its own shows how to talk to this very server."""
    page = port.ask("GET", "/developers/", Host="chat.example:8443").body.decode()
    assert "wscat -c wss://chat.example:8443/ws/chat/lobby/" in page
    assert 'src="https://chat.example:8443/static/embed.js"' in html.unescape(page)
    assert 'href="/openapi.json"' in page


@pytest.mark.parametrize("path", ["/", "/rooms/", "/rooms/r/", "/developers/"])
def test_how_others_show_a_link(port: Port, path: str) -> None:
    """Pages say what they are called and about, their colours, and have an icon to touch."""
    answer = port.ask("GET", path)
    found = meta(answer)
    assert {"description", "og:title", "og:description", "theme-color"} <= found.keys()
    assert len(found["description"]) > 20
    (icon,) = re.findall(r'rel="apple-touch-icon" href="([^"]+)"', answer.body.decode())
    image = port.ask("GET", icon)
    assert image.headers["content-type"] == "image/png"
    assert image.body[16:24] == (180).to_bytes(4) * 2
