"""Names and avatars tell who speaks; guests take another name without leaving the room."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, expect

from tests.live.browser import NARROW, PHONE, WIDE
from tests.live.daemon import Daemon
from tests.live.visitor import Visitor

RENAME = "Change your name"


def named(visitor: Visitor) -> list[bool]:
    """Tell for each message whether its author is shown."""
    lines = visitor.page.locator(".said .message")
    seen: list[bool] = lines.evaluate_all(
        "all => all.map(each => each.querySelector('b').clientHeight > 1)"
    )
    return seen


def renaming(name: str) -> re.Pattern[str]:
    """The button of somebody with this name."""
    return re.compile(f"^{name} ?: {RENAME}")


def width(of: Locator) -> float:
    box = of.bounding_box()
    assert box
    return box["width"]


def test_nobody_is_counted_yet(visitor: Callable[..., Visitor]) -> None:
    """Before people were counted, screen readers meet no button without a name."""
    ann = visitor(viewport=NARROW)
    ann.page.route_web_socket("**/ws/chat/**", lambda _: None)
    ann.tab.open("/rooms/uncounted/")
    ann.page.get_by_label("Your name").fill("Ann")
    ann.page.get_by_role("button", name="Join").click()
    expect(ann.composer).to_be_visible()
    assert ann.tab.findings() == []


def test_names_in_a_long_group(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A name stands above every 15 lines at least, also where earlier messages come later."""
    ann = visitor()
    with daemon.socket("group/?name=Bob") as bob:
        for text in (*map(str, range(70)), "\n".join("twenty lines of text"), "after"):
            bob.send(json.dumps({"message": text}))
            bob.recv()
        ann.join("group", "Ann")
        expect(ann.messages()).to_have_count(50)
        ann.log.evaluate("log => log.scrollTo(0, -log.scrollHeight)")
        expect(ann.messages()).to_have_count(72)
        at = [number for number, each in enumerate(named(ann)) if each]
        assert at[0] == 0
        assert all(after - before <= 15 for before, after in pairwise(at))
        assert at[-2:] == [70, 71]
        assert len(at) <= 9


def test_a_name_below_new_messages(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The author is named where the new messages begin, after one has been away."""
    ann = visitor()
    with daemon.socket("below/?name=Bob") as bob:
        ann.join("below", "Ann")
        for number in range(3):
            bob.send(json.dumps({"message": str(number)}))
            bob.recv()
        ann.hears("0", "1", "2")
        assert named(ann) == [True, False, False]
        ann.page.goto("about:blank")
        for number in (3, 4):
            bob.send(json.dumps({"message": str(number)}))
            bob.recv()
        ann.page.goto(f"{daemon.url}/rooms/below/")
        ann.hears("0", "1", "2", "3", "4")
        expect(ann.page.locator(".unread + .message")).to_contain_text("3")
        assert named(ann) == [True, False, False, True, False]


def test_widths_of_bubbles(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A bubble is as wide as its text, however long the name and the quote above it are."""
    ann = visitor().join("bubbles", "Ann")
    with daemon.socket("bubbles/?name=Somebody+with+rather+a+long+name") as bob:
        bob.send(json.dumps({"message": "A first sentence, which is quoted"}))
        bob.send(json.dumps({"message": "ok"}))
        ann.hears("A first sentence, which is quoted", "ok")
        ann.chooses(ann.line("A first sentence, which is quoted"), "Reply")
        ann.says("no")
        ann.hears_by_now("no")
        assert width(ann.messages().nth(0)) < 400
        for text in ("ok", "no"):
            assert width(ann.line(text).locator("p")) < 60
        mine, line = ann.line("no").locator("p").bounding_box(), ann.line("no").bounding_box()
        assert mine
        assert line
        # The time stands beside the text, also on a phone, whose buttons are above it.
        for size in (WIDE, NARROW):
            ann.page.set_viewport_size({"width": size["width"], "height": size["height"]})
            for text, factor in (("ok", 1), ("no", -1)):
                when = ann.line(text).locator("time").bounding_box()
                said = ann.line(text).locator("p").bounding_box()
                assert when
                assert said
                between = factor * (when["x"] - said["x"])
                assert 0 < between - (said if factor > 0 else when)["width"] < 16
                assert abs(when["y"] + when["height"] - said["y"] - said["height"]) < 10
        bob.send(json.dumps({"message": "long " * 40}))
        long = ann.page.locator(".said .message", has_text="long long").locator("time")
        assert long.evaluate("each => each.getClientRects().length") == 1
        assert long.evaluate("each => each.offsetHeight") < 24
        ann.page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
        # One's own messages stand at the end of the line.
        assert mine["x"] + mine["width"] == pytest.approx(line["x"] + line["width"], abs=1)


def test_another_name(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A name changed in the head shows at once to others and other tabs; a draft stays."""
    ann, bob = visitor().join("names", "Ann"), visitor(viewport=NARROW).join("names", "Bob")
    tab = ann.tab.context.new_page()
    tab.goto(f"{daemon.url}/rooms/names/")
    expect(tab.get_by_role("button", name=renaming("Ann"))).to_be_visible()
    ann.says("as Ann")
    bob.hears("as Ann")
    colour = "each => getComputedStyle(each).backgroundColor"
    before = bob.page.locator(".said .avatar").first.evaluate(colour)
    ann.composer.fill("a draft")
    ann.renames("Amy")
    button = ann.page.get_by_role("button", name=renaming("Amy"))
    expect(button).to_be_focused()
    expect(ann.page.get_by_role("status")).to_have_text("You are called Amy now.")
    expect(tab.get_by_role("button", name=renaming("Amy"))).to_be_visible()
    expect(bob.page.locator(".roster bdi")).to_have_text(["Bob", "Amy"])
    expect(ann.composer).to_have_value("a draft")
    ann.composer.press("Enter")
    bob.hears("as Ann", "a draft")
    expect(bob.page.locator(".said .message b")).to_have_text(["Ann", "Amy"])
    # The colour is the person's, and no name's.
    assert bob.page.locator(".said .avatar").last.evaluate(colour) == before
    assert ann.tab.findings() == []
    ann.page.reload()
    expect(button).to_be_visible()
    # A user with another's former name is told apart from that one.
    bob.renames("Ann")
    bob.says("me, too")
    ann.hears("as Ann", "a draft", "me, too")
    carl = visitor().join("names", "Carl")
    expect(carl.page.locator(".said .tag")).to_have_count(2)
    tags = [f"·{each['user']['id'][:4]}" for each in daemon.history("names")]
    authors = [f"Ann {tags[0]}", "Amy", f"Ann {tags[2]}"]
    expect(carl.page.locator(".said .message b")).to_have_text(authors)


def test_names_that_are_not_taken(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Escape and Cancel leave the name; one that is refused is said to be so, in place."""
    ann = visitor(**PHONE).join("refused", "Ann")
    page, keys = ann.page, ann.page.keyboard
    button, field = page.get_by_role("button", name=RENAME), page.get_by_label("Your name")
    leaves: tuple[Callable[[], None], ...] = (
        lambda: keys.press("Escape"),
        lambda: page.get_by_role("button", name="Cancel").click(),
        # The same name is none.
        lambda: field.press("Enter"),
    )
    for number, leave in enumerate(leaves):
        button.click()
        expect(field).to_be_focused()
        expect(field).to_have_value("Ann")
        if number < 2:
            field.fill("Eve")
        leave()
        expect(field).to_be_hidden()
        expect(button).to_be_focused()
    # An input method takes Enter and Escape for itself.
    button.click()
    field.fill("Eve")
    for key in ("Enter", "Escape"):
        field.dispatch_event("keydown", {"key": key, "keyCode": 229})
    expect(field).to_be_visible()
    alert = page.locator(".naming [role=alert]")
    for name, problem in (
        ("A\u202eB", "Nobody can be called so."),
        ("Operator", "This name is not for guests. You are called guest-"),
    ):
        field.fill(name)
        keys.press("Enter")
        expect(alert).to_contain_text(problem)
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
    for number in range(5):
        field.fill(f"Ann {number}")
        keys.press("Enter")
        if number < 4:
            expect(page.get_by_role("button", name=renaming(f"Ann {number}"))).to_be_visible()
            button.click()
    expect(alert).to_contain_text("Wait a minute.")
    assert ann.tab.findings() == []
    assert page.evaluate("localStorage.getItem('livechat:name')") == "Ann 3"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_roster_is_sorted(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The roster begins with oneself, then sorts letters in any case, and 9 before 10."""
    names = ["zoe", "Ärger", "Anton", "berta", "Team 10", "Team 9"]
    ann = visitor().join("sorted", "Mia")
    with ExitStack() as others:
        for name in names:
            others.enter_context(daemon.socket(f"sorted/?name={quote(name)}"))
        ann.is_with(7)
        expected = ["Mia", "Anton", "Ärger", "berta", "Team 9", "Team 10", "zoe"]
        expect(ann.page.locator(".roster bdi")).to_have_text(expected)
