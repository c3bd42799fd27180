"""Chromium, as an operator uses it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    sync_playwright,
)

from tests.live.cable import Cable
from tests.live.daemon import PASSWORD, PATIENCE, ROOT, Daemon
from tests.live.operators import session

WIDE: Final = {"width": 1280, "height": 860}
NARROW: Final = {"width": 390, "height": 844}
#: Animations take a quarter of a test's time: only telephones have them.
STILL: Final[dict[str, Any]] = {"reduced_motion": "reduce"}
#: A telephone, on which one has no mouse.
PHONE: Final[dict[str, Any]] = {
    "viewport": NARROW, "has_touch": True, "is_mobile": True, "reduced_motion": "no-preference",
}  # fmt: skip
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
_STILL: Final = """[document, ...document.querySelectorAll("*")]
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
def chromium() -> Iterator[Profiles]:
    """The profiles of a running Chromium."""
    # Chromium without the windows around its pages, which cost half of its time.
    path = shutil.which("chromium-headless-shell")
    assert path, f"chromium-headless-shell is missing: run {ROOT}/tests/clients/install"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield Profiles(browser)
        browser.close()


def until(page: Page, condition: str) -> None:
    """
    Wait until *condition*, an expression of JavaScript, holds in *page*.

    Playwright's `wait_for_function` compiles the condition for each look.  The policy of livechat's
    pages allows that for the first look only, so it fails where the condition takes a moment.
    """
    page.evaluate(f"""async () => {{
        const end = performance.now() + {1000 * PATIENCE};
        while (!({condition})) {{
            if (performance.now() > end) throw new Error("it never came true");
            await new Promise((done) => setTimeout(done, 20));
        }}
    }}""")


class Profile:
    """
    Cookies, storage, and the process of pages.

    @ivar origins: the sites whose pages were opened since it was last empty.
    """

    def __init__(self, browser: Browser, options: Mapping[str, Any]) -> None:
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(1_000 * PATIENCE)
        # Its process ends with the last page.
        self._kept = self.context.new_page()
        self._debugger = self.context.new_cdp_session(self._kept)
        self.origins: set[str] = set()
        self.context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        def navigated(url: str) -> None:
            parts = urlsplit(url)
            if parts.netloc:
                self.origins.add(f"{parts.scheme}://{parts.netloc}")

        navigated(page.url)
        page.on("framenavigated", lambda frame: navigated(frame.url))

    def empty(self) -> None:
        """Close the pages, and forget what they kept."""
        for page in self.context.pages:
            if page is not self._kept:
                page.close()
        self.context.clear_cookies()
        for origin in self.origins:
            clear = {"origin": origin, "storageTypes": "all"}
            self._debugger.send("Storage.clearDataForOrigin", clear)
        self.origins.clear()


class Profiles:
    """
    The profiles of a browser, lent empty.

    A new one starts a process and compiles the pages' scripts, which takes a third of a visit's
    time: so profiles are lent again.
    """

    #: Profiles that are kept until somebody wants one of their kind.
    MOST: Final = 4

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: list[tuple[str, Profile]] = []

    def lend(self, options: Mapping[str, Any]) -> Profile:
        """
        Give out an empty profile.

        @param options: Playwright's, of a context.
        """
        for at, (kind, profile) in enumerate(self._idle):
            if kind == repr(options):
                del self._idle[at]
                return profile
        return Profile(self._browser, options)

    def take_back(self, options: Mapping[str, Any], profile: Profile) -> None:
        """Empty a profile, and keep it in place of the one that nobody has wanted for longest."""
        profile.empty()
        self._idle.append((repr(options), profile))
        if len(self._idle) > self.MOST:
            _, oldest = self._idle.pop(0)
            oldest.context.close()


class Tab:
    """
    A browser with a page of its own, and its own cookies.

    @ivar url: where it finds the daemon.
    @ivar complaints: errors of scripts, refusals of the content policy, dialogs.
    """

    def __init__(
        self, profiles: Profiles, daemon: Daemon, *, cabled: bool = False, **options: Any
    ) -> None:
        """
        @param cabled: `goes_offline` can cut it off.
        """
        self._options = {"viewport": WIDE, "ignore_https_errors": True} | options
        self.daemon = daemon
        self.url = daemon.url
        self._ends = ExitStack()
        if cabled:
            self._cable = self._ends.enter_context(Cable(daemon.port))
            self.url = f"https://localhost:{self._cable.port}"
        self._profiles = profiles
        self._profile = profiles.lend(self._options)
        self._has_own_context = False
        self.complaints: list[str] = []
        self.page: Page = self._profile.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    @property
    def context(self) -> BrowserContext:
        """The page's context, for a test that changes it: it is not lent again."""
        self._has_own_context = True
        return self._profile.context

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
        self._profile.context.add_cookies([cookie])  # type: ignore[list-item]
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
        session = self._profile.context.new_cdp_session(self.page)
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
        until(self.page, _STILL)
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
        if self._has_own_context or self._profile.origins - {self.url}:
            self._profile.context.close()
        else:
            self._profiles.take_back(self._options, self._profile)
        self._ends.close()
