"""Chromium, as an operator uses it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.live.cable import Cable
from tests.live.daemon import PASSWORD, PATIENCE, ROOT, Daemon
from tests.live.operators import session

WIDE: Final = {"width": 1280, "height": 860}
NARROW: Final = {"width": 390, "height": 844}
#: A telephone, on which one has no mouse.
PHONE: Final[dict[str, Any]] = {"viewport": NARROW, "has_touch": True, "is_mobile": True}
#: Texts that would do something, if they were more than texts.
HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><script>alert(1)",
    "{{7*7}}", "javascript:alert(1)", "' onmouseover='alert(1)'", "</textarea><b>", "\u202eevil",
]  # fmt: skip
# Without the last ones it talks to its maker, where it can; without --no-sandbox root
# cannot start it.
_FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # A process per tab, none in reserve: each costs as much as the page that it shows.
    "--disable-site-isolation-trials", "--renderer-process-limit=1",
    # Nor one that only paints.
    "--in-process-gpu",
    # The name in the files of deploy/.
    "--host-resolver-rules=MAP chat.example.org 127.0.0.1",
)  # fmt: skip
#: Placeholders that are wider than their fields.
CUT: Final = """() => [...document.querySelectorAll("input[placeholder]")].filter((each) => {
    const { font, paddingLeft, paddingRight } = getComputedStyle(each);
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.font = font;
    const room = each.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    return each.checkVisibility() && context.measureText(each.placeholder).width > room;
}).map(({ placeholder }) => placeholder)"""
#: Nothing moves, in the page and in the trees of its elements.
_STILL: Final = """() => [document, ...document.querySelectorAll("*")]
    .map((each) => each === document ? each : each.shadowRoot)
    .filter((root) => root)
    .every((root) => root.getAnimations().every(({ playState }) => playState !== "running"))"""
_AXE: Final = ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js"
#: Findings of axe-core that keep somebody out.  All that it looks at would be megabytes, and rules
#: that find only less than that take a quarter of the time.
_SERIOUS: Final = """async () => {
    const lesser = axe._audit.rules.filter(({ impact }) => ["minor", "moderate"].includes(impact));
    const rules = Object.fromEntries(lesser.map(({ id }) => [id, { enabled: false }]));
    const { violations } = await axe.run({ resultTypes: ["violations"], rules });
    return violations
        .filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes.map(({ html }) => html))}`);
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    # Chromium without the windows around its pages, which cost half of its time.
    path = shutil.which("chromium-headless-shell")
    assert path, f"chromium-headless-shell is missing: run {ROOT}/tests/clients/install"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


class Tab:
    """
    A browser with a page of its own, and its own cookies.

    @ivar url: where it finds the daemon.
    @ivar complaints: errors of scripts, refusals of the content policy, dialogs.
    """

    def __init__(
        self, browser: Browser, daemon: Daemon, *, cabled: bool = False, **options: Any
    ) -> None:
        """
        @param cabled: `goes_offline` can cut it off.
        """
        given: dict[str, Any] = {"viewport": WIDE, "ignore_https_errors": True} | options
        self.daemon = daemon
        self.url = daemon.url
        self._ends = ExitStack()
        if cabled:
            self._cable = self._ends.enter_context(Cable(daemon.port))
            self.url = f"https://localhost:{self._cable.port}"
        self.context = browser.new_context(**given)
        self.context.set_default_timeout(1_000 * PATIENCE)
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def _said(self, message: ConsoleMessage) -> None:
        # A network that is gone, and pages that answer with an error, are expected where a
        # test makes them so.
        expected = message.text.startswith(("Failed to load resource", "WebSocket connection to"))
        if message.type == "error" and not expected:
            self.complaints.append(message.text)

    def open(self, path: str = "/admin/") -> None:
        self.page.goto(self.url + path)

    def sign_in(self, path: str = "/admin/", name: str = "") -> None:
        self.open(path)
        self.page.get_by_label("Name, if you have one of your own").fill(name)
        self.page.get_by_label("Operators’ password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"**{path}")

    def enters(self, path: str = "/admin/") -> None:
        """Open a page as an operator who has signed in before: costs half of `sign_in`."""
        name, value = session(self.daemon)
        cookie = {"name": name, "value": value, "url": self.url, "secure": True, "httpOnly": True}
        self.context.add_cookies([cookie])  # type: ignore[list-item]
        self.open(path)

    def goes_offline(self) -> None:
        """
        Cut the network off.

        Chromium's own way to be offline takes a whole processor while a WebSocket has something
        to send.
        """
        self._cable.refused = True
        self._cable.cut()

    def is_online_again(self) -> None:
        """Mend what was cut, and have the page told."""
        self._cable.refused = False
        self.page.evaluate("dispatchEvent(new Event('online'))")

    @contextmanager
    def hears_later(self) -> Iterator[None]:
        """All that is sent to the page meanwhile comes at the end, at once."""
        self._cable.fall_silent()
        yield
        self._cable.go_on()

    def composes(self, *keys: str) -> None:
        """Press keys as the one that ends a composition in Safari: it has the code 229."""
        session = self.context.new_cdp_session(self.page)
        for key in keys:
            for kind in ("rawKeyDown", "keyUp"):
                code = {"key": key, "code": key, "windowsVirtualKeyCode": 229}
                session.send("Input.dispatchKeyEvent", {"type": kind, **code})
        session.detach()

    def live(self) -> None:
        """Wait until the page is kept up to date."""
        self.page.get_by_text("Live", exact=True).wait_for()

    def messages(self) -> list[str]:
        """The messages that the page shows."""
        return self.page.locator("[data-messages] p").all_inner_texts()

    def rooms(self) -> list[str]:
        """The rooms that the page lists."""
        return self.page.locator(".rooms tbody th").all_inner_texts()

    def findings(self) -> list[str]:
        """List serious findings of axe-core, and elements wider than the window."""
        # A line that is still fading in has little contrast.
        self.page.wait_for_function(_STILL)
        if not self.page.evaluate("'axe' in window"):
            # By the debugger's way, which the page's policy does not bind.
            self.page.evaluate(f"{_AXE.read_text()}; null")
        serious: list[str] = self.page.evaluate(_SERIOUS)
        width = self.excess()
        return serious + ([f"{width} pixels too wide"] if width > 0 else [])

    def excess(self) -> int:
        """The number of pixels by which the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return width

    def close(self) -> None:
        self.context.close()
        self._ends.close()
