"""The chat page, and the chat in another site's page, in Chromium."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import WebSocket, WebSocketRoute, expect

from tests.live.browser import NARROW, WIDE
from tests.live.daemon import PATIENCE, ROOT, Daemon, Output
from tests.live.visitor import Visitor, say, site

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


def test_a_killed_daemon(visitor: Callable[..., Visitor], start: Callable[..., Daemon]) -> None:
    """The daemon is killed in mid-chat and started again: both pages show every message once."""
    first = start()
    ann, bob = (visitor(first).join("r", name) for name in ("Ann", "Bob"))
    for number in range(0, 10, 2):
        ann.says(str(number))
        bob.hears_by_now(str(number))
        bob.says(str(number + 1))
        ann.hears_by_now(str(number + 1))
    ann.says("as it dies")
    first.kill()
    expect(ann.banner).to_contain_text("Reconnecting…")
    ann.says("while it is dead")
    expect(ann.page.get_by_text("Waits for the connection").first).to_be_visible()
    second = start(f"--port={first.port}")
    ann.is_in()
    bob.is_in()
    bob.says("back")
    ann.hears_by_now("back")
    expect(bob.messages()).to_have_count(13)
    said = [each["message"] for each in second.history("r")]
    assert sorted(said[10:]) == ["as it dies", "back", "while it is dead"]
    assert said[:10] == [str(number) for number in range(10)]
    for each in (ann, bob):
        each.hears(*said)
        expect(each.page.locator(".gap")).to_have_count(0)


def test_a_restart_in_good_order(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon]
) -> None:
    """A daemon that ends in good order says when to be back, and pages are back then."""
    first = start()
    ann = visitor(first).join("r", "Ann")
    ann.says("before")
    ann.hears("before")
    assert first.stop() in (0, -signal.SIGTERM)
    expect(ann.banner).to_contain_text("Reconnecting…")
    start(f"--port={first.port}")
    ann.says("after")
    ann.hears("before", "after")


def test_offline(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Without a network for longer than it is hoped for nothing is lost, in either direction."""
    ann = visitor(cabled=True).join("offline", "Ann")
    bob = visitor().join("offline", "Bob")
    ann.says("before")
    bob.hears("before")
    ann.tab.goes_offline()
    bob.says("to nobody")
    ann.says("from nowhere")
    expect(ann.banner).to_contain_text("Reconnecting…")
    bob.hears("before", "to nobody")
    ann.tab.is_online_again()
    for each in (ann, bob):
        each.hears("before", "to nobody", "from nowhere")


def test_a_tab_in_the_background(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon]
) -> None:
    """A tab that slept while the daemon restarted catches up, and shows where one left off."""
    first = start()
    ann = visitor(first)
    ann.page.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => Boolean(window.asleep)})"
    )
    ann.join("r", "Ann")
    ann.says("before")
    ann.hears("before")
    turn = "window.asleep = {}; document.dispatchEvent(new Event('visibilitychange'))"
    ann.page.evaluate(turn.format("true"))
    say(first, "r", "unseen")
    expect(ann.page).to_have_title("(1) r · livechat")
    session = ann.tab.context.new_cdp_session(ann.page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    first.kill()
    second = start(f"--port={first.port}")
    say(second, "r", "asleep")
    session.send("Page.setWebLifecycleState", {"state": "active"})
    expect(ann.page).to_have_title("(2) r · livechat")
    ann.page.evaluate(turn.format("false"))
    ann.hears("before", "unseen", "asleep")
    expect(ann.page).to_have_title("r · livechat")
    order = ann.page.locator(".said > li:not(.day)").all_inner_texts()
    assert [text.splitlines()[0] for text in order][1] == "New messages"
    # Seen messages are no longer new.
    ann.page.reload()
    ann.hears("before", "unseen", "asleep")
    expect(ann.page.get_by_text("New messages")).to_have_count(0)


def test_no_websockets(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Blocked WebSockets make the page use events, which nobody notices."""
    room = "blocked"
    with firewall(daemon, "refuse") as url:
        ann = visitor().join(room, "Ann", url)
        bob = visitor().join(room, "Bob")
        ann.says("by events")
        bob.hears("by events")
        bob.says("by a socket")
        ann.hears("by events", "by a socket")
        assert ann.roster() == ["Ann", "Bob"]


def test_reload(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
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
    """Through five hundred messages to the first, while others are said."""
    with daemon.socket("long") as client:
        for number in range(500):
            client.send(json.dumps({"message": f"n{number}"}))
            client.recv()
        ann = visitor().join("long", "Ann")
        expect(ann.messages()).to_have_count(50)
        expect(ann.page.get_by_text("n499", exact=True)).to_be_in_viewport()
        begin = ann.page.get_by_text("The conversation begins here.")
        ann.log.focus()
        while not begin.is_visible():
            shown = ann.messages().count()
            ann.page.keyboard.press("Home")
            expect(ann.messages()).not_to_have_count(shown)
        expect(ann.messages()).to_have_count(500)
        texts = ann.messages().all_inner_texts()
        assert texts == [f"n{number}" for number in range(500)]
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


def test_missed(visitor: Callable[..., Visitor], start: Callable[..., Daemon]) -> None:
    """Messages that are no longer kept are reported as missing, at their place."""
    daemon = start("--history-limit=3")
    ann = visitor(daemon, cabled=True).join("r", "Ann")
    ann.says("before")
    ann.hears("before")
    ann.tab.goes_offline()
    port = daemon.port
    daemon.kill()
    expect(ann.banner).to_be_visible()
    daemon = start("--history-limit=3", f"--port={port}")
    say(daemon, "r", *"123456789")
    ann.tab.is_online_again()
    ann.hears("before", "7", "8", "9")
    expect(ann.page.locator(".gap")).to_have_text(
        "You missed 6 messages, which expired before you came back."
    )
    lines = ann.page.locator(".said > li:not(.day)").all_inner_texts()
    assert lines[1].startswith("You missed 6 messages")


def test_embedded(visitor: Callable[..., Visitor], start: Callable[..., Daemon]) -> None:
    """The chat in a page of another site, which the server allows."""
    page = (ROOT / "docs" / "embed.html").read_text()
    daemon = start()
    text = page.replace("https://localhost:10443", daemon.url)
    assert text != page
    with site(text) as url:
        daemon.stop()
        daemon = start(f"--port={daemon.port}", f"--origin={url}")
        ann = visitor(daemon)
        ann.page.goto(url)
        ann.introduce("Ann")
        bob = visitor(daemon).join("lobby", "Bob")
        ann.says("from another site")
        bob.hears("from another site")
        bob.says("hi")
        ann.hears("from another site", "hi")
        assert ann.tab.findings() == []
        assert ann.page.locator("iframe").count() == 0


def test_a_forgotten_origin(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """The page, the console and the log say that the server allows no pages of this site."""
    daemon = start()
    page = f"""<div data-livechat=r></div>
        <script type=module src={daemon.url}/static/embed.js></script>"""
    file = tmp_path / "page.html"
    file.write_text(page)
    with site(page) as url:
        for address, origin in ((url, url), (file.as_uri(), "null")):
            eve = visitor(daemon)
            eve.page.goto(address)
            eve.page.get_by_label("Your name").fill("Eve")
            eve.page.get_by_role("button", name="Join").click()
            expect(eve.banner).to_contain_text("This page may not use the chat")
            # Once, however often it is tried.
            with eve.page.expect_response("**/chat/origin/"):
                eve.banner.get_by_role("button").click()
            expect(eve.banner).to_contain_text("This page may not use the chat")
            assert eve.roster() == []
            eve.tab.close()
            said = [each for each in eve.tab.complaints if "CORS" not in each]
            assert len(said) == 1, said
            assert f"start it with --origin {origin}" in said[0]
            eve.tab.complaints.clear()
        assert len(re.findall("Pages of .* are refused", daemon.log.text)) == 2
        assert f"To allow them: --origin {url}." in daemon.log.text
        eve = visitor(daemon)
        eve.page.goto(url)
        eve.page.get_by_label("Your name").fill("Eve")
        eve.page.get_by_role("button", name="Join").click()
        expect(eve.banner).to_contain_text("This page may not use the chat")
        daemon.stop()
        start(f"--port={daemon.port}", f"--origin={url}")
        # A retry finds the fault gone.
        eve.banner.get_by_role("button").click()
        eve.is_in()
        eve.tab.complaints.clear()


def test_hostile_texts(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Names and messages are shown as text, whether they were there before or come later."""
    room = "hostile"
    half = len(HOSTILE) // 2
    say(daemon, room, *HOSTILE[:half])
    ann = visitor().join(room, "Ann")
    say(daemon, room, *HOSTILE[half:])
    ann.hears(*HOSTILE)
    eve = visitor().join(room, "Eve")
    names = [name for name in HOSTILE if not name.startswith("\u202e")]
    for number, name in enumerate(names):
        # As often as one may within a minute; then at the door.
        if number < 5:
            eve.renames(name)
        else:
            eve.page.evaluate("localStorage.removeItem('livechat:name')")
            eve.page.reload()
            eve.introduce(name)
        eve.says(f"I am {name}")
        ann.hears_by_now(f"I am {name}")
        expect(ann.page.locator(".said .message b").last).to_have_text(name)
        expect(eve.page.locator(".roster bdi")).to_have_text([name, "Ann"])
    # A name that turns the direction of text is refused with an error.
    eve = visitor()
    eve.page.goto(f"{daemon.url}/rooms/{room}/")
    eve.page.get_by_label("Your name").fill("\u202eevil")
    eve.page.get_by_role("button", name="Join").click()
    expect(eve.page.get_by_role("alert")).to_contain_text("no control characters")
    expect(eve.page.get_by_label("Your name")).to_be_focused()
    eve.introduce("Eve")
    links = ann.page.locator(".said a").evaluate_all("links => links.map(each => each.href)")
    assert set(links) == {"https://x/"}


def test_too_long(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A refused message is reported as not sent, and can be changed."""
    ann = visitor().join("far", "Ann")
    ann.says("x" * 20_000)
    expect(ann.page.get_by_role("alert")).to_contain_text("Not sent. The message is too long")
    # The failed message survives a reload, as a draft does.
    ann.composer.press_sequentially("a dra")
    ann.page.reload()
    ann.is_in()
    expect(ann.composer).to_have_value("a dra")
    expect(ann.page.get_by_role("alert")).to_contain_text("Not sent. The message is too long")
    ann.says("fits")
    expect(ann.messages()).to_have_text(["fits"])
    ann.page.get_by_role("button", name="Edit").click()
    expect(ann.composer).to_be_focused()
    assert len(ann.composer.input_value()) == 20_000
    ann.says("short")
    ann.hears("fits", "short")


def test_another_name(visitor: Callable[..., Visitor], start: Callable[..., Daemon]) -> None:
    """A new name, even without a connection, loses nothing that was typed."""
    daemon = start()
    ann = visitor(daemon).join("r", "Ann")
    ann.says("as Ann")
    ann.hears("as Ann")
    daemon.kill()
    expect(ann.banner).to_contain_text("Reconnecting…")
    ann.says("waits", "too")
    ann.composer.press_sequentially("a draft")
    ann.page.get_by_role("button", name="Change your name").click()
    expect(ann.page.get_by_label("Your name")).to_be_focused()
    ann.page.get_by_label("Your name").fill("Anna")
    ann.page.keyboard.press("Enter")
    expect(
        ann.page.get_by_role("button", name=re.compile("Anna ?: Change your name"))
    ).to_be_focused()
    expect(ann.page.locator(".waiting li")).to_have_count(2)
    daemon = start(f"--port={daemon.port}")
    ann.hears("as Ann", "waits", "too")
    expect(ann.composer).to_have_value("a draft")
    expect(ann.page.locator(".mine")).to_have_count(3)
    assert [each["user"]["name"] for each in daemon.history("r")] == ["Ann", "Anna", "Anna"]


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


@pytest.mark.parametrize("missed", [3, 50, 70])
def test_since_last_time(visitor: Callable[..., Visitor], daemon: Daemon, missed: int) -> None:
    """Messages since the last visit are marked, however many they are."""
    room = f"since-{missed}"
    say(daemon, room, "seen")
    ann = visitor().join(room, "Ann")
    ann.hears("seen")
    ann.page.goto("about:blank")
    with daemon.socket(room) as client:
        for number in range(missed):
            client.send(json.dumps({"message": f"n{number}"}))
            client.recv()
    ann.page.goto(f"{daemon.url}/rooms/{room}/")
    expect(ann.page.get_by_text(f"n{missed - 1}", exact=True)).to_be_in_viewport()
    ann.log.focus()
    while not ann.page.get_by_text("The conversation begins here.").is_visible():
        ann.page.keyboard.press("Home")
    expect(ann.messages()).to_have_count(missed + 1)
    lines = ann.page.locator(".said > li:not(.day)").all_inner_texts()
    assert [line.splitlines()[0] for line in lines].index("New messages") == 1


def test_a_room_that_began_anew(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon]
) -> None:
    """All of a room whose numbering began anew can be read, and that it did is said."""
    daemon = start("--rate=0", "--rate-per-ip=0")
    say(daemon, "r", *(f"old{number}" for number in range(3)))
    ann = visitor(daemon).join("r", "Ann")
    ann.hears("old0", "old1", "old2")
    daemon.kill()
    for each in (daemon.directory / "state").glob("livechat.sqlite3*"):
        each.unlink()
    daemon = start("--rate=0", "--rate-per-ip=0", f"--port={daemon.port}")
    with daemon.socket("r") as client:
        for number in range(160):
            client.send(json.dumps({"message": f"e{number}"}))
            client.recv()
    expect(ann.page.locator(".gap")).to_contain_text("The room began anew")
    expect(ann.page.get_by_text("e159", exact=True)).to_be_in_viewport()
    ann.log.focus()
    while not ann.page.get_by_text("The conversation begins here.").is_visible():
        ann.page.keyboard.press("Home")
    expect(ann.messages()).to_have_text([f"e{number}" for number in range(160)])


def test_a_part_of_the_page_that_is_not_shown(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon]
) -> None:
    """A chat in a closed part of a page loads no history, and marks nothing as read."""
    daemon = start()
    page = f"""<!doctype html><html lang=en><title>x</title><details><summary>Chat</summary>
        <div data-livechat=hidden data-name=Ann></div></details>
        <script type=module src={daemon.url}/static/embed.js></script>"""
    with site(page) as url:
        daemon.stop()
        daemon = start(f"--port={daemon.port}", f"--origin={url}", "--rate=0", "--rate-per-ip=0")
        with daemon.socket("hidden") as client:
            for number in range(200):
                client.send(json.dumps({"message": f"n{number}"}))
                client.recv()
            ann = visitor(daemon)
            ann.page.goto(url)
            expect(ann.messages()).to_have_count(50)
            client.send('{"message": "later"}')
            expect(ann.messages()).to_have_count(51)
            expect(ann.page.get_by_text("New messages")).to_be_attached()
            ann.page.get_by_text("Chat", exact=True).click()
            expect(ann.page.get_by_text("later", exact=True)).to_be_in_viewport()
            expect(ann.messages()).to_have_count(51)


HOST_STYLE = """
    * { all: unset; display: block !important; padding: 0 !important; color: red !important }
    html { font-size: 8px } body { text-transform: uppercase; letter-spacing: 1em; direction: rtl }
    p { display: none !important } button { display: none !important }
    [data-livechat] { width: 900px; height: 500px }
"""


def test_a_page_around_it(visitor: Callable[..., Visitor], start: Callable[..., Daemon]) -> None:
    """Neither page's style gets into the other; strict policies allow it; elements come and go."""
    daemon = start()
    policy = (
        f"default-src 'none'; script-src {daemon.url}; style-src 'unsafe-inline'; "
        f"connect-src {daemon.url} {daemon.url.replace('https', 'wss')}; "
        "require-trusted-types-for 'script'; trusted-types livechat"
    )
    page = f"""<!doctype html><html lang=en><title>x</title>
        <meta http-equiv="Content-Security-Policy" content="{policy}">
        <style>{HOST_STYLE}</style><div data-livechat="around"></div>
        <script type=module src={daemon.url}/static/embed.js></script>"""
    with site(page) as url:
        daemon.stop()
        daemon = start(f"--port={daemon.port}", f"--origin={url}")
        ann = visitor(daemon)
        sockets: list[WebSocket] = []
        ann.page.on("websocket", lambda made: sockets.append(made))  # noqa: PLW0108 - not a builtin
        ann.page.goto(url)
        ann.introduce("Ann")
        ann.says("hi")
        ann.hears("hi")
        look = ann.messages().first.evaluate(
            "each => { const style = getComputedStyle(each);"
            "return [style.fontSize, style.letterSpacing, style.textTransform, style.direction]; }"
        )
        assert look == ["16px", "normal", "none", "ltr"]
        assert ann.messages().first.evaluate("e => getComputedStyle(e).color") != "rgb(255, 0, 0)"
        expect(ann.page.locator(".roster")).to_be_visible()
        with sockets[0].expect_event("close"):
            ann.page.evaluate(
                "const made = document.createElement('div'); made.dataset.livechat = 'other';"
                "document.querySelector('[data-livechat]').replaceWith(made)"
            )
        expect(ann.page.locator("[data-livechat=other] .composer")).to_be_visible()


def test_the_focus_stays(visitor: Callable[..., Visitor], start: Callable[..., Daemon]) -> None:
    """An element that goes away while focused leaves the focus to the composer."""
    daemon = start()
    ann = visitor(daemon).join("r", "Ann")
    ann.says("x" * 20_000)
    ann.page.get_by_role("button", name="Remove").click()
    expect(ann.composer).to_be_focused()
    daemon.kill()
    ann.says("one", "two")
    ann.page.get_by_role("button", name="Do not send").first.click()
    expect(ann.composer).to_be_focused()
    ann.page.get_by_role("button", name="Do not send").focus()
    start(f"--port={daemon.port}")
    ann.hears("two")
    expect(ann.composer).to_be_focused()


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def test_keyboard(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """All of it by keyboard alone."""
    ann = visitor(viewport=NARROW)
    page, keys, focused, reach = ann.page, ann.page.keyboard, ann.focused, ann.reaches
    say(daemon, "keys", *(str(number) for number in range(60)))
    page.goto(daemon.url)
    reach("Your name")
    keys.type("Ann")
    reach("Room")
    keys.press("Control+A")
    keys.type("keys")
    keys.press("Enter")
    page.wait_for_url("**/rooms/keys/")
    ann.is_in()
    assert focused() == "Message"
    keys.type("two")
    keys.press("Shift+Enter")
    keys.type("lines")
    keys.press("Enter")
    ann.hears_by_now("two\nlines")
    assert focused() == "Message"
    expect(ann.messages()).to_have_count(51)
    # Lines get their buttons a moment later.
    expect(page.get_by_role("button", name="Message actions")).to_have_count(51)
    # Focus scrolls to the button, so older messages load and it disappears.
    reach("Message actions", "Shift+Tab")
    keys.press("Shift+Tab")
    expect(ann.messages()).to_have_count(61)
    reach("Messages", "Shift+Tab")
    keys.press("Home")
    expect(page.get_by_text("0", exact=True)).to_be_in_viewport()
    reach("1 person", "Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_role("button", name="1 person")).to_have_attribute("aria-expanded", "true")
    reach("Change your name")
    keys.press("Enter")
    assert focused() == "Your name"
    keys.type("Anna")
    keys.press("Enter")
    expect(page.locator(".roster bdi")).to_have_text("Anna")
    assert focused().endswith(": Change your name")


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(WIDE, "light", id="wide"),
        pytest.param(NARROW, "dark", id="narrow", marks=pytest.mark.soak),
    ],
)
def test_axe(
    visitor: Callable[..., Visitor],
    start: Callable[..., Daemon],
    scheme: str,
    viewport: dict[str, int],
) -> None:
    """Axe-core finds nothing serious in any state of the page."""
    daemon = start("--history-limit=5")
    ann = visitor(
        daemon, cabled=True, color_scheme=scheme, viewport=viewport, reduced_motion="reduce"
    )

    def fine() -> None:
        assert ann.tab.findings() == []

    ann.tab.open("/")
    fine()
    ann.tab.open("/rooms/?room=!")
    expect(ann.page.get_by_role("alert")).to_be_visible()
    fine()
    ann.tab.open("/rooms/r/")
    expect(ann.page.get_by_label("Your name")).to_be_visible()
    fine()
    ann.introduce("Ann")
    fine()
    bob = visitor(daemon).join("r", "Bob")
    bob.says("y" * 300, *HOSTILE[:3])
    visitor(daemon).join("r", "Carl").composer.fill("z")
    ann.says("hi", "x" * 20_000)
    expect(ann.page.get_by_text("Not sent.")).to_be_visible()
    expect(ann.page.get_by_text("Carl is writing…")).to_be_visible()
    if viewport is NARROW:
        fine()
        ann.page.get_by_role("button", name="3 people").click()
    fine()
    if viewport is NARROW:
        ann.page.get_by_role("button", name="3 people").click()
    ann.tab.goes_offline()
    daemon.kill()
    expect(ann.banner).to_contain_text("Reconnecting…")
    ann.says("later")
    expect(ann.page.get_by_text("Waits for the connection")).to_be_visible()
    fine()
    daemon = start("--history-limit=5", f"--port={daemon.port}")
    say(daemon, "r", *"1234567")
    ann.tab.is_online_again()
    expect(ann.page.locator(".gap")).to_be_visible()
    ann.is_in()
    fine()
