"""Days of the log, and the way to them; texts as they are read, printed, and written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from playwright.sync_api import expect

from tests.live.browser import PHONE
from tests.live.daemon import Daemon
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor, say

#: Pastes or drops, into the composer, what a test has.
GIVE: Final = """(text, [type, texts, files]) => {
    const data = new DataTransfer();
    if (texts) data.setData("text/plain", texts);
    if (files) data.items.add(new File(["x"], "x.png", { type: "image/png" }));
    const event = type === "paste"
        ? new ClipboardEvent(type, { clipboardData: data, bubbles: true, cancelable: true, composed: true })
        : new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true, composed: true });
    return !text.dispatchEvent(event);
}"""  # noqa: E501
#: The pages of a document, as it says in it.
PAGE: Final = re.compile(rb"/Type\s*/Page\b(?!s)")


def moment(daemon: Daemon, room: str) -> datetime:
    """Return the time of a room's first message."""
    [message] = daemon.history(f"{room}/?after=0&limit=1")
    return datetime.fromtimestamp(message["time"] / 1000, UTC)


def test_days(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The day changes while one looks on; tests/clients has the names of other days."""
    say(daemon, "days", "hi")
    said = moment(daemon, "days")
    ann = visitor(locale="en-US", timezone_id="UTC")
    clock = ann.tab.context.clock
    clock.install(time=said.replace(hour=23, minute=59, second=0))
    ann.join("days", "Ann")
    expect(ann.page.locator(".day")).to_have_text("Today")
    clock.fast_forward(90_000)
    expect(ann.page.locator(".day")).to_have_text("Yesterday")
    clock.set_fixed_time(said + timedelta(days=366))
    ann.page.reload()
    expect(ann.page.locator(".day")).to_have_text(f"{said:%A, %B} {said.day}, {said.year}")


def test_jump_to_a_date(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A date leads to its first message or the next one after it, or nowhere if none is."""
    speaker("dates").says(*(f"n{number}" for number in range(120)))
    ann = visitor(timezone_id="UTC").join("dates", "Ann")
    expect(ann.messages()).to_have_count(50)

    def go(day: datetime) -> None:
        # A pointer scrolls there first, which loads more and moves the button away from under it.
        ann.page.locator(".day button").first.dispatch_event("click")
        ann.page.get_by_label("Date", exact=True).fill(f"{day:%Y-%m-%d}")
        ann.page.get_by_role("button", name="Go there").click()

    said = moment(daemon, "dates")
    go(said + timedelta(days=400))
    expect(ann.page.locator(".told")).to_have_text("Nothing was said on that day, or since then.")
    assert ann.tab.findings() == []
    go(said)
    first = ann.line("n0")
    expect(first).to_be_focused()
    expect(first).to_be_in_viewport()
    newest = ann.page.get_by_role("button", name="Newest messages")
    newest.click()
    expect(ann.line("n119")).to_be_in_viewport()
    expect(newest).to_be_hidden()
    ann.page.get_by_role("button", name="Jump to a date").first.click()
    ann.page.get_by_label("Date", exact=True).fill("0001-01-01")
    ann.page.keyboard.press("Enter")
    # Midnight may have passed meanwhile.
    next_day = re.compile("The next messages are of: (Today|Yesterday)")
    expect(ann.page.locator(".told")).to_contain_text(next_day)
    expect(first).to_be_focused()
    # The button is there whenever one has scrolled up, news or not.
    ann.page.keyboard.press("Escape")
    expect(newest).to_be_visible()


def test_printed_room(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """All that is loaded is printed, long texts whole, and nothing to press."""
    say(daemon, "print", *(f"n{number}" for number in range(40)), "long\n" * 80 + "end")
    ann = visitor().join("print", "Ann")
    ann.says("mine")
    expect(ann.page.get_by_role("button", name="Show more")).to_be_visible()
    ann.page.emulate_media(media="print")
    for shown in (".composer", ".roster", ".top", ".actions", ".fold", ".newer", ".bar"):
        for each in ann.page.locator(shown).all():
            expect(each).to_be_hidden()
    expect(ann.page.locator(".said")).to_be_visible()
    assert ann.log.evaluate("each => each.scrollHeight <= each.clientHeight + 1")
    text = ann.messages().nth(40)
    assert text.evaluate("each => each.scrollHeight <= each.clientHeight + 1")
    black = ann.messages().last.evaluate("each => getComputedStyle(each).color")
    assert black == "rgb(0, 0, 0)"
    assert len(PAGE.findall(ann.page.pdf())) >= 3


def test_keyboard_and_enter_on_a_phone(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A keyboard on the screen leaves newest message and composer in view; Enter begins a line."""
    say(daemon, "keys", *(f"n{number}" for number in range(40)))
    ann = visitor(**PHONE).join("keys", "Ann")
    content = ann.page.locator("meta[name=viewport]").get_attribute("content")
    assert content is not None
    assert "interactive-widget=resizes-content" in content
    last = ann.line("n39")
    expect(last).to_be_in_viewport()
    ann.page.set_viewport_size({"width": 390, "height": 400})
    expect(last).to_be_in_viewport()
    expect(ann.composer).to_be_in_viewport()
    ann.page.set_viewport_size({"width": 390, "height": 844})
    # Safari tells of it only here.
    covers = """height => {
        Object.defineProperty(visualViewport, "height", { get: () => height, configurable: true });
        visualViewport.dispatchEvent(new Event("resize"));
        return document.body.clientHeight;
    }"""
    assert ann.page.evaluate(covers, 400) == 400
    expect(last).to_be_in_viewport()
    box = ann.composer.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 400
    assert ann.page.evaluate(covers, 844) == 844
    expect(ann.composer).to_have_attribute("enterkeyhint", "enter")
    ann.composer.press_sequentially("a")
    ann.composer.press("Enter")
    ann.composer.press_sequentially("b")
    expect(ann.composer).to_have_value("a\nb")
    ann.page.get_by_role("button", name="Send", exact=True).tap()
    ann.hears_by_now("a\nb")
    # The keyboard stays.
    expect(ann.composer).to_be_focused()
    ann.composer.fill("c")
    ann.composer.press("Control+Enter")
    ann.hears_by_now("c")


def test_enter_and_files_elsewhere(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Enter sends, Shift and Enter begin a line; files that are pasted or dropped are refused."""
    ann = visitor().join("files", "Ann")
    ann.is_complete()
    expect(ann.composer).to_have_attribute("enterkeyhint", "send")
    ann.composer.press_sequentially("d")
    ann.composer.press("Shift+Enter")
    ann.composer.press_sequentially("e")
    ann.composer.press("Enter")
    ann.hears("d\ne")
    problem = ann.page.locator("#unsendable")
    for way in ("dragover", "paste", "drop"):
        assert ann.composer.evaluate(GIVE, [way, "text", False]) is False
        # A text that comes with a picture of itself is taken.
        assert ann.composer.evaluate(GIVE, [way, "a table", True]) is (way != "paste")
        ann.composer.fill("x")
        expect(problem).to_be_hidden()
        assert ann.composer.evaluate(GIVE, [way, "", True]) is True
        if way == "dragover":
            expect(problem).to_be_hidden()
        else:
            said = "Files cannot be sent here. Paste a link to the file instead."
            expect(problem).to_have_text(said)
    assert ann.tab.findings() == []
    ann.composer.fill("y")
    expect(problem).to_be_hidden()


def test_emphasis_code_and_links(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Emphasis, code and links are shown as such; markup is text; what was written is edited."""
    ann = visitor().join("text", "Ann")
    written = "**a** _b_ `<i>c</i>` <b>d</b> www.e.org f@g.org [h](javascript:alert(1))"
    ann.says(written)
    text = ann.messages().first
    expect(text).to_have_text("a b <i>c</i> <b>d</b> www.e.org f@g.org [h](javascript:alert(1))")
    expect(text.locator("strong")).to_have_text("a")
    expect(text.locator("em")).to_have_text("b")
    expect(text.locator("code")).to_have_text("<i>c</i>")
    expect(text.locator("i, b")).to_have_count(0)
    links = text.locator("a").evaluate_all("links => links.map(each => [each.href, each.rel])")
    rel = "noopener noreferrer nofollow ugc"
    assert links == [["https://www.e.org/", rel], ["mailto:f@g.org", rel]]
    ann.chooses(ann.page.locator(".said .message").first, "Edit")
    expect(ann.composer).to_have_value(written)
    ann.says("```\n\u202e  if a*b*c:\n\n```\nend")
    code = text.locator("code.block")
    expect(code).to_have_text("\u202e  if a*b*c:\n", use_inner_text=True)
    # A change of direction ends with the code.
    assert code.evaluate("each => getComputedStyle(each).unicodeBidi") == "isolate"
    ann.chooses(ann.page.locator(".said .message").first, "Reply")
    expect(ann.page.locator(".aim .words")).to_contain_text("if a*b*c:")
    assert ann.tab.findings() == []
    ann.says("*" * 10_000 + "a")
    expect(ann.messages().last).to_contain_text("****a")
    expect(ann.messages().last.locator("*")).to_have_count(0)
