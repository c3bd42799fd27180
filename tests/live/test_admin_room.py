"""A room on the admin page in Chromium, and moderating there: with scripts and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.live.browser import CUT, HOSTILE, NARROW, WIDE, Tab
from tests.live.daemon import Daemon, Member
from tests.live.operators import act
from tests.live.speaking import V1, hears
from tests.live.speaking import say as says
from tests.live.visitor import say

PHONE: dict[str, Any] = {
    "viewport": {"width": 320, "height": 568}, "has_touch": True, "is_mobile": True,
}  # fmt: skip


#: Pages for all rooms.
OF_ALL_ROOMS: Final = ("cases/", "audit/", "keys/", "settings/")


def join(daemon: Daemon, room: str, name: str = "Ann") -> Member:
    return daemon.socket(f"{room}/?name={name}", subprotocols=[V1])


def menu(tab: Tab, seq: int) -> Locator:
    """The open menu of a message."""
    line = tab.page.locator(f"[data-messages] [data-seq='{seq}']")
    line.locator(".menu > summary").click()
    return line.locator(".acts")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="scripts", marks=pytest.mark.soak),
        pytest.param(PHONE, id="phone"),
        pytest.param({"java_script_enabled": False}, id="no scripts"),
        # Without scripts a phone has another size only; test_cases_by_button is on one.
        pytest.param(
            {**PHONE, "java_script_enabled": False}, id="phone, no scripts", marks=pytest.mark.soak
        ),
    ],
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
        operator.enters(f"/admin/rooms/{room}/")
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
        operator.enters("/admin/rooms/still/")
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
        operator.enters("/admin/cases/")
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
    """A report is decided by a button on a phone, with scripts and without."""
    room = f"cases-{scripts}"
    operator = tab(java_script_enabled=scripts, **PHONE)
    page = operator.page
    with join(daemon, room) as ann:
        seq = says(ann, "rude")
        ann.send(json.dumps({"type": "report", "ref": seq, "reason": "rude <b>", "nonce": "x"}))
        hears(ann, "ack")
        operator.enters(f"/admin/cases/?room={room}")
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
        operator.enters(f"/admin/rooms/{room}/")
        operator.live()
        menu(operator, seq).get_by_text("Ban …").click()
        assert operator.findings() == []
        of_room = ("members/", "restrictions/", "settings/", "?q=w", "?user=u:nobody")
        for path in (*(f"rooms/{room}/{each}" for each in of_room), *OF_ALL_ROOMS):
            operator.open(f"/admin/{path}")
            assert operator.findings() == [], path
            assert operator.page.evaluate(CUT) == [], path


@pytest.mark.parametrize(
    ("scripts", "viewport"), [(True, NARROW), (False, WIDE)], ids=["scripts", "no scripts"]
)
def test_texts_and_authors(
    tab: Callable[..., Tab], daemon: Daemon, scripts: bool, viewport: dict[str, int]
) -> None:
    """Hostile texts are text; beside each message stands its author, if any, be it old or new."""
    operator = tab(java_script_enabled=scripts, viewport=viewport)
    page = operator.page
    room = f"authors-{scripts}"
    names, half = ["Ann", "<b>Eve</b>", "W" * 40], len(HOSTILE) // 2

    def speak(texts: list[str]) -> None:
        for name in names:
            with daemon.socket(f"{room}/?name={quote(name)}") as guest:
                guest.send('{"message": "hi"}')
                guest.recv()
        say(daemon, room, *texts)

    speak(HOSTILE[:half])
    operator.enters(f"/admin/rooms/{room}/")
    if scripts:
        operator.live()
    page.get_by_label("Message", exact=True).fill(HOSTILE[0])
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("was sent to everyone in the room.")).to_be_visible()
    speak(HOSTILE[half:])
    if not scripts:
        page.reload()
    said = page.locator("[data-messages] li")
    expect(said).to_have_count(7 + len(HOSTILE))
    hi = ["hi"] * 3
    texts = [*hi, *HOSTILE[:half], HOSTILE[0], *hi, *HOSTILE[half:]]
    assert operator.messages() == texts
    guests = [
        f"{each['user']['name']} ·{each['user']['id'][:4]} guest"
        for each in daemon.history(room)
        if each["message"] == "hi"
    ]
    nobody: list[str | None] = [None] * half
    authors = [*guests[:3], *nobody, "Operator operator", *guests[3:], *nobody]
    for line, expected in zip(said.all(), authors, strict=True):
        author = line.locator(".author")
        if expected is None:
            expect(author).to_be_hidden()
        else:
            assert author.inner_text().split() == expected.split()
    if scripts:  # axe-core is one
        assert operator.findings() == []
    else:
        assert operator.excess() <= 0


def test_marks_stay_in_their_lines(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Stacks of marks, in a text or a name, are not painted over the line before."""
    operator = tab()
    operator.enters("/admin/rooms/stacks/")
    operator.live()
    texts = operator.page.locator("[data-messages] p")
    marks = "\u0301" * 39
    for count, (name, text) in enumerate((("Eve", f"a{marks}" * 9), (f"A{marks}", "below"))):
        say(daemon, "stacks", "above")
        expect(texts).to_have_count(2 * count + 1)
        before = texts.last.screenshot()
        with daemon.socket(f"stacks/?name={quote(name)}") as eve:
            eve.send(json.dumps({"message": text}))
            expect(texts).to_have_count(2 * count + 2)
            assert texts.nth(2 * count).screenshot() == before


def test_sending(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """A message is sent once; one that is refused, or whose answer is lost, is said to be so."""
    operator = tab()
    page, text = operator.page, operator.page.get_by_label("Message", exact=True)
    operator.enters("/admin/rooms/sending/")
    operator.live()
    text.fill("once")
    for _ in range(5):
        page.keyboard.press("Enter")
    expect(page.get_by_text("Message 1 was sent")).to_be_visible()
    assert [each["message"] for each in daemon.history("sending")] == ["once"]
    # The port refuses it, before it is read.
    text.fill("x" * 200_000)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("A body may have at most")
    assert len(text.input_value()) == 200_000

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch(max_redirects=0)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/admin/rooms/sending/", lose)
    text.fill("perhaps")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("may have been sent, or not")
    expect(text).to_have_value("perhaps")
    expect(page.locator("[data-messages]").get_by_text("perhaps")).to_be_visible()
    assert [each["message"] for each in daemon.history("sending")] == ["once", "perhaps"]


def test_scrolling_back(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Earlier messages come before those that are shown, and live ones behind them."""
    operator = tab()
    page = operator.page
    with daemon.socket("long") as client:
        for number in range(1, 121):
            client.send(json.dumps({"message": str(number)}))
            client.recv()
        operator.enters("/admin/rooms/long/")
        operator.live()
        expect(page.get_by_text("#120", exact=True)).to_be_in_viewport()
        for shown in (100, 120):
            page.evaluate("for (let i = 0; i < 3; i++) document.querySelector('.more a')?.click()")
            expect(page.locator("[data-messages] li")).to_have_count(shown)
        expect(page.get_by_text("The history begins here.")).to_be_visible()
        client.send('{"message": "121"}')
        expect(page.locator("[data-messages] li")).to_have_count(121)
    assert operator.messages() == [str(number) for number in range(1, 122)]
