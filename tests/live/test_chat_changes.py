"""Messages that are edited, taken back and answered on the chat page, in Chromium."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Route, WebSocketRoute, expect

from tests.live.browser import PHONE, WIDE
from tests.live.daemon import PATIENCE, Daemon, Member
from tests.live.visitor import Visitor

_nonces: Final = itertools.count()
DEVICES: Final[dict[str, dict[str, Any]]] = {
    "wide": {"viewport": WIDE},
    "phone": PHONE,
    "small phone": {**PHONE, "viewport": {"width": 320, "height": 568}, "color_scheme": "dark"},
}
#: The text in place of a retracted message.
TAKEN_BACK: Final = "This message was taken back."
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


class Speaker:
    """A speaker who uses livechat.v1."""

    def __init__(self, daemon: Daemon, room: str, name: str = "Bo") -> None:
        key = f"{name:x<24}"
        self._socket: Member = daemon.socket(
            f"{room}/?name={name}&client={key}", subprotocols=["livechat.v1"], ping_interval=None
        )

    def does(self, kind: str, **fields: Any) -> int:
        """Do something, and wait until it is done; returns its number."""
        self._ask(kind, **fields)
        return self._told()

    def says(self, *texts: str, **fields: Any) -> int:
        """Say something; returns the number of the last."""
        for text in texts:
            self._ask("message", message=text, **fields)
        return [self._told() for _ in texts][-1]

    def _ask(self, kind: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": kind, "nonce": f"n{next(_nonces)}", **fields}))

    def _told(self) -> int:
        """Wait for the ack, and return the number in it."""
        while (answer := json.loads(self._socket.recv(timeout=PATIENCE)))["type"] != "ack":
            assert answer["type"] != "error", answer
        number: int = answer["seq"]
        return number

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def speaker(daemon: Daemon) -> Iterator[Callable[..., Speaker]]:
    """Makes people who talk by the protocol."""
    made: list[Speaker] = []

    def make(room: str, name: str = "Bo") -> Speaker:
        made.append(Speaker(daemon, room, name))
        return made[-1]

    yield make
    for each in made:
        each.close()


def edited(line: Locator) -> Locator:
    """The mark of a line that was edited."""
    return line.locator(".edited")


@pytest.mark.parametrize(
    "device",
    [
        pytest.param(each, marks=pytest.mark.soak if each == "small phone" else ())
        for each in DEVICES
    ],
)
def test_two_visitors(visitor: Callable[..., Visitor], daemon: Daemon, device: str) -> None:
    """A visitor edits, another replies, the first retracts; a reload shows the final state."""
    room = f"two-{device.replace(' ', '-')}"
    ann = visitor(**DEVICES[device]).join(room, "Ann")
    bob = visitor(**DEVICES[device]).join(room, "Bob")
    ann.says("frist secret")
    bob.hears("frist secret")
    assert bob.opens_menu(bob.line("frist secret")).all_inner_texts() == [
        "Reply", "Report…", "Ignore this person",
    ]  # fmt: skip
    bob.page.keyboard.press("Escape")

    items = ann.opens_menu(ann.line("frist secret"))
    assert items.all_inner_texts() == ["Reply", "Edit", "Take back"]
    assert ann.tab.findings() == []
    ann.page.keyboard.press("Escape")
    ann.chooses(ann.line("frist secret"), "Edit")
    expect(ann.page.get_by_text("Editing your message")).to_be_visible()
    expect(ann.composer).to_be_focused()
    expect(ann.composer).to_have_value("frist secret")
    assert ann.tab.findings() == []
    ann.composer.fill("first secret")
    ann.page.get_by_role("button", name="Save").click()
    expect(ann.composer).to_have_value("")
    for each in (ann, bob):
        each.hears("first secret")
        expect(edited(each.line("first secret"))).to_have_attribute("title", re.compile("^Edited "))

    bob.chooses(bob.line("first secret"), "Reply")
    expect(bob.page.locator(".aim")).to_contain_text("Replying to")
    expect(bob.page.locator(".aim")).to_contain_text("first secret")
    assert bob.tab.findings() == []
    bob.says("an answer")
    ann.hears("first secret", "an answer")
    expect(ann.line("an answer").locator(".quote")).to_have_text(
        "In reply to You: first secret", use_inner_text=False
    )
    expect(bob.line("an answer").locator(".quote")).to_contain_text("Ann")
    expect(bob.page.locator(".aim")).to_be_hidden()
    ann.chooses(ann.line("first secret"), "Edit")
    ann.says("second secret")
    for each in (ann, bob):
        each.hears("second secret", "an answer")
        expect(each.line("an answer").locator(".quote")).to_contain_text("second secret")

    ann.chooses(ann.line("second secret"), "Take back")
    for each in (ann, bob):
        each.hears(TAKEN_BACK, "an answer")
        quote = each.line("an answer").locator(".quote")
        expect(quote).to_have_text("A message that was taken back")
        assert "secret" not in each.everything()
        assert each.tab.findings() == []
        expect(each.line(TAKEN_BACK).get_by_role("button")).to_have_count(0)


def test_reload(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A page that is opened later shows what is there now."""
    ann = visitor().join("reload", "Ann")
    bob = visitor(**PHONE).join("reload", "Bob")
    ann.says("a secret")
    bob.chooses(bob.line("a secret"), "Reply")
    bob.says("an answer")
    bob.chooses(bob.line("an answer"), "Edit")
    bob.says("another answer")
    ann.hears("a secret", "another answer")
    ann.chooses(ann.line("a secret"), "Take back")
    bob.hears(TAKEN_BACK, "another answer")
    for each in (ann, bob):
        each.page.reload()
        each.hears("another answer")
        line = each.line("another answer")
        expect(edited(line)).to_have_text("edited")
        expect(line.locator(".quote")).to_have_text("A message that is no longer there")
        assert "secret" not in each.everything()
    assert [each["message"] for each in daemon.history("reload")] == ["another answer"]


def test_keyboard(visitor: Callable[..., Visitor], speaker: Callable[..., Speaker]) -> None:
    """The menu, the edit and the way back, by keyboard alone."""
    speaker("keys").says("theirs")
    ann = visitor().join("keys", "Ann")
    ann.says("one", "two")
    ann.hears("theirs", "one", "two")
    keys = ann.page.keyboard
    buttons = [
        ann.line(text).get_by_role("button", name="Message actions")
        for text in ("theirs", "one", "two")
    ]
    expect(buttons[2]).to_have_attribute("tabindex", "0")
    ann.composer.press_sequentially("a draft")
    # The part behind the messages.
    ann.page.locator(".room-acts button:visible").first.focus()
    keys.press("Shift+Tab")
    expect(buttons[2]).to_be_focused()
    for key, at in (("ArrowUp", 1), ("Home", 0), ("ArrowUp", 0), ("End", 2), ("ArrowUp", 1)):
        keys.press(key)
        expect(buttons[at]).to_be_focused()
    # The one that was there last is the one that Tab comes back to.
    keys.press("Tab")
    keys.press("Shift+Tab")
    expect(buttons[1]).to_be_focused()
    keys.press("Enter")
    items = ann.page.get_by_role("menuitem")
    for key, text in (
        ("", "Reply"), ("ArrowUp", "Take back"), ("ArrowDown", "Reply"), ("End", "Take back"),
        ("Home", "Reply"),
    ):  # fmt: skip
        if key:
            keys.press(key)
        expect(items.filter(has_text=text)).to_be_focused()
    for key in ("Escape", "Tab"):
        keys.press(key)
        expect(items).to_have_count(0)
        expect(buttons[1]).to_have_attribute("aria-expanded", "false")
        if key == "Escape":
            expect(buttons[1]).to_be_focused()
            keys.press("Space")
            expect(items.first).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    expect(items.first).to_be_focused()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(ann.composer).to_be_focused()
    expect(ann.composer).to_have_value("one")
    expect(ann.composer).to_have_attribute("aria-describedby", "aim")
    keys.press("Escape")
    expect(ann.page.locator(".aim")).to_be_hidden()
    expect(ann.composer).to_have_value("a draft")
    ann.chooses(ann.line("one"), "Edit")
    keys.press("End")
    keys.type("!")
    keys.press("Enter")
    ann.hears("theirs", "one!", "two")
    expect(ann.composer).to_have_value("a draft")


def test_what_stays(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """An unchanged edit is not sent; after a retraction the log has the focus."""
    ann = visitor().join("stays", "Ann")
    keys, items = ann.page.keyboard, ann.page.get_by_role("menuitem")
    ann.says("one", "two")
    ann.hears("one", "two")
    ann.chooses(ann.line("two"), "Edit")
    keys.press("Enter")
    expect(ann.page.locator(".aim")).to_be_hidden()
    expect(edited(ann.line("two"))).to_have_count(0)
    ann.line("two").get_by_role("button", name="Message actions").focus()
    keys.press("Enter")
    expect(items.first).to_be_focused()
    keys.press("ArrowUp")
    keys.press("Enter")
    ann.hears("one", TAKEN_BACK)
    expect(ann.log).to_be_focused()


def test_too_late(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Edit and retract are offered only while they are allowed."""
    ann = visitor().join("late", "Ann")
    ann.says("mine")
    ann.hears("mine")
    items = ann.opens_menu(ann.line("mine"))
    expect(items).to_have_text(["Reply", "Edit", "Take back"])
    ann.page.keyboard.press("Escape")
    ann.page.evaluate("Date.now = ((now) => () => now() + 901_000)(Date.now)")
    expect(ann.opens_menu(ann.line("mine"))).to_have_text(["Reply", "Take back"])

    eve = visitor()
    eve.page.route_web_socket("**/ws/chat/**", lambda page: pass_on(page, down=never))
    eve.join("late", "Eve")
    eve.says("hers")
    eve.hears("mine", "hers")
    expect(eve.opens_menu(eve.line("hers"))).to_have_text(["Reply", "Take back"])


def never(data: str) -> str:
    """A server at which nothing may be edited."""
    return re.sub(r'"edit":\d+', '"edit":0', data)


def pass_on(
    page: WebSocketRoute,
    up: Callable[[str], str | None] = lambda data: data,
    down: Callable[[str], str | None] = lambda data: data,
) -> None:
    """Forward frames as *up* and *down* change them."""
    server = page.connect_to_server()

    def through(to: Callable[[str], None], change: Callable[[str], str | None], data: Any) -> None:
        changed = change(data)
        if changed is not None:
            to(changed)

    page.on_message(lambda data: through(server.send, up, data))
    server.on_message(lambda data: through(page.send, down, data))


def test_refused(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """An edit and a retraction that are refused are told so, in plain words, and are not lost."""
    ann = visitor()
    wires: list[WebSocketRoute] = []
    codes = ["too_late", "too_many_edits", "forbidden", "not_found", "too_late"]

    def refuse(data: str) -> str | None:
        frame = json.loads(data)
        if frame.get("type") not in ("edit", "retract") or not codes:
            return data
        error = {"code": codes.pop(0), "detail": "Not so plain."}
        wires[-1].send(json.dumps({"type": "error", "nonce": frame["nonce"], "error": error}))
        return None

    def play(page: WebSocketRoute) -> None:
        wires.append(page)
        pass_on(page, up=refuse)

    ann.page.route_web_socket("**/ws/chat/**", play)
    ann.join("refused", "Ann")
    ann.says("mine")
    ann.hears("mine")
    failed = ann.page.locator(".failed")
    for reason in (
        "It is too old for that.", "It was edited too often.", "It is not yours.",
        "It is no longer there.",
    ):  # fmt: skip
        ann.chooses(ann.line("mine"), "Edit")
        ann.says("changed")
        expect(failed.get_by_role("alert")).to_have_text(f"Not changed. {reason}")
        expect(failed.locator("p")).to_have_text("changed")
        if not codes[1:]:
            # The failed edit survives a reload.
            assert ann.tab.findings() == []
            ann.page.reload()
            ann.is_in()
            expect(failed.locator("p")).to_have_text("changed")
        failed.get_by_role("button", name="Remove").click()
        expect(failed).to_have_count(0)
    ann.chooses(ann.line("mine"), "Take back")
    expect(failed.get_by_role("alert")).to_have_text("Not taken back. It is too old for that.")
    expect(failed.locator(".quote")).to_contain_text("mine")
    failed.get_by_role("button", name="Remove").click()
    ann.chooses(ann.line("mine"), "Take back")
    expect(ann.messages()).to_have_text([TAKEN_BACK])


def test_waits(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Without a connection an edit and a retraction wait, over a reload too, and are then done."""
    ann = visitor(cabled=True).join("waits", "Ann")
    bob = visitor().join("waits", "Bob")
    ann.says("one", "two")
    bob.hears("one", "two")
    ann.tab.goes_offline()
    expect(ann.banner).to_be_visible()
    ann.chooses(ann.line("one"), "Edit")
    ann.says("uno")
    ann.chooses(ann.line("two"), "Take back")
    for text, note in (("one", "changed"), ("two", "taken back")):
        expect(ann.line(text).locator(".note")).to_have_text(
            f"Will be {note} when there is a connection"
        )
    assert ann.tab.findings() == []
    bob.hears("one", "two")
    ann.tab.is_online_again()
    for each in (ann, bob):
        each.hears("uno", TAKEN_BACK)
        expect(each.page.locator(".note")).to_have_count(0)


def test_away(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A visitor who was away sees the present state of old and new messages."""
    bo = speaker("away")
    old, gone = bo.says("old"), bo.says("a secret")
    ann = visitor(cabled=True).join("away", "Ann")
    ann.hears("old", "a secret")
    ann.tab.goes_offline()
    expect(ann.banner).to_be_visible()
    bo.does("edit", ref=old, message="new")
    bo.does("retract", ref=gone)
    unseen = bo.says("unseen secret")
    later = bo.says("later", reply_to=gone)
    bo.does("edit", ref=later, message="later!")
    bo.does("retract", refs=[unseen])
    ann.tab.is_online_again()
    ann.hears("new", TAKEN_BACK, "later!")
    expect(edited(ann.line("later!"))).to_be_visible()
    assert "secret" not in ann.everything()
    ann.page.reload()
    ann.hears("new", "later!")


def test_many_numbers_without_messages(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Old messages are reached across pages of which all was taken back."""
    bo = speaker("gaps")
    bo.says("first")
    for _ in range(9):
        last = bo.says(*(f"spam {number}" for number in range(70)))
        bo.does("retract", refs=list(range(last - 69, last + 1)))
    bo.says("last")
    ann = visitor().join("gaps", "Ann")
    ann.hears("first", "last")
    expect(ann.page.get_by_text("The conversation begins here.")).to_be_visible()


def test_quotes_that_lead_far(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A quote leads to what it quotes, near and far, and the end is found again."""
    bo = speaker("far")
    first = bo.says("n0")
    near = bo.says(*(f"n{number}" for number in range(1, 200)))
    bo.says(*(f"n{number}" for number in range(200, 450)))
    gone = bo.says("gone")
    bo.does("retract", ref=gone)
    bo.says("to the first", reply_to=first)
    bo.says("to one that is nearer", reply_to=near)
    bo.says("to nothing", reply_to=gone)
    ann = visitor(reduced_motion="reduce").join("far", "Ann")
    ann.says("a last one")
    quotes = [
        ann.line(text).locator(".quote")
        for text in ("to the first", "to one that is nearer", "to nothing")
    ]
    expect(quotes[0]).to_contain_text("n0")
    expect(quotes[1]).to_contain_text("n199")
    expect(quotes[2]).to_have_text("A message that is no longer there")
    quotes[2].click()
    expect(ann.page.get_by_role("status")).to_contain_text("cannot be shown")
    for quote, text in ((quotes[0], "n0"), (quotes[1], "n199")):
        quote.click()
        expect(ann.line(text)).to_be_focused()
        expect(ann.line(text)).to_be_in_viewport()
        expect(ann.line(text)).to_have_class(re.compile(r"\bfound\b"))
        shown = [int(each[1:]) for each in ann.messages().all_inner_texts() if each[:1] == "n"]
        assert shown == list(range(shown[0], shown[-1] + 1))
        if ann.page.get_by_role("button", name="Newest messages").is_visible():
            ann.page.get_by_role("button", name="Newest messages").click()
        else:
            ann.log.press("End")
        expect(ann.page.get_by_text("a last one", exact=True)).to_be_in_viewport()
    # A message that comes meanwhile is announced.
    quotes[0].click()
    expect(ann.line("n0")).to_be_focused()
    bo.says("meanwhile")
    button = ann.page.get_by_role("button", name="1 new message")
    button.click()
    expect(ann.page.get_by_text("meanwhile", exact=True)).to_be_in_viewport()


def test_a_page_read_before(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A page of the history that was read before a retraction does not bring its text back."""
    bo = speaker("read")
    secret, other = bo.says("a secret"), bo.says("another secret")
    typo = bo.says("tpyo")
    ann = visitor()
    held: list[tuple[Route, Any]] = []

    def hold(route: Route) -> None:
        """The first page is read at once, and comes late."""
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    ann.page.route("**/chat/history/**", hold)
    ann.join("read", "Ann")
    while not held:
        ann.page.wait_for_timeout(20)
    bo.does("retract", ref=secret)
    bo.does("edit", ref=typo, message="typo")
    bo.says("to it", reply_to=other)
    bo.does("retract", refs=[other])
    last = bo.says("last", reply_to=secret)
    expect(ann.line("last")).to_be_visible()
    for route, answer in held:
        route.fulfill(response=answer)
    ann.hears(TAKEN_BACK, TAKEN_BACK, "typo", "to it", "last")
    expect(ann.page.locator(".said .quote")).to_have_text(["A message that was taken back"] * 2)
    assert "secret" not in ann.everything()
    assert last > secret


def test_what_is_edited_is_taken_back(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """An edit of a message retracted in another tab ends with a notice, and nothing is kept."""
    ann = visitor().join("tabs", "Ann")
    ann.says("a secret")
    ann.hears("a secret")
    ann.composer.press_sequentially("a draft")
    ann.chooses(ann.line("a secret"), "Edit")
    ann.composer.press_sequentially(" and more")
    other = Visitor(ann.tab)
    other.page = ann.tab.context.new_page()
    other.page.goto(f"{daemon.url}/rooms/tabs/")
    other.chooses(other.line("a secret"), "Take back")
    expect(ann.page.get_by_role("alert")).to_have_text(
        "The message that you were editing was taken back."
    )
    expect(ann.page.locator(".aim")).to_be_hidden()
    expect(ann.composer).to_have_value("a draft")
    assert "secret" not in ann.everything()


def test_announced_once(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A screen reader tells a message once; of its changes it tells only that they were made."""
    bo = speaker("heard")
    ann = visitor().join("heard", "Ann")
    bo.says("before")
    ann.hears("before")
    # Older messages are not announced, and for a moment nothing is.
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
    expect(edited(ann.line("an answer"))).to_be_visible()
    expect(status).to_have_text("Bo took back a message.")
    heard = ann.page.evaluate("heard")
    assert len(heard) == 2, heard
    assert "one" in heard[0]
    assert "an answer" in heard[1]


def test_unread(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A message retracted before it was seen is not counted as new."""
    bo = speaker("unread")
    bo.says("seen")
    ann = visitor()
    ann.page.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => Boolean(window.asleep)})"
    )
    ann.join("unread", "Ann")
    ann.hears("seen")
    ann.page.evaluate("window.asleep = true; document.dispatchEvent(new Event('visibilitychange'))")
    numbers = [bo.says(text) for text in ("one", "two")]
    expect(ann.page).to_have_title("(2) unread · livechat")
    bo.does("retract", ref=numbers[0])
    expect(ann.page).to_have_title("(1) unread · livechat")
    bo.does("retract", ref=numbers[1])
    expect(ann.page).to_have_title("unread · livechat")


def test_what_other_programs_put_in(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Data that another program has put into one's message are there still after an edit."""
    ann = visitor().join("data", "Ann")
    key = ann.page.evaluate("localStorage.getItem(`livechat:key:${location.origin}/`)")
    with daemon.socket(f"data/?name=Ann&client={key}", subprotocols=["livechat.v1"]) as socket:
        socket.send(json.dumps({"message": "mine", "data": {"poll": [1, 2]}}))
        ann.chooses(ann.line("mine"), "Edit")
        ann.says("edited")
        ann.hears("edited")
    assert daemon.history("data")[0]["data"] == {"poll": [1, 2]}


def test_the_place_stays(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A reader further up keeps the place while messages above and below change."""
    bo = speaker("place")
    last = bo.says(*("x\n" * 4 + f"n{number}" for number in range(40)))
    numbers = range(last - 39, last + 1)
    ann = visitor().join("place", "Ann")
    expect(ann.messages()).to_have_count(40)
    reading = ann.messages().nth(20)
    reading.scroll_into_view_if_needed()
    before = reading.bounding_box()
    bo.does("edit", ref=numbers[2], message="y\n" * 12)
    bo.does("retract", refs=[numbers[1], numbers[38]])
    bo.does("edit", ref=numbers[37], message="z")
    expect(edited(ann.line("z"))).to_be_attached()
    after = reading.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
