"""The chat page in Chromium, while its server is there; test_chat_outages.py has the rest."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.live.browser import NARROW, WIDE, until
from tests.live.daemon import PATIENCE, ROOT, Daemon, Output
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor, say

HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><script>alert(1)",
    "{{7*7}}", "javascript:alert(1)", "' onmouseover='alert(1)'", "</textarea><b>", "\u202eevil",
    "https://x/\"onmouseover=alert(1)", "<li class=mine>",
]  # fmt: skip


@contextmanager
def firewall(daemon: Daemon, how: str) -> Iterator[str]:
    """Something between that lets no WebSocket through."""
    process = subprocess.Popen(
        ["node", "--no-warnings", str(ROOT / "tests" / "clients" / "firewall.mjs"),
         str(daemon.port), str(daemon.directory), how],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    output = Output(process.stdout.fileno())
    try:
        yield output.wait_for(r"https://localhost:\d+")[0]
    finally:
        process.kill()
        process.wait(PATIENCE)
        output.close()
        process.stdout.close()


def test_two_visitors(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Two visitors go from the front page into a room, talk, and see each other."""
    ann, bob = visitor(), visitor(viewport=NARROW)
    for each, name in ((ann, "Ann"), (bob, "Bob")):
        each.page.goto(daemon.url)
        each.page.get_by_label("Your name").fill(name)
        each.page.get_by_label("Room").fill("two")
        each.page.keyboard.press("Enter")
        each.page.wait_for_url("**/rooms/two/")
        each.is_in()
    ann.is_with(2)
    assert ann.roster() == ["Ann", "Bob"]
    bob.page.get_by_role("button", name="2 people").click()
    assert bob.roster() == ["Bob", "Ann"]
    bob.page.get_by_role("button", name="2 people").click()
    bob.composer.press_sequentially("hi", delay=20)
    expect(ann.page.get_by_text("Bob is writing…")).to_be_visible()
    bob.composer.press("Enter")
    expect(ann.page.get_by_text("is writing…")).to_have_count(0)
    ann.says("hello\n  there")
    for each in (ann, bob):
        each.hears("hi", "hello\n  there")
    assert ann.page.locator(".said .message b").all_inner_texts() == ["Bob", "You"]
    for moment in ann.page.locator(".said time").all():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\S+Z", moment.get_attribute("datetime") or "")
        assert re.fullmatch(r"\d?\d:\d\d.*", moment.inner_text())
    bob.page.goto(daemon.url)
    # A known visitor is not asked again.
    expect(bob.page.get_by_label("Your name")).to_have_value("Bob")


def test_offline(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Without a network for longer than it is hoped for nothing is lost, in either direction."""
    ann, bob = visitor(cabled=True).join("offline", "Ann"), speaker("offline", "Bob")
    ann.says("before")
    ann.hears("before")
    ann.tab.goes_offline()
    bob.says("to nobody")
    ann.says("from nowhere")
    expect(ann.banner).to_contain_text("Reconnecting…")
    assert [each["message"] for each in daemon.history("offline")] == ["before", "to nobody"]
    ann.tab.is_online_again()
    said = ("before", "to nobody", "from nowhere")
    ann.hears(*said)
    assert tuple(each["message"] for each in daemon.history("offline")) == said


def test_another_name_without_a_network(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A new name loses nothing that waits; a line that goes away leaves the composer its focus."""
    ann = visitor(cabled=True).join("renaming", "Ann")
    ann.says("as Ann")
    ann.hears("as Ann")
    ann.tab.goes_offline()
    expect(ann.banner).to_contain_text("Reconnecting…")
    ann.says("waits", "too", "not sent")
    ann.page.get_by_role("button", name="Do not send").last.click()
    expect(ann.composer).to_be_focused()
    ann.composer.press_sequentially("a draft")
    ann.page.get_by_role("button", name="Change your name").click()
    expect(ann.page.get_by_label("Your name")).to_be_focused()
    ann.page.get_by_label("Your name").fill("Anna")
    ann.page.keyboard.press("Enter")
    expect(
        ann.page.get_by_role("button", name=re.compile("Anna ?: Change your name"))
    ).to_be_focused()
    expect(ann.page.locator(".waiting li")).to_have_count(2)
    ann.page.get_by_role("button", name="Do not send").first.focus()
    ann.tab.is_online_again()
    ann.hears("as Ann", "waits", "too")
    expect(ann.composer).to_be_focused()
    expect(ann.composer).to_have_value("a draft")
    expect(ann.page.locator(".mine")).to_have_count(3)
    said = daemon.history("renaming")
    assert [each["user"]["name"] for each in said] == ["Ann", "Anna", "Anna"]


def test_no_websockets(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Blocked WebSockets make the page use events, which nobody notices."""
    bob = speaker("blocked", "Bob")
    with firewall(daemon, "refuse") as url:
        ann = visitor().join("blocked", "Ann", url)
        ann.says("by events")
        assert bob.hears("message")["message"] == "by events"
        bob.says("by a socket")
        ann.hears("by events", "by a socket")
        assert ann.roster() == ["Ann", "Bob"]


def test_reload_with_unsent_messages(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Queued messages survive a reload, and stored ones are not sent again."""
    ann = visitor()
    lost: list[str] = []
    loses = True

    def pass_on(page: WebSocketRoute) -> None:
        """Everything, or all but that a message is stored, and what is said."""
        server = page.connect_to_server()

        def down(data: str | bytes) -> None:
            kind = json.loads(data)["type"]
            if loses and kind in ("ack", "message"):
                lost.append(kind)
            else:
                page.send(data)

        server.on_message(down)

    ann.page.route_web_socket("**/ws/chat/**", pass_on)
    ann.join("reload", "Ann")
    ann.says("stored", "not sent yet")
    expect(ann.page.get_by_text("Sending…")).to_have_count(2)
    while "ack" not in lost:
        ann.page.wait_for_timeout(20)
    loses = False
    ann.page.reload()
    ann.hears("stored", "not sent yet")
    assert [each["message"] for each in daemon.history("reload")] == ["stored", "not sent yet"]
    ann.page.reload()
    ann.hears("stored", "not sent yet")


def test_scrolling_back(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Through all pages of messages to the first, while others are said."""
    with daemon.socket("long") as client:
        for number in range(160):
            client.send(json.dumps({"message": f"n{number}"}))
            client.recv()
        ann = visitor().join("long", "Ann")
        expect(ann.messages()).to_have_count(50)
        expect(ann.page.get_by_text("n159", exact=True)).to_be_in_viewport()
        begin = ann.page.get_by_text("The conversation begins here.")
        ann.log.focus()
        while not begin.is_visible():
            shown = ann.messages().count()
            ann.page.keyboard.press("Home")
            expect(ann.messages()).not_to_have_count(shown)
        expect(ann.messages()).to_have_count(160)
        texts = ann.messages().all_inner_texts()
        assert texts == [f"n{number}" for number in range(160)]
        first = ann.page.get_by_text("n0", exact=True)
        ann.page.keyboard.press("Home")
        expect(first).to_be_in_viewport()
        client.send('{"message": "new"}')
        button = ann.page.get_by_role("button", name="1 new message")
        expect(button).to_be_visible()
        expect(first).to_be_in_viewport()
        button.click()
        expect(ann.page.get_by_text("new", exact=True)).to_be_in_viewport()
        expect(button).to_be_hidden()
        expect(ann.page.get_by_text("New messages")).to_be_in_viewport()


def test_turned_away(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A visitor turned away sees the reason, is asked again, and keeps what was typed."""
    ann = visitor()
    away: list[WebSocketRoute] = []

    def pass_on(page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        away.append(page)
        page.on_message(lambda data: None if b"message" in _bytes(data) else server.send(data))

    ann.page.route_web_socket("**/ws/chat/**", pass_on)
    ann.join("away", "Ann")
    ann.says("never sent")
    ann.composer.press_sequentially("a draft")
    away[-1].close(code=4408, reason="You are to go.")
    expect(ann.page.get_by_role("alert")).to_have_text("You are to go.")
    ann.introduce("Ann")
    expect(ann.composer).to_have_value("a draft")
    expect(ann.page.get_by_role("alert")).to_contain_text("Not sent. You are to go.")


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


@pytest.mark.soak
def test_a_flood(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A page keeps up with a flood, and moves nobody who reads further up."""
    with daemon.socket("flood") as client:

        def talk(first: int, count: int) -> None:
            for number in range(first, first + count):
                client.send(json.dumps({"message": f"n{number}"}))
            for _ in range(count):
                client.recv()

        talk(0, 200)
        ann = visitor().join("flood", "Ann")
        talk(200, 1500)
        expect(ann.page.get_by_text("n1699", exact=True)).to_be_in_viewport()
        assert ann.page.locator(".said > li").count() <= 1_001
        reading = ann.page.get_by_text("n1650", exact=True)
        reading.scroll_into_view_if_needed()
        before = reading.bounding_box()
        talk(1700, 3000)
        button = ann.page.get_by_role("button", name="3,000 new messages")
        expect(button).to_be_visible()
        after = reading.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 2
        assert ann.page.locator(".said > li").count() <= 3_001
        button.click()
        expect(ann.page.get_by_text("n4699", exact=True)).to_be_in_viewport()
        expect(button).to_be_hidden()
        talk(4700, 1)
        expect(ann.page.get_by_text("n4700", exact=True)).to_be_in_viewport()


def test_hostile_texts(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Names and messages are shown as text, whether they were there before or come later."""
    room = "hostile"
    half = len(HOSTILE) // 2
    say(daemon, room, *HOSTILE[:half])
    ann = visitor().join(room, "Ann")
    say(daemon, room, *HOSTILE[half:])
    ann.hears(*HOSTILE)
    names = [name for name in HOSTILE if not name.startswith("\u202e")]
    for name in names:
        speaker(room, name).says(f"I am {name}")
        expect(ann.line(f"I am {name}").locator("b")).to_have_text(name)
    ann.is_with(len(names) + 1)
    assert sorted(ann.roster()) == sorted(["Ann", *names])
    # The page's own name, by a change and at the door.
    ann.renames(names[0])
    expect(ann.page.locator(".roster bdi").first).to_have_text(names[0])
    eve = visitor()
    eve.page.goto(f"{daemon.url}/rooms/{room}/")
    # A name that turns the direction of text is refused with an error.
    eve.page.get_by_label("Your name").fill("\u202eevil")
    eve.page.get_by_role("button", name="Join").click()
    expect(eve.page.get_by_role("alert")).to_contain_text("no control characters")
    expect(eve.page.get_by_label("Your name")).to_be_focused()
    eve.introduce(names[1])
    expect(eve.page.locator(".roster bdi").first).to_have_text(names[1])
    links = ann.page.locator(".said a").evaluate_all("links => links.map(each => each.href)")
    assert set(links) == {"https://x/"}


def test_messages_since_the_last_visit(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Messages since the last visit are marked, be they fewer than a page's, or more."""
    say(daemon, "since", "seen")
    ann = visitor().join("since", "Ann")
    ann.hears("seen")
    seen = 1
    until(ann.page, "Object.keys(localStorage).some((key) => key.startsWith('livechat:seen'))")
    for missed in (3, 50, 70):
        ann.page.goto("about:blank")
        with daemon.socket("since") as client:
            for number in range(missed):
                client.send(json.dumps({"message": f"{missed}: {number}"}))
                client.recv()
        ann.page.goto(f"{daemon.url}/rooms/since/")
        expect(ann.page.get_by_text(f"{missed}: {missed - 1}", exact=True)).to_be_in_viewport()
        ann.log.focus()
        while not ann.page.get_by_text("The conversation begins here.").is_visible():
            ann.page.keyboard.press("Home")
        expect(ann.messages()).to_have_count(seen + missed)
        lines = ann.page.locator(".said > li:not(.day)").all_inner_texts()
        assert [line.splitlines()[0] for line in lines].index("New messages") == seen
        seen += missed


def test_log_by_keyboard(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Writing, and the way through the log, by keyboard alone; test_input.py has the ways there."""
    speaker("keys").says(*(str(number) for number in range(60)))
    ann = visitor(viewport=NARROW).join("keys", "Ann")
    page, keys = ann.page, ann.page.keyboard
    assert ann.focused() == "Message"
    keys.type("two")
    keys.press("Shift+Enter")
    keys.type("lines")
    keys.press("Enter")
    ann.hears_by_now("two\nlines")
    assert ann.focused() == "Message"
    expect(ann.messages()).to_have_count(51)
    # Lines get their buttons a moment later.
    expect(page.get_by_role("button", name="Message actions")).to_have_count(51)
    # Focus scrolls to the button, so older messages load and it disappears.
    ann.reaches("Message actions", "Shift+Tab")
    keys.press("Shift+Tab")
    expect(ann.messages()).to_have_count(61)
    ann.reaches("Messages", "Shift+Tab")
    keys.press("Home")
    expect(page.get_by_text("0", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(WIDE, "light", id="wide"),
        pytest.param(NARROW, "dark", id="narrow", marks=pytest.mark.soak),
    ],
)
def test_axe(
    visitor: Callable[..., Visitor],
    daemon: Daemon,
    speaker: Callable[..., Speaker],
    scheme: str,
    viewport: dict[str, int],
) -> None:
    """Axe-core finds nothing serious in any state of the page."""
    room = f"axe-{scheme}"
    ann = visitor(cabled=True, color_scheme=scheme, viewport=viewport)

    def fine() -> None:
        assert ann.tab.findings() == []

    ann.tab.open("/")
    fine()
    ann.tab.open("/rooms/?room=!")
    expect(ann.page.get_by_role("alert")).to_be_visible()
    fine()
    ann.tab.open(f"/rooms/{room}/")
    expect(ann.page.get_by_label("Your name")).to_be_visible()
    fine()
    ann.introduce("Ann")
    fine()
    speaker(room, "Bob").says("y" * 300, *HOSTILE[:3])
    ann.says("hi", "x" * 20_000)
    expect(ann.page.get_by_text("Not sent.")).to_be_visible()
    speaker(room, "Carl").types()
    expect(ann.page.get_by_text("Carl is writing…")).to_be_visible()
    if viewport is NARROW:
        fine()
        ann.page.get_by_role("button", name="3 people").click()
    fine()
    if viewport is NARROW:
        ann.page.get_by_role("button", name="3 people").click()
    ann.tab.goes_offline()
    expect(ann.banner).to_contain_text("Reconnecting…")
    ann.says("later")
    expect(ann.page.get_by_text("Waits for the connection")).to_be_visible()
    fine()
