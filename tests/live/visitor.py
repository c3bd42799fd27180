"""Chromium, as a visitor of a room uses it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.live.browser import Tab

# Times between an event and when a page shows it are not looked at.
_MESSAGES = ".said .message p"


class Visitor:
    """
    Somebody in a room.

    @ivar page: what they see.
    """

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page = tab.page
        self.composer = self.page.get_by_label("Message", exact=True)
        self.banner = self.page.locator(".banner")
        self.log = self.page.locator(".scroller")

    def join(self, room: str, name: str, url: str | None = None) -> Visitor:
        """Open a room's page, say who one is, and wait until one is in."""
        self.page.goto(f"{url or self.tab.daemon.url}/rooms/{room}/")
        self.introduce(name)
        return self

    def introduce(self, name: str) -> None:
        """Answer who one is."""
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Join").click()
        self.is_in()

    def is_in(self) -> None:
        """Wait until one is connected."""
        expect(self.composer).to_be_visible()
        expect(self.banner).to_be_hidden()

    def says(self, *texts: str) -> None:
        for text in texts:
            self.composer.fill(text)
            self.composer.press("Enter")

    def messages(self) -> Locator:
        return self.page.locator(_MESSAGES)

    def hears(self, *texts: str) -> None:
        """Wait until just these messages are shown, in this order, and nothing waits."""
        expect(self.messages()).to_have_text(list(texts), use_inner_text=True)
        expect(self.page.locator(".waiting li")).to_have_count(0)

    def hears_by_now(self, text: str) -> None:
        """Wait until a message is shown."""
        expect(self.messages().filter(has_text=re.compile(f"^{re.escape(text)}$"))).to_be_visible()

    def is_with(self, count: int) -> None:
        """Wait until so many are here."""
        text = "1 person" if count == 1 else f"{count} people"
        expect(self.page.locator("button.count")).to_have_text(text)

    def roster(self) -> list[str]:
        return self.page.locator(".roster bdi").all_inner_texts()
