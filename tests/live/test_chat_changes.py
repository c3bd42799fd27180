"""Messages that are edited, taken back and answered on the chat page, in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Route, WebSocketRoute, expect

from tests.live.browser import PHONE, WIDE
from tests.live.daemon import Daemon
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor

_SMALL: Final = {**PHONE, "viewport": {"width": 320, "height": 568}, "color_scheme": "dark"}
#: The devices of two visitors.
DEVICES: Final[dict[str, list[dict[str, Any]]]] = {
    "wide and phone": [{"viewport": WIDE}, PHONE],
    "small phones": [_SMALL, _SMALL],
}
#: The text in place of a retracted message.
TAKEN_BACK: Final = "This message was taken back."


def edited(line: Locator) -> Locator:
    """The mark of a line that was edited."""
    return line.locator(".edited")


@pytest.mark.parametrize(
    "devices",
    [
        pytest.param(each, marks=pytest.mark.soak if each == "small phones" else ())
        for each in DEVICES
    ],
)
def test_two_visitors(visitor: Callable[..., Visitor], daemon: Daemon, devices: str) -> None:
    """A visitor edits, another replies, the first retracts; a reload shows the final state."""
    room, (of_ann, of_bob) = devices.replace(" ", "-"), DEVICES[devices]
    ann, bob = visitor(**of_ann).join(room, "Ann"), visitor(**of_bob).join(room, "Bob")
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
    expect(bob.page.locator(".aim")).to_contain_text(
        re.compile("Replying to.*first secret", re.DOTALL)
    )
    assert bob.tab.findings() == []
    bob.says("an answer")
    ann.hears("first secret", "an answer")
    expect(ann.line("an answer").locator(".quote")).to_have_text(
        "In reply to You: first secret", use_inner_text=False
    )
    expect(bob.line("an answer").locator(".quote")).to_contain_text("Ann")
    expect(bob.page.locator(".aim")).to_be_hidden()
    bob.chooses(bob.line("an answer"), "Edit")
    bob.says("another answer")
    ann.chooses(ann.line("first secret"), "Edit")
    ann.says("second secret")
    for each in (ann, bob):
        each.hears("second secret", "another answer")
        expect(each.line("another answer").locator(".quote")).to_contain_text("second secret")

    ann.chooses(ann.line("second secret"), "Take back")
    for each in (ann, bob):
        each.hears(TAKEN_BACK, "another answer")
        quote = each.line("another answer").locator(".quote")
        expect(quote).to_have_text("A message that was taken back")
        assert "secret" not in each.everything()
        expect(each.line(TAKEN_BACK).get_by_role("button")).to_have_count(0)
    assert bob.tab.findings() == []
    for each in (ann, bob):
        each.page.reload()
        each.hears("another answer")
        line = each.line("another answer")
        expect(edited(line)).to_have_text("edited")
        expect(line.locator(".quote")).to_have_text("A message that is no longer there")
        assert "secret" not in each.everything()
    assert [each["message"] for each in daemon.history(room)] == ["another answer"]


def goes_through_menu(ann: Visitor, button: Locator) -> None:
    """Open the menu of the button that has the focus, go through it by keys, and leave it twice."""
    keys, items = ann.page.keyboard, ann.page.get_by_role("menuitem")
    keys.press("Enter")
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
        expect(button).to_have_attribute("aria-expanded", "false")
        if key == "Escape":
            expect(button).to_be_focused()
            keys.press("Space")
            expect(items.first).to_be_focused()


def test_menu_by_keyboard(visitor: Callable[..., Visitor], speaker: Callable[..., Speaker]) -> None:
    """The menu, edits and a retraction by keyboard alone, and where the focus is after each."""
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
    items = ann.page.get_by_role("menuitem")
    goes_through_menu(ann, buttons[1])
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
    # An unchanged edit is not sent; after a retraction the log has the focus.
    ann.chooses(ann.line("two"), "Edit")
    keys.press("Enter")
    expect(ann.page.locator(".aim")).to_be_hidden()
    expect(edited(ann.line("two"))).to_have_count(0)
    buttons[2].focus()
    keys.press("Enter")
    expect(items.first).to_be_focused()
    keys.press("ArrowUp")
    keys.press("Enter")
    ann.hears("theirs", "one!", TAKEN_BACK)
    expect(ann.log).to_be_focused()


def test_choices_while_they_are_allowed(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Edit and retract are offered only while they are allowed."""
    ann = visitor().join("late", "Ann")
    ann.says("mine")
    ann.hears("mine")
    items = ann.opens_menu(ann.line("mine"))
    expect(items).to_have_text(["Reply", "Edit", "Take back"])
    ann.page.keyboard.press("Escape")
    ann.page.evaluate("Date.now = ((now) => () => now() + 901_000)(Date.now)")
    expect(ann.opens_menu(ann.line("mine"))).to_have_text(["Reply", "Take back"])
    # The server's word counts from the first frame on.
    ann.page.route_web_socket("**/ws/chat/**", lambda page: pass_on(page, down=never))
    ann.page.reload()
    ann.hears("mine")
    expect(ann.opens_menu(ann.line("mine"))).to_have_text(["Reply", "Take back"])


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


def test_refused_edits_and_retractions(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
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


def test_changes_while_offline(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Edits and retractions wait for the connection; those of others are there when it is back."""
    bo = speaker("offline")
    old, gone = bo.says("old"), bo.says("a secret")
    ann = visitor(cabled=True).join("offline", "Ann")
    ann.says("one", "two")
    ann.hears("old", "a secret", "one", "two")
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
    assert [each["message"] for each in daemon.history("offline")][2:] == ["one", "two"]
    bo.does("edit", ref=old, message="new")
    bo.does("retract", ref=gone)
    unseen = bo.says("unseen secret")
    later = bo.says("later", reply_to=gone)
    bo.does("edit", ref=later, message="later!")
    bo.does("retract", refs=[unseen])
    ann.tab.is_online_again()
    ann.hears("new", TAKEN_BACK, "uno", TAKEN_BACK, "later!")
    expect(ann.page.locator(".note")).to_have_count(0)
    expect(edited(ann.line("later!"))).to_be_visible()
    assert "secret" not in ann.everything()
    assert [each["message"] for each in daemon.history("offline")] == ["new", "uno", "later!"]
    ann.page.reload()
    ann.hears("new", "uno", "later!")


def test_history_page_that_a_retraction_overtakes(
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


def test_retraction_while_one_edits(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
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


def test_data_of_other_programs_survive_an_edit(
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
