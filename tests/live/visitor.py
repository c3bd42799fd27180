"""Chromium, as a visitor of a room uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from playwright.sync_api import Locator, expect

from tests.live.browser import Tab
from tests.live.daemon import Daemon

# Times between an event and when a page shows it are not looked at.
_MESSAGES = ".said .message p"
_FOCUSED = """() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    const isSeen = getComputedStyle(at).outlineStyle !== "none";
    const name = at.labels?.[0]?.innerText || at.getAttribute("aria-label") || at.innerText;
    return isSeen ? name : `${name} is not seen`;
}"""
_EVERYTHING = """() => {
    const { shadowRoot: root } = document.querySelector("[data-livechat]");
    const typed = [...root.querySelectorAll("textarea")].map(({ value }) => value);
    return [root.innerHTML, ...typed, document.title, JSON.stringify({ ...sessionStorage }),
            JSON.stringify({ ...localStorage })].join();
}"""


# Once: the page may forget or change the name.
_KNOWN = """try {
    if (!sessionStorage.known) localStorage["livechat:name"] = NAME;
    sessionStorage.known = "yes";
} catch {}"""


class Visitor:
    """
    A visitor in a room.

    @ivar page: the visitor's page.
    @ivar touches: True for a finger, False for a mouse.
    """

    def __init__(self, tab: Tab, *, touches: bool = False) -> None:
        self.tab = tab
        self.touches = touches
        self.page = tab.page
        self.composer = self.page.get_by_label("Message", exact=True)
        self.banner = self.page.locator(".banner")
        self.log = self.page.locator(".scroller")

    def join(self, room: str, name: str, url: str | None = None) -> Visitor:
        """Open a room's page in a browser that knows the visitor's name; wait until one is in."""
        self.page.add_init_script(f"const NAME = {json.dumps(name)};{_KNOWN}")
        self.page.goto(f"{url or self.tab.url}/rooms/{room}/")
        self.is_in()
        return self

    def introduce(self, name: str) -> None:
        """Answer who one is."""
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Join").click()
        self.is_in()

    def renames(self, name: str) -> None:
        """Take another name, without leaving the room."""
        self.page.get_by_role("button", name="Change your name").click()
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Save").click()

    def is_in(self) -> None:
        """Wait until one is connected."""
        expect(self.composer).to_be_visible()
        expect(self.banner).to_be_hidden()

    def is_complete(self) -> None:
        """Wait until the parts are there that a page loads after it is connected."""
        expect(self.page.locator(".people")).to_be_attached()

    def says(self, *texts: str) -> None:
        for text in texts:
            self.composer.fill(text)
            # On a phone, Enter begins a line.
            if self.touches:
                self.page.locator(".send").tap()
            else:
                self.composer.press("Enter")

    def focused(self) -> str:
        """The name of what has the keyboard's focus, which has to be seen."""
        name: str = self.page.evaluate(_FOCUSED)
        return name

    def reaches(self, name: str, key: str = "Tab") -> None:
        """Go to what has this name, by the keyboard."""
        for _ in range(20):
            if self.focused().endswith(name):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{name} cannot be reached: {self.focused()}")

    def messages(self) -> Locator:
        return self.page.locator(_MESSAGES)

    def hears(self, *texts: str) -> None:
        """Wait until just these messages are shown, in this order, and nothing waits."""
        expect(self.messages()).to_have_text(list(texts), use_inner_text=True)
        expect(self.page.locator(".waiting li")).to_have_count(0)

    def hears_by_now(self, text: str) -> None:
        """Wait until a message is shown."""
        expect(self.messages().filter(has_text=re.compile(f"^{re.escape(text)}$"))).to_be_visible()

    def line(self, text: str) -> Locator:
        """The line of a message."""
        said = self.page.locator("p", has_text=re.compile(f"^{re.escape(text)}$"))
        return self.page.locator(".said .message").filter(has=said)

    def opens_menu(self, line: Locator) -> Locator:
        """Open a message's menu, with the mouse or with a finger; returns its items."""
        button = line.get_by_role("button", name="Message actions")
        if self.touches:
            button.tap()
        else:
            line.hover()
            button.click()
        expect(button).to_have_attribute("aria-expanded", "true")
        return self.page.get_by_role("menuitem")

    def chooses(self, line: Locator, text: str) -> None:
        """Choose something from a message's menu."""
        item = self.opens_menu(line).filter(has_text=text)
        if self.touches:
            item.tap()
        else:
            item.click()
        expect(self.page.get_by_role("menu")).to_be_hidden()

    def everything(self) -> str:
        """All that the page has, seen or not, and all that the browser keeps."""
        found: str = self.page.evaluate(_EVERYTHING)
        return found

    def is_with(self, count: int) -> None:
        """Wait until so many are here."""
        text = "1 person" if count == 1 else f"{count} people"
        expect(self.page.locator("button.count")).to_have_text(text)

    def roster(self) -> list[str]:
        self.is_complete()
        return self.page.locator(".roster bdi").all_inner_texts()


def say(daemon: Daemon, room: str, *texts: str) -> None:
    """Send messages by requests on one connection, with no author."""
    url = f"{daemon.url}/chat/send/{room}/"
    requests = [["--data-urlencode", f"message={text}", url] for text in texts]
    daemon.curl(*requests[0], *(each for more in requests[1:] for each in ("--next", "-k", *more)))


@contextmanager
def site(page: str) -> Iterator[str]:
    """Another site, on a port of its own, with one page."""

    class Site(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
