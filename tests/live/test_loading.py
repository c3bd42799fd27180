"""Loading of pages: number of requests, use of the cache, and the server away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Request, Route, WebSocket, expect

from tests.live.browser import PHONE, Tab, until
from tests.live.daemon import Daemon
from tests.live.speaker import Speaker
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


def outstanding(tab: Tab) -> set[Request]:
    """
    The tab's requests from now on that have no answer yet.

    Playwright's *networkidle* says less: it comes once, also where a page has asked for nothing
    else for half a second because it waits for its WebSocket.
    """
    waiting: set[Request] = set()

    def answered(request: Request) -> None:
        waiting.discard(request)

    def asked(request: Request) -> None:
        waiting.add(request)

    tab.page.on("request", asked)
    tab.page.on("requestfinished", answered)
    tab.page.on("requestfailed", answered)
    return waiting


def settle(tab: Tab, waiting: set[Request]) -> None:
    """Wait for all that the page has asked for: late answers would count for the next page."""
    tab.page.wait_for_load_state("networkidle")
    while waiting:
        tab.page.wait_for_timeout(20)


@pytest.mark.parametrize("path", ["/", "/rooms/cold/"])
def test_number_of_requests(tab: Callable[..., Tab], path: str) -> None:
    """A page takes few requests when nothing of it is kept; then, what is kept is not asked for."""
    visit = tab()
    visit.page.add_init_script("localStorage['livechat:name'] = 'Ann'")
    paths, waiting = counted(visit), outstanding(visit)
    visit.open(path)
    ready = ".composer" if path != "/" else "h1"
    expect(visit.page.locator(ready)).to_be_visible()
    if path != "/":
        expect(visit.page.locator(".people li")).to_have_count(1)
    settle(visit, waiting)
    assert len(paths) <= COLD, paths
    scripts = [each for each in paths if each.endswith(".js")]
    # The first script, and the rest of the room.
    assert len(scripts) == (1 if path == "/" else 2)
    paths.clear()
    visit.open(path)
    expect(visit.page.locator(ready)).to_be_visible()
    visit.page.wait_for_load_state("networkidle")
    assert paths[0] == path
    assert not [each for each in paths if each.startswith("/static/")]


def test_ready_by_what_is_kept(tab: Callable[..., Tab]) -> None:
    """A page with cached files can be written on as soon as it has come."""
    visit = tab()
    visit.page.add_init_script("localStorage['livechat:name'] = 'Ann'")
    visit.open("/rooms/kept/")
    expect(visit.page.locator(".composer")).to_be_visible()
    # All requests but the page's own are never answered.
    visit.page.route_web_socket("**", lambda socket: None)
    visit.page.route("**/chat/**", lambda route: None)
    visit.open("/rooms/kept/")
    visit.page.get_by_label("Message", exact=True).fill("already")


#: Files that the page had from the network by the time of the join, other than itself.
FROM_NETWORK: Final = """
    addEventListener("livechat:join", () => {
        window.atJoin = performance.getEntriesByType("resource")
            .filter(({ transferSize, responseEnd }) => transferSize && responseEnd)
            .map(({ name }) => new URL(name).pathname);
        const { shadowRoot } = document.querySelector("[data-livechat]");
        const text = shadowRoot.querySelector("textarea");
        window.couldWrite = text.checkVisibility() && !text.disabled;
    });
"""


def test_ready_after_one_round_trip(tab: Callable[..., Tab]) -> None:
    """A page with cached files waits for its own answer and the WebSocket only."""
    visit = tab()
    visit.page.add_init_script("localStorage['livechat:name'] = 'Ann'")
    visit.page.add_init_script(FROM_NETWORK)
    waiting = outstanding(visit)
    visit.open("/rooms/trip/")
    expect(visit.page.locator(".people li")).to_have_count(1)
    settle(visit, waiting)
    paths = counted(visit)
    frames: list[str] = []

    def opened(socket: WebSocket) -> None:
        socket.on("framesent", lambda _: frames.append("sent"))
        socket.on("framereceived", lambda _: frames.append("received"))

    visit.page.on("websocket", opened)
    visit.open("/rooms/trip/")
    until(visit.page, "window.atJoin !== undefined")
    # The server says hello by itself: nothing had to be asked on the connection.
    assert frames[0] == "received"
    assert visit.page.evaluate("[atJoin, couldWrite]") == [[], True]
    visit.page.get_by_label("Message", exact=True).fill("hi")
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator(".said .message p")).to_have_text(["hi"])
    assert paths[:2] == ["/rooms/trip/", "/ws/chat/trip/"]
    assert set(paths[2:]) <= {"/chat/history/trip/"}


class Withheld:
    """Requests of a page for some scripts, which wait, or fail, until they are answered."""

    def __init__(self, tab: Tab, pattern: str) -> None:
        self._waiting: list[Route] = []
        self._settle: Callable[[Route], None] = self._waiting.append
        tab.page.route(re.compile(rf"/static/({pattern})\."), self._asked)

    def _asked(self, route: Route) -> None:
        self._settle(route)

    def _turn(self, settle: Callable[[Route], None]) -> None:
        self._settle = settle
        while self._waiting:
            settle(self._waiting.pop())

    def fail(self) -> None:
        """Have them fail, those that wait and those that come."""
        self._turn(lambda route: route.abort())

    def answer(self) -> None:
        """Have them answered, those that wait and those that come."""
        self._turn(lambda route: route.continue_())


@pytest.mark.parametrize("fails", [False, True], ids=["late", "failing"])
def test_before_the_rest_is_there(
    tab: Callable[..., Tab], speaker: Callable[..., Speaker], fails: bool
) -> None:
    """The room works before its remaining parts are loaded, and nothing is lost by it."""
    room = f"late-{fails}"
    bo = speaker(room, "Bo")
    last = bo.says("*one*", "two", "three", "four")
    visit = tab(**PHONE)
    ann = Visitor(visit, touches=True)
    rest = Withheld(visit, "chat-rest|texts-en-more")
    ann.join(room, "Ann")
    ann.hears("*one*", "two", "three", "four")
    if fails:
        rest.fail()
    ann.says("mine")
    ann.hears("*one*", "two", "three", "four", "mine")
    # A click, an edit, a retraction and a reply now wait for the rest.
    visit.page.locator("button.count").tap()
    bo.does("edit", ref=last - 2, message="2")
    bo.does("retract", ref=last - 1)
    bo.says("@Ann yes", reply_to=last + 1)
    ann.hears_by_now("@Ann yes")
    expect(visit.page.locator(".said .quote")).to_have_text("An earlier message")
    expect(visit.page.locator(".people li")).to_have_count(0)
    rest.answer()
    # The list of people opens, as was asked.
    expect(visit.page.locator(".people li")).to_have_count(2)
    expect(visit.page.locator(".people")).to_be_visible()
    visit.page.locator("button.count").tap()
    expect(visit.page.locator(".people")).to_be_hidden()
    ann.hears("one", "2", "This message was taken back.", "four", "mine", "@Ann yes")
    expect(visit.page.locator(".said em")).to_have_text("one")
    expect(visit.page.locator(".said mark")).to_have_text("@Ann")
    expect(visit.page.locator(".said .quote")).to_contain_text("mine")
    expect(ann.opens_menu(ann.line("mine"))).to_have_text(["Reply", "Edit", "Take back"])
    assert visit.findings() == []


def test_left_while_the_rest_comes(tab: Callable[..., Tab]) -> None:
    """A chat that goes away while parts of it are loaded leaves nothing behind."""
    visit = tab()
    visit.page.add_init_script("localStorage['livechat:name'] = 'Ann'")
    sockets: list[WebSocket] = []

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)

    visit.page.on("websocket", opened)
    for pattern, more in (("chat-rest|texts-en-more", ""), ("chat-launcher", "launcher")):
        held = Withheld(visit, pattern)
        visit.open("/rooms/other/")
        visit.page.evaluate(
            """(more) => {
                document.querySelector("[data-livechat]").remove();
                const place = document.createElement("div");
                place.textContent = "ours";
                Object.assign(place.dataset, { livechat: "left", ...(more && { [more]: "" }) });
                document.querySelector("main").append(place);
                window.place = place;
            }""",
            more,
        )
        if not more:
            expect(visit.page.locator(".composer")).to_be_visible()
        visit.page.evaluate("delete place.dataset.livechat")
        held.fail()
        expect(visit.page.get_by_text("ours")).to_be_visible()
        held.answer()
        expect(visit.page.locator("[data-launcher], .composer")).to_have_count(1 if more else 0)
        assert visit.page.evaluate("place.shadowRoot?.querySelectorAll('*').length ?? 1") == 1
        visit.page.evaluate("place.dataset.livechat = 'left'")
        if more:
            visit.page.get_by_role("button", name="Chat", exact=True).click()
        expect(visit.page.locator(".people li")).to_have_count(1)
        visit.page.evaluate("place.remove()")
        expect(visit.page.locator(".composer")).to_have_count(0)
    assert sockets
    for socket in sockets:
        if not socket.is_closed():
            socket.wait_for_event("close")


def test_moderators_alone_load_what_they_need(visitor: Callable[..., Visitor]) -> None:
    """Moderation and the way past firewalls are loaded only where they are needed."""
    ann = visitor()
    paths = counted(ann.tab)
    ann.join("plain", "Ann").says("hi")
    ann.hears("hi")
    expect(ann.page.locator(".people li")).to_have_count(1)
    ann.page.wait_for_load_state("networkidle")
    assert not [path for path in paths if "moderation" in path or "events" in path]


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


def test_chat_that_cannot_start(visitor: Callable[..., Visitor]) -> None:
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
