"""Moderating on the admin page, in Chromium: with scripts and without, by pointer, finger, keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.live.browser import WIDE, Tab
from tests.live.daemon import Daemon, Member
from tests.live.speaking import V1, hears
from tests.live.speaking import say as says

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True,
}  # fmt: skip


def join(daemon: Daemon, room: str, name: str = "Ann") -> Member:
    return daemon.socket(f"{room}/?name={name}", subprotocols=[V1])


def act(daemon: Daemon, room: str, **action: Any) -> None:
    key = (daemon.directory / "state" / "local-key").read_text().strip()
    headers = ("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json")
    daemon.curl("-f", *headers, "-d", json.dumps(action), f"{daemon.url}/chat/actions/{room}/")


def menu(tab: Tab, seq: int) -> Locator:
    """The open menu of a message."""
    line = tab.page.locator(f"[data-messages] [data-seq='{seq}']")
    line.locator(".menu > summary").click()
    return line.locator(".acts")


@pytest.mark.parametrize(
    "options",
    [{}, PHONE, {"java_script_enabled": False}, {**PHONE, "java_script_enabled": False}],
    ids=["scripts", "phone", "no scripts", "phone, no scripts"],
)
def test_mute_and_ban(
    tab: Callable[..., Tab],
    daemon: Daemon,
    request: pytest.FixtureRequest,
    options: dict[str, Any],
) -> None:
    """Mute and ban from a message's menu tell person and page; then a pardon."""
    room = "".join(filter(str.isalpha, request.node.callspec.id))
    operator = tab(**options)
    page = operator.page
    with join(daemon, room) as ann:
        seq = says(ann, "spam")
        operator.sign_in(f"/admin/rooms/{room}/")
        if options.get("java_script_enabled", True):
            operator.live()
        menu(operator, seq).get_by_role("button", name="Mute 10 minutes").click()
        expect(page.get_by_role("status").get_by_text("is muted for 10 minutes")).to_be_visible()
        assert hears(ann, "rights")["restriction"]["kind"] == "mute"
        acts = menu(operator, seq)
        acts.get_by_text("Ban …").click()
        acts.get_by_label("Reason, which the person is told").fill("enough <b>")
        acts.get_by_label("also remove what they said in the last hour").check()
        acts.get_by_role("button", name="Ban", exact=True).click()
        expect(page.get_by_text("is banned. Messages removed: 1.")).to_be_visible()
        closed = ann.closed()
        assert closed is not None
        assert closed.reason.endswith("enough <b>")
    page.get_by_role("link", name="Restrictions").click()
    expect(page.get_by_text("1 restriction in force")).to_be_visible()
    page.get_by_role("button", name="Pardon").click()
    expect(page.get_by_text("is pardoned")).to_be_visible()
    expect(page.get_by_text("Nobody is restricted here.")).to_be_visible()


def test_the_room_stands_still(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """While one reads earlier messages, or has a menu open, new ones wait, and are counted."""
    operator = tab()
    page = operator.page
    newest = page.get_by_role("button", name="To the newest")
    lines = page.locator("[data-messages] > li")
    with join(daemon, "still") as ann:
        for number in range(30):
            seq = says(ann, f"line {number}\n\n\n")
        operator.sign_in("/admin/rooms/still/")
        operator.live()
        expect(newest).to_be_hidden()
        page.locator(".log").evaluate("(log) => (log.scrollTop = -500)")
        expect(newest).to_have_text("To the newest")
        leaked = [says(ann, "new"), says(ann, "leaked")][1]
        expect(newest).to_have_text("To the newest (2 new)")
        expect(lines).to_have_count(30)
        ann.send(json.dumps({"type": "retract", "ref": leaked}))
        says(ann, "third")
        expect(newest).to_have_text("To the newest (3 new)")
        newest.click()
        expect(lines).to_have_count(33)
        expect(newest).to_be_hidden()
        assert operator.messages()[-3:] == ["new", "Taken back by its author", "third"]
        menu(operator, seq)
        says(ann, "meanwhile")
        expect(newest).to_have_text("To the newest (1 new)")
        page.keyboard.press("Escape")
        expect(lines).to_have_count(34)
        expect(newest).to_be_hidden()
        assert [each["message"] for each in daemon.history("still")][-1] == "meanwhile"


def test_cases_by_key(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """The oldest is marked; a key decides it, and the next one is marked; others' come live."""
    operator = tab()
    page, keys = operator.page, operator.page.keyboard
    act(daemon, "held", type="room", set={"hold": "all"})
    with join(daemon, "held") as ann, join(daemon, "held", "Eve") as eve:
        for member, text in ((ann, "first"), (eve, "second"), (ann, "third"), (eve, "fourth")):
            member.send(json.dumps({"type": "message", "message": text, "nonce": text}))
            hears(member, "error")
        operator.sign_in("/admin/cases/")
        operator.live()
        marked = page.locator("[data-case][aria-current] blockquote")
        expect(marked).to_have_text("first")
        keys.press("a")
        expect(marked).to_have_text("second")
        keys.press("r")
        expect(marked).to_have_text("third")
        keys.press("m")
        expect(page.get_by_text("is muted for 10 minutes")).to_be_visible()
        expect(marked).to_have_text("third")
        keys.press("j")
        expect(marked).to_have_text("fourth")
        eve.send(json.dumps({"type": "message", "message": "fifth", "nonce": "fifth"}))
        expect(page.locator("[data-case]")).to_have_count(3)
        expect(marked).to_have_text("fourth")
        page.get_by_label("Reason, which the person is told").nth(1).fill("bar")
        expect(marked).to_have_text("fourth")
        page.get_by_role("heading", name="Cases").click()
        keys.press("b")
        expect(page.locator("[data-case]")).to_have_count(1)
        expect(marked).to_have_text("third")
        assert eve.closed() is not None
    assert [each["message"] for each in daemon.history("held")] == ["first"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_cases_by_button(tab: Callable[..., Tab], daemon: Daemon, scripts: bool) -> None:
    room = f"cases-{scripts}"
    operator = tab(java_script_enabled=scripts, **PHONE)
    page = operator.page
    with join(daemon, room) as ann:
        seq = says(ann, "rude")
        ann.send(json.dumps({"type": "report", "ref": seq, "reason": "rude <b>", "nonce": "x"}))
        hears(ann, "ack")
        operator.sign_in(f"/admin/cases/?room={room}")
        expect(page.get_by_text("rude <b>")).to_be_visible()
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_text(f"Message {seq} was removed.")).to_be_visible()
        expect(page.locator("[data-case]")).to_have_count(0)
    assert daemon.history(room) == []


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        pytest.param("light", {"viewport": WIDE}, id="light-wide", marks=pytest.mark.soak),
        pytest.param("dark", PHONE, id="dark-phone"),
    ],
)
def test_axe(tab: Callable[..., Tab], daemon: Daemon, scheme: str, options: dict[str, Any]) -> None:
    """Axe-core finds nothing serious on any page, and nothing is wider than the window."""
    operator = tab(color_scheme=scheme, **options)
    room, long = f"axe-{scheme}", "W" * 40
    act(daemon, room, type="room", set={"topic": "🙂" * 100, "title": "W" * 100, "hold": "none"})
    act(daemon, room, type="restrict", user="x" * 64, kind="ban", reason="W" * 200)
    with join(daemon, room, long) as ann:
        seq = says(ann, "W" * 400)
        ann.send(json.dumps({"type": "report", "ref": seq, "reason": "W" * 200, "nonce": "x"}))
        hears(ann, "ack")
        operator.sign_in(f"/admin/rooms/{room}/")
        operator.live()
        menu(operator, seq).get_by_text("Ban …").click()
        assert operator.findings() == []
        for path in (
            "members/", "restrictions/", "settings/", "?q=w", "?user=u:nobody",
        ):  # fmt: skip
            operator.open(f"/admin/rooms/{room}/{path}")
            assert operator.findings() == [], path
        for path in ("cases", "audit", "keys", "settings"):
            operator.open(f"/admin/{path}/")
            assert operator.findings() == [], path
