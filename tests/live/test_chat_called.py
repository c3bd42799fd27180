"""Being called: marks, the title, the badge, sounds and notifications, where there are such."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import expect

from tests.live.daemon import Daemon
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor, say

#: Does what a browser does, and remembers it.  What it has, or allows, is each test's to say.
BELL: Final = """
    window.rung = [];
    window.badges = [];
    navigator.setAppBadge = async (count) => void badges.push(count);
    Object.defineProperty(document, "hidden", { get: () => Boolean(window.away) });
    class Node { connect(other) { return other; } }
    window.AudioContext = class {
        state = STATE; currentTime = 0; destination = new Node();
        async resume() { if (STATE === "suspended") return new Promise(() => {}); }
        createGain() {
            const gain = { setValueAtTime() {}, linearRampToValueAtTime() {} };
            return Object.assign(new Node(), { gain });
        }
        createOscillator() {
            const start = () => rung.push("sound");
            return Object.assign(new Node(), { frequency: {}, start, stop() {} });
        }
    };
    window.Notification = class extends EventTarget {
        static permission = "default";
        static async requestPermission() { return (Notification.permission = PERMISSION); }
        constructor(title, { body, tag }) {
            super();
            if (PERMISSION === "granted but not made") throw new TypeError("Illegal constructor");
            Object.assign(this, { title, body, tag });
            rung.push(this);
        }
        close() {}
    };
"""  # fmt: skip
#: A stand-in for a screen reader: collects texts that come, unless marked as no news.
LISTEN: Final = """() => {
    const root = document.querySelector("[data-livechat]").shadowRoot;
    window.heard = [];
    const tell = (node) => {
        const at = node instanceof Element ? node : node.parentElement;
        if (at?.closest("[aria-live]")?.getAttribute("aria-live") !== "off")
            heard.push(node.textContent);
    };
    new MutationObserver((changes) => changes.forEach((change) =>
        change.type === "characterData" ? tell(change.target) : change.addedNodes.forEach(tell)
    )).observe(root.querySelector("[role=log]"),
               { childList: true, characterData: true, subtree: true });
}"""
AWAY: Final = "away = {}; document.dispatchEvent(new Event('visibilitychange'))"


def browser(
    visitor: Callable[..., Visitor], permission: str = "granted", state: str = "running"
) -> Visitor:
    made = visitor()
    made.page.add_init_script(f"let STATE = {state!r}, PERMISSION = {permission!r};{BELL}")
    return made


def rung(each: Visitor) -> Any:
    return each.page.evaluate("rung.map((each) => each.title ? [each.title, each.body] : each)")


def test_marks_of_mentions(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """One's own mention marks the message, others' look different, other words are text."""
    ann, bob = visitor().join("marks", "A.*n (x)"), speaker("marks", "Bob")
    said = bob.says("@A.*n (x), @bob! @Bobby a@Bob `@Bob` **@a.*n (X)**")
    mark = ann.page.locator(".said mark")
    expect(mark).to_have_text(["@A.*n (x)", "@a.*n (X)"])
    expect(ann.page.locator(".said .called")).to_have_text("@bob")
    expect(ann.page.locator(".said .message.calls")).to_have_count(1)
    assert ann.tab.findings() == []
    bob.does("edit", ref=said, message="nobody")
    expect(mark).to_have_count(0)
    expect(ann.page.locator(".said .message.calls")).to_have_count(0)
    # A message does not call its own author.
    ann.says("@A.*n (x)")
    ann.hears_by_now("@A.*n (x)")
    expect(ann.page.locator(".said .message.calls")).to_have_count(0)


def test_title_and_badge(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """The title and the badge count what was not seen and is there; in a busy room calls only."""
    bo = speaker("title")
    ann = browser(visitor).join("title", "Ann")
    ann.is_complete()
    ann.page.evaluate(AWAY.format("true"))
    numbers = []
    for number, text in enumerate(("one", "two"), 1):
        numbers.append(bo.says(text))
        expect(ann.page).to_have_title(f"({number}) title · livechat")
    for number, title in zip(numbers, ("(1) title · livechat", "title · livechat"), strict=True):
        bo.does("retract", ref=number)
        expect(ann.page).to_have_title(title)
    # Of more than ten, be they there or not, calls alone count.
    say(daemon, "title", *map(str, range(1, 8)))
    expect(ann.page).to_have_title("(7) title · livechat")
    say(daemon, "title", "10", "11")
    expect(ann.page).to_have_title("title · livechat")
    say(daemon, "title", "@Ann?", "12", "@ann!")
    expect(ann.page).to_have_title("(@2) title · livechat")
    ann.page.evaluate(AWAY.format("false"))
    expect(ann.page).to_have_title("title · livechat")
    badges = ann.page.evaluate("badges")
    assert [badges[0], badges[-2:]] == [1, [2, 0]]


def test_sounds_and_notifications(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Calls and answers sound and notify, where that is switched on, and one is away."""
    ann = browser(visitor).join("rings", "Ann")
    ann.says("I am here")
    ann.hears("I am here")
    with daemon.socket("rings/?name=A%D7%90", subprotocols=["livechat.v1"]) as bob:

        def send(text: str, **more: Any) -> None:
            bob.send(json.dumps({"type": "message", "message": text, "nonce": text, **more}))

        def call(text: str) -> None:
            send(text)
            ann.hears_by_now(text.replace("*", ""))

        ann.page.evaluate(AWAY.format("true"))
        call("@Ann 1")
        assert rung(ann) == []
        ann.page.get_by_label("Play a sound").check()
        ann.page.get_by_label("Show a notification").check()
        tried = ["sound", "sound", ["You are told here when somebody calls you.", ""]]
        expect(ann.page.get_by_label("Show a notification")).to_be_checked()
        assert rung(ann) == tried
        call("nobody")
        assert rung(ann) == tried
        # Many calls at once are no siren.
        send("@Ann *2*")
        send("an answer", reply_to=1)
        ann.hears_by_now("@Ann 2")
        ann.hears_by_now("an answer")
        called = "\u2068A\u05d0\u2069 calls you in rings"
        assert rung(ann) == [
            *tried, [called, "@Ann 2"], "sound", "sound", [called, "an answer"],
        ]  # fmt: skip
        # A visitor who looks on is not called.
        ann.page.evaluate(AWAY.format("false"))
        call("@Ann 3")
        assert len(rung(ann)) == len(tried) + 4
    ann.page.evaluate("rung.at(-1).dispatchEvent(new Event('click'))")
    expect(ann.page.locator(".said .message.found")).to_contain_text("an answer")
    ann.page.reload()
    ann.is_in()
    expect(ann.page.get_by_label("Play a sound")).to_be_checked()
    # The browser has forgotten that it is allowed.
    expect(ann.page.get_by_label("Show a notification")).not_to_be_checked()


#: Reasons why a browser does not notify, what is done in it, and the answer of the page.
REFUSALS: Final = {
    "denied": ("", "Your browser does not let this page notify you."),
    "granted but not made": ("", "Your browser does not let this page notify you."),
    "throws": (
        "Notification = class extends Notification {"
        " static requestPermission = async () => 'granted';"
        " constructor() { throw new TypeError('Illegal constructor'); } }",
        "This browser has no notifications for this page.",
    ),
    "missing": ("delete window.Notification", "This browser has no notifications for this page."),
}


def test_calls_that_a_browser_blocks(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Refused notifications are reported; blocked sounds never come later, all at once."""
    ann = browser(visitor, "denied", "suspended").join("none", "Ann")
    ann.page.get_by_label("Play a sound").check()
    box = ann.page.get_by_label("Show a notification")
    for permission, (change, words) in REFUSALS.items():
        ann.page.evaluate(f"PERMISSION = {permission!r}; {change}; null")
        box.click()
        expect(ann.page.locator(".calls-by .hint")).to_contain_text(words)
        expect(box).not_to_be_checked()
        ann.page.evaluate(AWAY.format("true"))
        say(daemon, "none", f"@Ann {permission}")
        expect(ann.page.locator(".said mark")).to_have_count(list(REFUSALS).index(permission) + 1)
        expect(ann.page).to_have_title("(@1) none · livechat")
        assert rung(ann) == []
        ann.page.evaluate(AWAY.format("false"))


def test_announcements_for_a_screen_reader(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A screen reader tells a message once; of its changes it tells only that they were made."""
    bo = speaker("heard")
    ann = visitor().join("heard", "Ann")
    bo.says("before")
    ann.hears("before")
    # Older messages are not announced, and for a moment nothing is.
    expect(ann.page.get_by_text("The conversation begins here.")).to_be_visible()
    expect(ann.page.get_by_role("log")).not_to_have_attribute("aria-live", "off")
    ann.page.evaluate(LISTEN)
    number = bo.says("one")
    answer = bo.says("an answer", reply_to=number)
    status = ann.page.get_by_role("status")
    button = ann.line("an answer").get_by_role("button", name="Message actions")
    expect(button).to_be_attached()
    bo.does("edit", ref=number, message="uno")
    expect(status).to_have_text("Bo edited a message.")
    bo.does("retract", ref=number)
    expect(status).to_have_text("Bo took back a message.")
    ann.chooses(ann.line("an answer"), "Reply")
    bo.does("edit", ref=answer, message="an answer")
    expect(ann.line("an answer").locator(".edited")).to_be_visible()
    expect(status).to_have_text("Bo took back a message.")
    heard = ann.page.evaluate("heard")
    assert len(heard) == 2, heard
    assert "one" in heard[0]
    assert "an answer" in heard[1]
