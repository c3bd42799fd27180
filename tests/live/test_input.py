"""How the pages are seen and written to: widths, zoom, and input methods, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.live.browser import HOSTILE, Tab
from tests.live.daemon import Daemon
from tests.live.visitor import Visitor, say

#: The narrowest that WCAG asks for, a phone, and a window.
WIDTHS = (320, 390, 1280)
#: A window of 1280 pixels, in which everything is twice as large.
ZOOMED: dict[str, Any] = {"viewport": {"width": 640, "height": 430}, "device_scale_factor": 2}


def looks_fine(ann: Visitor, room: str) -> None:
    """See the front page, the door, the room and what opens in it, at a width."""
    page = ann.page
    for path in ("/", f"/rooms/{room}/"):
        ann.tab.open(path)
        expect(page.get_by_label("Your name")).to_be_visible()
        assert ann.tab.findings() == [], path
    ann.introduce("Ann")
    ann.hears_by_now("last")
    assert ann.tab.findings() == []
    expect(ann.composer).to_be_in_viewport(ratio=1)
    items = ann.opens_menu(ann.line("last"))
    for item in items.all():
        expect(item).to_be_in_viewport(ratio=1)
    assert ann.tab.findings() == []
    page.keyboard.press("Escape")
    ann.composer.fill("one\n" * 40)
    expect(ann.composer).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    expect(ann.log).to_be_in_viewport()


@pytest.mark.parametrize("width", WIDTHS)
def test_widths(visitor: Callable[..., Visitor], daemon: Daemon, width: int) -> None:
    """In the dark, at each width, everything fits, is seen, and is read by all."""
    say(daemon, f"wide-{width}", "w" * 400, "https://example.org/" + "a" * 300, *HOSTILE, "last")
    size = {"width": width, "height": 640}
    ann = visitor(viewport=size, color_scheme="dark", reduced_motion="reduce")
    looks_fine(ann, f"wide-{width}")


def test_zoom(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """At 200 % everything is there, too."""
    say(daemon, "zoomed", "w" * 400, "last")
    looks_fine(visitor(reduced_motion="reduce", **ZOOMED), "zoomed")


def composes(page: Page) -> None:
    """Press the Enter that ends a composition in Safari: it has the code 229, and is over."""
    session = page.context.new_cdp_session(page)
    for kind in ("rawKeyDown", "keyUp"):
        code = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
        session.send("Input.dispatchKeyEvent", {"type": kind, **code})


def test_input_method_on_the_chat_page(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Enter that takes what an input method offers does not send it."""
    ann = visitor().join("methods", "Ann")
    ann.composer.fill("漢字")
    composes(ann.page)
    ann.composer.press("!")
    ann.composer.press("Enter")
    ann.hears("漢字!")


def test_input_method_on_the_admin_page(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Nor does it on the admin page."""
    operator = tab()
    operator.sign_in("/admin/rooms/operated/")
    operator.live()
    text = operator.page.get_by_label("Message", exact=True)
    text.fill("漢字")
    composes(operator.page)
    text.press("!")
    text.press("Enter")
    expect(operator.page.get_by_text("Message 1 was sent")).to_be_visible()
    assert [each["message"] for each in daemon.history("operated")] == ["漢字!"]
