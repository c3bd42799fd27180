"""The chat page in Chromium, while its daemon is away, and when another one has come."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

from playwright.sync_api import expect

from tests.live.daemon import Daemon
from tests.live.visitor import Visitor, say


def test_daemon_that_is_killed_then_stopped(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon]
) -> None:
    """Both pages show every message once, after a kill in mid-chat and after a stop."""
    first = start()
    ann, bob = (visitor(first).join("r", name) for name in ("Ann", "Bob"))
    for number in range(0, 4, 2):
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
    expect(bob.messages()).to_have_count(7)
    said = [each["message"] for each in second.history("r")]
    assert sorted(said[4:]) == ["as it dies", "back", "while it is dead"]
    assert said[:4] == [str(number) for number in range(4)]
    for each in (ann, bob):
        each.hears(*said)
        expect(each.page.locator(".gap")).to_have_count(0)
    # A daemon that ends in good order says when to be back.
    assert second.stop() in (0, -signal.SIGTERM)
    expect(ann.banner).to_contain_text("Reconnecting…")
    start(f"--port={first.port}")
    ann.says("after")
    for each in (ann, bob):
        each.hears(*said, "after")


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


def test_messages_that_expired(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon]
) -> None:
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
    assert ann.tab.findings() == []


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
        for number in range(70):
            client.send(json.dumps({"message": f"e{number}"}))
        for _ in range(70):
            client.recv()
    expect(ann.page.locator(".gap")).to_contain_text("The room began anew")
    expect(ann.page.get_by_text("e69", exact=True)).to_be_in_viewport()
    ann.log.focus()
    while not ann.page.get_by_text("The conversation begins here.").is_visible():
        ann.page.keyboard.press("Home")
    expect(ann.messages()).to_have_text([f"e{number}" for number in range(70)])
