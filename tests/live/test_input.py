"""Pages in Chromium: widths, zoom, and input methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from playwright.sync_api import expect

from tests.live.browser import CUT, HOSTILE, NARROW, Tab, until
from tests.live.daemon import Daemon
from tests.live.visitor import Visitor, say

#: Windows in CSS pixels, and how large a pixel is: the narrowest that WCAG asks for, a phone, a
#: window, and one of 1280 pixels in which everything is twice as large.
WINDOWS: Final = ((320, 640, 1), (390, 640, 1), (1280, 640, 1), (640, 430, 2))


def fits(ann: Visitor, width: int, height: int, factor: int) -> None:
    """See that all of a room is in a window, with a menu open and a long text in the composer."""
    devtools = ann.page.context.new_cdp_session(ann.page)
    size = {"width": width, "height": height, "deviceScaleFactor": factor, "mobile": False}
    devtools.send("Emulation.setDeviceMetricsOverride", size)
    until(ann.page, f"innerWidth === {width} && devicePixelRatio === {factor}")
    assert ann.tab.excess() <= 0
    expect(ann.composer).to_be_in_viewport(ratio=1)
    for item in ann.opens_menu(ann.line("last")).all():
        expect(item).to_be_in_viewport(ratio=1)
    assert ann.tab.excess() <= 0
    ann.page.keyboard.press("Escape")
    ann.composer.fill("one\n" * 40)
    expect(ann.composer).to_be_in_viewport(ratio=1)
    expect(ann.page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    expect(ann.log).to_be_in_viewport()
    ann.composer.fill("")
    devtools.detach()


def test_windows_of_all_sizes(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A dark page fits any width, is visible, and is accessible in the narrowest."""
    say(daemon, "wide", "w" * 400, "https://example.org/" + "a" * 300, *HOSTILE, "last")
    size = {"width": 320, "height": 640}
    ann = visitor(viewport=size, color_scheme="dark")
    for path in ("/", "/rooms/wide/"):
        ann.tab.open(path)
        expect(ann.page.get_by_label("Your name")).to_be_visible()
        assert ann.tab.findings() == [], path
        for width, height, _ in WINDOWS:
            ann.page.set_viewport_size({"width": width, "height": height})
            assert ann.tab.excess() <= 0, (path, width)
        ann.page.set_viewport_size({"width": 320, "height": 640})
    ann.introduce("Ann")
    ann.hears_by_now("last")
    ann.opens_menu(ann.line("last"))
    assert ann.tab.findings() == []
    ann.page.keyboard.press("Escape")
    for window in WINDOWS:
        fits(ann, *window)


def test_narrow_pages(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Pages that the tests of axe-core of other files do not open fit the narrowest window."""
    operator = tab(viewport={"width": 320, "height": 568})
    operator.enters("/admin/health/")
    assert operator.findings() == []
    assert operator.page.evaluate(CUT) == []
    for path in ("/developers/", "/rooms/"):
        operator.open(path)
        assert operator.findings() == [], path
        assert operator.page.evaluate(CUT) == [], path


def test_keyboard_alone(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A keyboard alone reaches front page, door, room, another name, out, and in again."""
    ann = visitor(viewport=NARROW)
    page, keys = ann.page, ann.page.keyboard
    say(daemon, "keys", "hi")
    ann.tab.open("/")
    # Without a name, the door asks.
    ann.reaches("Room")
    keys.press("Control+A")
    keys.type("keys")
    keys.press("Enter")
    page.wait_for_url("**/rooms/keys/")
    expect(page.locator(".last li")).to_have_count(1)
    assert ann.focused() == "Your name"
    keys.type("Ann")
    ann.reaches("Join")
    keys.press("Enter")
    ann.is_in()
    assert ann.focused() == "Message"
    expect(page.locator(".rename")).to_be_visible()
    ann.reaches("Change your name", "Shift+Tab")
    keys.press("Enter")
    keys.type("Anna")
    ann.reaches("Save")
    keys.press("Enter")
    expect(page.locator(".rename bdi")).to_have_text("Anna")
    assert ann.focused().endswith(": Change your name")
    ann.reaches("1 person", "Shift+Tab")
    keys.press("Enter")
    ann.reaches("Leave the room")
    keys.press("Enter")
    page.wait_for_url(f"{daemon.url}/")
    assert ann.focused() == "Room"
    ann.reaches("keys")
    keys.press("Enter")
    ann.is_in()
    assert ann.focused() == "Message"
    expect(page.locator(".rename bdi")).to_have_text("Anna")


def test_input_method_on_the_chat_page(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Keys that end a composition send nothing, and close nothing."""
    say(daemon, "methods", "hello")
    ann = visitor(viewport=NARROW).join("methods", "Ann")
    ann.composer.fill("漢字")
    ann.tab.composes("Enter")
    ann.composer.press("!")
    ann.composer.press("Enter")
    ann.hears("hello", "漢字!")
    people = ann.page.get_by_role("button", name="1 person")
    people.click()
    ann.tab.composes("Escape")
    expect(people).to_have_attribute("aria-expanded", "true")
    ann.page.keyboard.press("Escape")
    expect(people).to_have_attribute("aria-expanded", "false")
    # A dialog as moderators have it, too.
    ann.chooses(ann.line("hello"), "Report…")
    reason = ann.page.get_by_role("dialog").get_by_role("textbox")
    reason.fill("漢字")
    ann.tab.composes("Enter", "Escape")
    expect(reason).to_have_value("漢字")
    expect(reason).to_be_focused()


def test_input_method_on_the_admin_page(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Nor do they on the admin page: in what an operator says, and in why somebody is banned."""
    operator = tab()
    operator.enters("/admin/rooms/operated/")
    operator.live()
    text = operator.page.get_by_label("Message", exact=True)
    text.fill("漢字")
    operator.composes("Enter")
    text.press("!")
    text.press("Enter")
    expect(operator.page.get_by_text("Message 1 was sent")).to_be_visible()
    assert [each["message"] for each in daemon.history("operated")] == ["漢字!"]
    with daemon.socket("operated/?name=Eve") as eve:
        eve.send('{"message": "spam"}')
        line = operator.page.locator("[data-messages] > li", has_text="spam")
        line.locator("summary").first.click()
        line.locator("details.ban > summary").click()
        reason = line.locator("details.ban").get_by_role("textbox").first
        reason.fill("漢字")
        operator.composes("Escape", "Enter")
        expect(reason).to_be_visible()
        reason.press("Escape")
        expect(reason).to_be_hidden()
    assert len(daemon.history("operated")) == 2
