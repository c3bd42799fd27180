"""The chat page where a room is moderated, in Chromium: for visitors, and for moderators."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.live.browser import PHONE
from tests.live.moderator import HOSTILE, MARKUP, Moderator
from tests.live.site_users import KNOWS_THEM, enter, token
from tests.live.visitor import Visitor

DAEMON = KNOWS_THEM
#: As narrow as telephones are.
NARROW: Final[dict[str, Any]] = {**PHONE, "viewport": {"width": 360, "height": 700}}
#: The page's clock is ahead by an hour.
LATE: Final = """(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 3_600_000;
})()"""
NO_STORAGE: Final = """for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, { get() { throw new Error("There is none."); } });"""


def morning() -> str:
    """A time zone in which it is ten o'clock: an hour from now is on the same day."""
    west = (datetime.now(UTC).hour - 10 + 12) % 24 - 12
    return f"Etc/GMT{west:+d}"


def moderates(visitor: Visitor, room: str, name: str = "Mia") -> Visitor:
    """Enter *room* as one of those that moderate it."""
    enter(
        visitor, room, token("8", name=name, rooms={room: ["join", "history", "send", "moderate"]})
    )
    visitor.is_in()
    return visitor


def signed_in(visitor: Visitor, room: str, user: str, name: str) -> Visitor:
    enter(visitor, room, token(user, name=name))
    visitor.is_in()
    return visitor


def test_settings_in_the_head(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]
) -> None:
    """The room's head follows its settings, whatever is in them; a draft stays."""
    mo = moderator("head")
    pinned, other = mo.says(f"pinned {HOSTILE}"), mo.says("other")
    for number in range(20):
        mo.says(f"line {number}")
    ann = visitor(**NARROW).join("head", "Ann")
    ann.composer.press_sequentially("a draft")
    head = ann.page.locator("header")
    expect(head.get_by_role("heading")).to_have_text("head")
    mo.sets(title=HOSTILE[:100], topic=HOSTILE[:200], pinned=pinned)
    expect(head.get_by_role("heading")).to_have_text(HOSTILE[:100])
    expect(head.locator(".topic")).to_have_text(HOSTILE[:200])
    expect(head.locator(".pinned .quote")).to_contain_text("pinned <img")
    expect(ann.composer).to_be_focused()
    expect(ann.composer).to_have_value("a draft")
    assert ann.tab.findings() == []
    head.locator(".pinned .quote").tap()
    expect(ann.line(f"pinned {HOSTILE}")).to_be_focused()
    expect(ann.line(f"pinned {HOSTILE}")).to_be_in_viewport()
    mo.does("retract", ref=pinned)
    expect(head.locator(".pinned")).to_be_hidden()
    mo.sets(title=None, topic=None, pinned=other)
    expect(head.get_by_role("heading")).to_have_text("head")
    expect(head.locator(".topic")).to_be_hidden()
    expect(head.locator(".pinned")).to_be_visible()
    # A pinned message that is gone is not shown to newcomers either.
    mo.sets(pinned=pinned)
    expect(head.locator(".pinned .quote")).to_have_class(re.compile("empty"))
    ann.page.reload()
    expect(head.locator(".pinned .quote")).to_have_class(re.compile("empty"))
    expect(head.locator(".pinned")).to_be_hidden()
    expect(ann.composer).to_have_value("a draft")
    mo.sets(closed=True)
    expect(ann.page.get_by_role("alert")).to_have_text("This room is closed.")
    assert ann.tab.findings() == []
    mo.sets(closed=False)
    ann.page.get_by_role("button", name="Try again").tap()
    expect(ann.composer).to_have_value("a draft")


def test_slow_mode(visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]) -> None:
    """The button counts down, on a device whose clock is wrong too; what waits goes in order."""
    mo = moderator("slow")
    mo.sets(slow=600)
    ann = visitor(cabled=True, **NARROW)
    ann.page.add_init_script(LATE)
    signed_in(ann, "slow", "42", "Ann")
    send = ann.page.locator(".send")
    expect(ann.page.locator(".pace")).to_have_text("Slow mode: one message in 10 min.")
    ann.says("one")
    ann.hears("one")
    expect(send).to_have_text("10 min")
    ann.says("two")
    expect(ann.page.get_by_role("status")).to_have_text("Slow mode: you can send this in 10 min.")
    expect(ann.composer).to_have_value("two")
    assert ann.tab.findings() == []
    # Edits of one's own messages do not wait for slow mode.
    ann.chooses(ann.line("one"), "Edit")
    expect(send).to_have_text("Save")
    ann.says("uno")
    ann.hears("uno")
    mo.sets(slow=30)
    expect(send).to_have_text(re.compile(r"^[23]\d s$"))
    mo.sets(slow=None)
    expect(send).to_have_text("Send")
    expect(ann.composer).to_have_value("two")
    send.tap()
    ann.hears("uno", "two")
    ann.tab.goes_offline()
    expect(ann.banner).to_be_visible()
    ann.says("three", "four", "five")
    mo.sets(slow=1)
    ann.tab.is_online_again()
    ann.hears("uno", "two", "three", "four", "five")
    mo.sets(hold="all", slow=None)
    expect(ann.page.locator(".pace")).to_have_text("Messages are reviewed before others see them.")


def test_muted_and_banned(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]
) -> None:
    """Muted and banned visitors see until when and why, as plain text; a draft stays."""
    mo = moderator("muted")
    mo.says("hello")
    ann = signed_in(visitor(cabled=True, timezone_id=morning()), "muted", "42", "Ann")
    ann.composer.press_sequentially("a draft")
    mo.restricts("42", "mute", reason=HOSTILE[:200], seconds=600)
    notice = ann.page.locator(".barred")
    expect(notice).to_have_text(re.compile(r"^You are muted until \d+:\d\d [AP]M: <img"))
    expect(notice.locator("bdi")).to_have_text(HOSTILE[:200])
    expect(ann.composer).to_be_hidden()
    assert ann.tab.findings() == []
    items = ann.opens_menu(ann.line("hello"))
    assert items.all_inner_texts() == ["Report…", "Ignore this person"]
    ann.page.keyboard.press("Escape")
    mo.does("pardon", user="42")
    expect(ann.composer).to_be_visible()
    expect(ann.composer).to_have_value("a draft")
    ann.tab.goes_offline()
    expect(ann.banner).to_be_visible()
    ann.says("one", "two", "three")
    mo.restricts("42", "mute", reason=MARKUP, seconds=172_800)
    ann.tab.is_online_again()
    failed = ann.page.locator(".failed")
    expect(failed.locator("small")).to_have_text([f"Not sent. You are muted: {MARKUP}"] * 3)
    expect(failed.get_by_role("alert")).to_have_count(1)
    later = re.compile(r"^You are muted until \w+ \d+, \d{4} at \d+:\d\d [AP]M: <img")
    expect(notice).to_have_text(later)
    mo.restricts("42", "ban", reason=f"\u202e{MARKUP}", seconds=3_600)
    expect(ann.page.get_by_role("alert")).to_have_text(
        re.compile(r"^You are banned until \d+:\d\d [AP]M\.$")
    )
    expect(ann.page.locator(".advice + .hint")).to_have_text(f"The reason: \u202e{MARKUP}")
    assert ann.tab.findings() == []
    mo.does("pardon", user="42")
    ann.page.get_by_role("button", name="Try again").click()
    ann.is_in()


def test_a_moderator_at_work(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]
) -> None:
    """A message's menu: pin, mute and back, look, remove, ban."""
    moderator("work").says("first")
    eve = signed_in(visitor(), "work", "66", "Eve")
    eve.says("buy", "now", HOSTILE)
    mia = moderates(visitor(**NARROW, color_scheme="dark"), "work")
    mia.hears("first", "buy", "now", HOSTILE)
    assert mia.opens_menu(mia.line("buy")).all_inner_texts() == [
        "Reply", "Report…", "Ignore this person", "Pin", "What they said", "Remove",
        "Mute for 10 minutes", "Ban…",
    ]  # fmt: skip
    assert mia.tab.findings() == []
    mia.page.get_by_role("menuitem", name="Pin").tap()
    expect(eve.page.locator(".pinned .quote")).to_contain_text("buy")
    mia.chooses(mia.line("buy"), "Unpin")
    expect(eve.page.locator(".pinned")).to_be_hidden()
    mia.chooses(mia.line("buy"), "Mute")
    expect(eve.composer).to_be_hidden()
    told = mia.page.locator(".told")
    expect(told).to_contain_text("Eve is muted for 10 minutes.")
    # The note stays for as long as its button has the focus.
    told.get_by_role("button", name="Undo").focus()
    assert mia.tab.findings() == []
    told.get_by_role("button", name="Undo").tap()
    expect(eve.composer).to_be_visible()
    mia.chooses(mia.line("now"), "Remove")
    expect(eve.messages()).to_contain_text(["first", "buy", "A moderator removed this message."])
    mia.chooses(mia.line("buy"), "What they said")
    dialog = mia.page.get_by_role("dialog", name="What Eve said")
    expect(dialog.get_by_role("status")).to_have_text("2 messages of all that is kept")
    assert mia.tab.findings() == []
    dialog.get_by_role("button", name="buy").tap()
    expect(mia.line("buy")).to_be_focused()
    mia.chooses(mia.line("buy"), "Ban…")
    dialog = mia.page.get_by_role("dialog", name="Ban Eve")
    dialog.get_by_label("How long").select_option("for 1 day")
    dialog.get_by_label("Reason, which they are told").fill("spam")
    dialog.get_by_label("Remove what they said").check()
    assert mia.tab.findings() == []
    dialog.get_by_role("button", name="Ban", exact=True).tap()
    expect(eve.page.locator(".advice + .hint")).to_have_text("The reason: spam")
    expect(mia.page.locator(".message.gone")).to_have_count(3)
    expect(mia.page.locator(".moderated").last).to_have_text(re.compile("^Mia "))
    assert MARKUP not in mia.page.locator(".said").inner_text()
    # Moderators are out of each other's reach.
    mia.chooses(mia.line("first"), "Mute")
    expect(told).to_have_text(re.compile(r"^Not done\. This person moderates here"))


def test_reviews_and_reports(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]
) -> None:
    """A message waits, is approved, or rejected with a reason; a report is looked at."""
    mo = moderator("reviews")
    mo.sets(hold="all")
    ann = signed_in(visitor(), "reviews", "42", "Ann")
    bob = signed_in(visitor(), "reviews", "43", "Bob")
    ann.says("good", f"bad {HOSTILE}")
    waiting = ann.page.locator(".waiting li")
    expect(waiting.locator("small")).to_have_text(["Waits for a review"] * 2)
    ann.page.reload()
    expect(waiting.locator("small")).to_have_text(["Waits for a review"] * 2)
    mia = moderates(visitor(**NARROW, color_scheme="dark"), "reviews")
    mia.page.get_by_role("button", name="2 cases").tap()
    dialog = mia.page.get_by_role("dialog", name="Cases")
    row = dialog.get_by_role("listitem").filter(has_text="good")
    assert mia.tab.findings() == []
    row.get_by_role("button", name="Approve").tap()
    for each in (ann, bob, mia):
        each.hears_by_now("good")
    expect(waiting).to_have_count(1)
    row = dialog.get_by_role("listitem").filter(has_text="bad")
    row.get_by_label("Reason, which the author is told").fill(f"\u202e{MARKUP}")
    row.get_by_role("button", name="Reject").tap()
    expect(dialog).to_be_hidden()
    expect(ann.page.locator(".failed small")).to_have_text(
        f"Not sent. A moderator has refused it: \u202e{MARKUP}"
    )
    expect(mia.page.locator(".cases")).to_be_hidden()
    assert "bad" not in bob.everything()

    bob.chooses(bob.line("good"), "Report…")
    dialog = bob.page.get_by_role("dialog", name="Report a message")
    dialog.get_by_label("What is wrong with it?").fill(HOSTILE[:200])
    assert bob.tab.findings() == []
    bob.page.keyboard.press("Enter")
    expect(bob.page.locator(".told")).to_have_text("Reported. Thank you.")
    mia.page.get_by_role("button", name="1 case").tap()
    dialog = mia.page.get_by_role("dialog", name="Cases")
    expect(dialog).to_contain_text("Ann")
    expect(dialog).to_contain_text("was reported by Bob")
    assert mia.tab.findings() == []
    dialog.get_by_label("Reason, which the reporter is told").fill("it is fine")
    dialog.get_by_role("listitem").get_by_role("button", name="Close").tap()
    expect(bob.page.locator(".told")).to_have_text(
        "Those who moderate have looked at your report: it is fine"
    )


@pytest.mark.parametrize("storage", [True, False], ids=["storage", "no storage"])
def test_ignoring(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator], *, storage: bool
) -> None:
    """Messages of ignored people fold, now and later, until that is undone in the list."""
    room = f"ignoring-{storage}"
    mo = moderator(room)
    mo.says("one")
    ann = visitor(**NARROW)
    if not storage:
        ann.page.add_init_script(NO_STORAGE)
    ann.tab.open(f"/rooms/{room}/")
    ann.introduce("Ann")
    ann.says("mine")
    ann.hears("one", "mine")
    ann.chooses(ann.line("one"), "Ignore this person")
    mo.says("two")
    veils = ann.page.locator(".veil")
    expect(veils).to_have_text(["You ignore Mo · show"] * 2)
    expect(ann.page.get_by_text("two", exact=True)).to_be_hidden()
    veils.nth(1).get_by_role("button").tap()
    expect(ann.page.get_by_text("two", exact=True)).to_be_visible()
    if storage:
        assert ann.tab.findings() == []
        ann.page.reload()
        expect(veils).to_have_count(2)
        expect(ann.page.get_by_text("two", exact=True)).to_be_hidden()
    ann.page.locator("button.count").tap()
    expect(ann.page.locator(".ignoring")).to_contain_text("Mo")
    if storage:
        assert ann.tab.findings() == []
    ann.page.locator(".ignoring").get_by_role("button", name="Undo").tap()
    expect(ann.page.locator(".ignoring")).to_be_hidden()
    expect(veils).to_have_count(0)
