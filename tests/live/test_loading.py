"""How pages load: in how many requests, from what a browser keeps, and while the server is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.live.browser import Tab
from tests.live.daemon import Daemon
from tests.live.visitor import Visitor

#: Requests of a page that nothing is kept of, with its WebSocket.
COLD = 8


def counted(tab: Tab) -> list[str]:
    """The paths of the tab's requests and WebSockets from now on; those from its cache are none."""
    paths: list[str] = []
    devtools = tab.context.new_cdp_session(tab.page)
    kept: set[str] = set()
    devtools.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))

    def answered(event: dict[str, Any]) -> None:
        if not event["response"].get("fromDiskCache") and event["requestId"] not in kept:
            paths.append(urlsplit(event["response"]["url"]).path)

    devtools.on("Network.responseReceived", answered)
    devtools.on("Network.webSocketCreated", lambda event: paths.append(urlsplit(event["url"]).path))
    devtools.send("Network.enable")
    return paths


@pytest.mark.parametrize("path", ["/", "/rooms/cold/"])
def test_requests(tab: Callable[..., Tab], path: str) -> None:
    """A page takes few requests when nothing of it is kept; then, what is kept is not asked for."""
    visit = tab()
    visit.page.add_init_script("localStorage['livechat:name'] = 'Ann'")
    paths = counted(visit)
    visit.open(path)
    ready = ".composer" if path != "/" else "h1"
    expect(visit.page.locator(ready)).to_be_visible()
    visit.page.wait_for_load_state("networkidle")
    assert len(paths) <= COLD, paths
    scripts = [each for each in paths if each.endswith(".js")]
    # What one needs first, and the rest of the room.
    assert len(scripts) == (1 if path == "/" else 2)
    paths.clear()
    visit.open(path)
    expect(visit.page.locator(ready)).to_be_visible()
    visit.page.wait_for_load_state("networkidle")
    assert paths[0] == path
    assert not [each for each in paths if each.startswith("/static/")]


def test_ready_by_what_is_kept(tab: Callable[..., Tab]) -> None:
    """When its files are kept, one can write as soon as the page has come."""
    visit = tab()
    visit.page.add_init_script("localStorage['livechat:name'] = 'Ann'")
    visit.open("/rooms/kept/")
    expect(visit.page.locator(".composer")).to_be_visible()
    # All requests but the page's own are never answered.
    visit.page.route_web_socket("**", lambda socket: None)
    visit.page.route("**/chat/**", lambda route: None)
    visit.open("/rooms/kept/")
    visit.page.get_by_label("Message", exact=True).fill("already")


def test_mounted_while_the_server_is_away(
    tab: Callable[..., Tab], start: Callable[..., Daemon]
) -> None:
    """A chat that a page shows while the server is away comes by itself when it is back."""
    daemon = start()
    visit = tab(daemon)
    visit.open("/rooms/other/")
    visit.page.evaluate("window.stays = true")
    daemon.stop()
    for lang in ("en", "de"):
        visit.page.evaluate(
            """(lang) => {
                const place = document.createElement("div");
                Object.assign(place, { id: lang });
                Object.assign(place.dataset, { livechat: "away", lang, name: "Ann" });
                document.querySelector("main").append(place);
            }""",
            lang,
        )
    expect(visit.page.locator("#en .banner")).to_be_visible()
    start(f"--port={urlsplit(daemon.url).port}")
    for lang in ("en", "de"):
        expect(visit.page.locator(f"#{lang} .banner")).to_be_hidden()
        expect(visit.page.locator(f"#{lang} .composer")).to_be_visible()
    assert visit.page.evaluate("window.stays")


def test_cannot_start(visitor: Callable[..., Visitor]) -> None:
    """An element that cannot start shows what its page has in it, and the console says why."""
    ann = visitor()
    ann.tab.open("/")
    ann.page.evaluate(
        """() => {
            const place = document.createElement("div");
            place.textContent = "Write to chat@example.org";
            Object.assign(place.dataset, { livechat: "x", server: "localhost:10443", name: "Ann" });
            document.body.append(place);
            return import("/static/embed.js");
        }"""
    )
    expect(ann.page.get_by_text("Write to chat@example.org")).to_be_visible()
    (complaint,) = ann.tab.complaints
    assert 'use "https://localhost:10443"' in complaint
    ann.tab.complaints.clear()
