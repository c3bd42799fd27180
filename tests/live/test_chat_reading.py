"""All messages can be read, with their authors: long texts, look-alikes, operators."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, expect

from tests.live.browser import NARROW, Tab
from tests.live.daemon import Daemon
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor, say

#: More marks than letters: they are painted far outside of their line.
STACK: Final = "a" + "\u0301" * 60
TEXTS: Final = [
    "short",
    "word " * 105 + "end",
    "word " * 400 + "end",
    "x" * 2_000,
    "W" * 700,
    "\n".join(map(str, range(300))),
    "مرحبا بالعالم " * 80 + "نهاية",
    STACK * 40,
    "y z " * 4_095 + "end",
]
#: The sizes of windows in CSS pixels; twice as many on the screen is a zoom of 200 %.
WINDOWS: Final[dict[str, dict[str, Any]]] = {
    "320": {"viewport": {"width": 320, "height": 568}},
    "390": {"viewport": NARROW},
    "1280": {"viewport": {"width": 1280, "height": 860}},
    "1280 at 200 %": {"viewport": {"width": 640, "height": 430}, "device_scale_factor": 2},
}
#: Sizes that only the soak has: the others show most faults.
SLOW: Final = {"390", "1280", "1280 at 200 %"}
#: True if a text is visible down to its last letter.
WHOLE: Final = """text => {
    const box = text.getBoundingClientRect(), range = document.createRange();
    range.selectNodeContents(text);
    const end = [...range.getClientRects()].at(-1);
    return end.bottom <= box.bottom + 1 && end.left >= box.left - 1 && end.right <= box.right + 1;
}"""
_MORE: Final = "Show more"
_LESS: Final = "Show less"


def more(message: Locator) -> Locator:
    """The button of the message that a text is in."""
    return message.locator("..").get_by_role("button", name=_MORE)


def top(message: Locator) -> float:
    box = message.bounding_box()
    assert box
    return box["y"]


@pytest.mark.parametrize(
    "window",
    [pytest.param(each, marks=pytest.mark.soak if each in SLOW else ()) for each in WINDOWS],
)
def test_every_text_can_be_read(
    visitor: Callable[..., Visitor], daemon: Daemon, window: str
) -> None:
    """A text that is cut off has a button that shows the rest; no other text has one."""
    room = "w" + window.replace(" ", "").replace("%", "")
    with daemon.socket(room) as client:
        for text in TEXTS:
            client.send(json.dumps({"message": text}))
        ann = visitor(**WINDOWS[window]).join(room, "Ann")
        expect(ann.messages()).to_have_count(len(TEXTS))
        for text in TEXTS:
            client.send(json.dumps({"message": text}))
        expect(ann.messages()).to_have_count(2 * len(TEXTS))
    ann.is_complete()
    looks = (
        f"texts => texts.map(text => [({WHOLE})(text),"
        " Boolean(text.parentElement.querySelector('.fold'))])"
    )
    found = ann.messages().evaluate_all(looks)
    assert all(whole != has_button for whole, has_button in found)
    buttons = ann.page.get_by_role("button", name=_MORE)
    assert buttons.count() >= 8
    while buttons.count():
        buttons.first.click()
    assert all(whole for whole, _ in ann.messages().evaluate_all(looks))


def test_the_place_stays(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """An unfolded text goes on where it was cut off; folded again, its button stays in sight."""
    say(daemon, "place", *"abcdefgh", "\n".join(map(str, range(200))), *"ijklmnop")
    ann = visitor(viewport=NARROW).join("place", "Ann")
    text = ann.messages().nth(8)
    expect(more(text)).to_have_attribute("aria-expanded", "false")
    more(text).focus()
    # The button was only just made; the lines around it are laid out in the next frame.
    ann.page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    before = top(text)
    ann.page.keyboard.press("Enter")
    less = ann.page.get_by_role("button", name=_LESS)
    expect(less).to_have_attribute("aria-expanded", "true")
    expect(less).to_be_focused()
    assert abs(top(text) - before) <= 1
    # A message that comes meanwhile, however long, does not move the reader.
    with daemon.socket("place") as client:
        client.send(json.dumps({"message": "n\n" * 100}))
        expect(ann.page.get_by_role("button", name="1 new message")).to_be_visible()
        assert abs(top(text) - before) <= 1
    less.click()
    expect(more(text)).to_be_in_viewport()
    assert ann.log.evaluate("each => each.scrollTop") < 0


def test_a_window_that_changes(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The button is there where the window cuts the text off, and goes where it does not."""
    say(daemon, "turned", "word " * 200)
    ann = visitor(viewport={"width": 1280, "height": 860}).join("turned", "Ann")
    message = ann.messages().first
    expect(message).to_be_visible()
    button = ann.page.get_by_role("button", name="Show")
    for unfold in (False, True):
        expect(button).to_have_count(0)
        ann.page.set_viewport_size({"width": 320, "height": 568})
        expect(button).to_have_text(_MORE)
        if unfold:
            button.click()
            expect(button).to_have_text(_LESS)
        ann.page.set_viewport_size({"width": 1280, "height": 860})
    expect(button).to_have_count(0)
    assert message.evaluate(WHOLE)


def test_a_link_that_is_cut_off(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The keyboard's focus never goes where one does not see it."""
    say(daemon, "link", "word\n" * 100 + "https://chat.example/")
    ann = visitor(viewport=NARROW).join("link", "Ann")
    expect(ann.page.get_by_role("button", name=_MORE)).to_be_visible()
    for _ in range(5):
        ann.page.keyboard.press("Shift+Tab")
    link = ann.page.get_by_role("link", name="https://chat.example/")
    while not link.evaluate("each => each.matches(':focus')"):
        ann.page.keyboard.press("Tab")
    expect(link).to_be_in_viewport()
    assert ann.messages().first.evaluate(WHOLE)


def test_message_that_is_too_long(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A refused message is reported as not sent, can be read, changed, and removed."""
    ann = visitor(viewport=NARROW).join("refused", "Ann")
    ann.says("x" * 20_000)
    failed = ann.page.locator(".failed")
    expect(failed.get_by_role("alert")).to_contain_text("Not sent. The message is too long")
    failed.get_by_role("button", name=_MORE).click()
    assert failed.locator("p").evaluate(WHOLE)
    assert ann.tab.findings() == []
    # The failed message survives a reload, as a draft does.
    ann.composer.press_sequentially("a dra")
    ann.page.reload()
    ann.is_in()
    expect(ann.composer).to_have_value("a dra")
    expect(failed.get_by_role("alert")).to_contain_text("Not sent. The message is too long")
    ann.says("fits")
    expect(ann.messages()).to_have_text(["fits"])
    failed.get_by_role("button", name="Edit").click()
    expect(ann.composer).to_be_focused()
    assert len(ann.composer.input_value()) == 20_000
    ann.says("short")
    ann.hears("fits", "short")
    ann.says("x" * 20_000)
    failed.get_by_role("button", name="Remove").click()
    expect(failed).to_have_count(0)
    expect(ann.composer).to_be_focused()


def test_many_long_texts(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """However many long messages come at once, the browser lays them out together."""
    ann = visitor(viewport=NARROW, cabled=True).join("flood", "Ann")
    session = ann.page.context.new_cdp_session(ann.page)
    session.send("Performance.enable")
    ann.is_complete()

    def layouts() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in found if each["name"] == "LayoutCount")

    before = layouts()
    with daemon.socket("flood") as client:
        with ann.tab.hears_later():
            for number in range(120):
                client.send(json.dumps({"message": f"{number} " + "word " * 200}))
            for _ in range(120):
                client.recv()
        expect(ann.messages().last).to_contain_text("119 ")
    expect(ann.page.get_by_role("button", name=_MORE).last).to_be_in_viewport()
    assert layouts() - before < 80


def test_marks_stay_in_their_lines(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Stacks of marks, in a text or a name, are not painted over what others say."""
    ann = visitor().join("stacks", "Ann")
    for count, (name, text) in enumerate((("Eve", STACK), ("A" + "%CC%81" * 39, "below"))):
        say(daemon, "stacks", "above")
        expect(ann.messages()).to_have_count(2 * count + 1)
        above = ann.messages().last.bounding_box()
        assert above is not None
        # Round corners are not painted alike to the last bit.
        inside: Any = {
            "x": above["x"] + 12,
            "y": above["y"] + 4,
            "width": above["width"] - 24,
            "height": above["height"] - 8,
        }
        before = ann.page.screenshot(clip=inside)
        with daemon.socket(f"stacks/?name={name}") as eve:
            eve.send(json.dumps({"message": text}))
            expect(ann.messages()).to_have_count(2 * count + 2)
            assert ann.page.screenshot(clip=inside) == before


def test_names_that_look_alike(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """Both have a tag of their ids, in the log and among the people; others have none."""
    ann, bob = visitor().join("alike", "Ann"), visitor(viewport=NARROW).join("alike", "Bob")
    ann.says("I am Ann")
    bob.hears("I am Ann")
    expect(bob.page.locator(".tag")).to_have_count(0)
    speaker("alike", "ＡＮＮ").says("So am I")
    tags = [f"·{each['user']['id'][:4]}" for each in daemon.history("alike")]
    names = [f"Ann {tags[0]}", f"ＡＮＮ {tags[1]}"]
    authors = bob.page.locator(".said .message b")
    expect(authors).to_have_text(names)
    expect(ann.page.locator(".roster li").filter(has=ann.page.locator(".tag"))).to_have_count(2)
    assert sorted(ann.roster()) == sorted(["Bob", "Ann", "ＡＮＮ"])
    mine = ann.page.locator(".roster li").first
    expect(mine).to_contain_text(f"Ann {tags[0]}")
    expect(mine).to_contain_text("(you)")
    # Older messages tell the look-alikes apart, too.
    bob.page.reload()
    expect(authors).to_have_text(names)
    assert bob.tab.findings() == []


ALIKE: Final = [
    ("Ann", "ann"), ("Ann", "Ａｎｎ"), ("Ann", "A\u034fnn"), ("Ann", "Ann\ufe0f"),
    ("Ann", " Ann\u3164"), ("Ann", "A\u17b4nn\u2800"), ("Ann", "A\u200dn\u00adn"),
    ("Ann Lee", "AnnLee"), ("a b", "a \u00a0b"), ("ﬁ", "FI"), ("Zoë", "Zoe\u0308"),
    ("A\u034f\u030a", "å"), ("Straße", "STRASSE"), ("ẞ", "ss"), ("Σοφος", "ΣΟΦΟΣ"),
    ("ΣΟΦΟΣ", "σοφοσ"), ("İ", "i\u0307"),
]  # fmt: skip


def test_what_looks_alike(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Case, compatibility and what nobody sees make no other name; another letter does."""
    page = visitor().page
    page.goto(daemon.url)
    looks = "async pairs => { const { look } = await import('/static/chat-names.js');"
    looks += "return pairs.map(([one, other]) => look(one) === look(other)); }"
    assert page.evaluate(looks, ALIKE) == [True] * len(ALIKE)
    unlike = [("Ann", "Anna"), ("Ann", "Än"), ("👩\u200d🚀", "👩"), ("1", "2"), ("", "a")]
    assert page.evaluate(looks, unlike) == [False] * len(unlike)
    # Ids that begin alike have tags that do not.
    length = "async ids => (await import('/static/chat-names.js')).tagLength(ids)"
    assert page.evaluate(length, ["abcdef", "abcdxy", "q"]) == 8
    assert page.evaluate(length, ["abcdefghi", "xbcdefghi"]) == 4


def test_an_operator(
    visitor: Callable[..., Visitor], tab: Callable[..., Tab], daemon: Daemon
) -> None:
    """An operator's message has a name and a badge; a plain client sees only the message."""
    ann = visitor().join("operated", "Ann")
    with daemon.socket("operated") as plain:
        operator = tab()
        operator.enters("/admin/rooms/operated/?name=Ann&client=abcdefghijklmnop")
        operator.page.get_by_label("Message", exact=True).fill("from us")
        operator.page.get_by_role("button", name="Send").click()
        assert plain.recv() == '{"message":"from us"}'
    author = ann.page.locator(".said .message b")
    ann.hears("from us")
    for reloads in (True, False):
        expect(author.locator("bdi")).to_have_text("Operator")
        expect(author.locator(".badge")).to_have_text("operator")
        if reloads:
            ann.page.reload()
    assert ann.tab.findings() == []
    assert daemon.history("operated")[0]["user"] == {
        "id": "!operator", "name": "Operator", "role": "operator",
    }  # fmt: skip


def test_nothing_to_be_seen(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A message of which nothing is to be seen is not sent, and that is said."""
    ann = visitor().join("unseen", "Ann")
    problem = ann.page.get_by_role("alert")
    for text in (" ", "\u3164", "\ufe0f\u034f", "\u200b\u0301", "\U000e0100\n\u2800"):
        ann.says(text)
        expect(problem).to_have_text("There is nothing to be seen in this message.")
        expect(ann.composer).to_have_value(text)
        expect(ann.composer).to_have_attribute("aria-invalid", "true")
        ann.composer.fill("")
        expect(problem).to_have_count(0)
    ann.says(" ")
    expect(problem).to_have_count(1)
    assert ann.tab.findings() == []
    for text in ("👍", "1\ufe0f\u20e3", "é", "\ue000"):
        ann.says(text)
        ann.hears_by_now(text)
    assert len(daemon.history("unseen")) == 4


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
    # A page before the newest is near; the first, more than 300 numbers before them, is far.
    near = bo.says(*(f"n{number}" for number in range(1, 280)))
    bo.says(*(f"n{number}" for number in range(280, 365)))
    gone = bo.says("gone")
    bo.does("retract", ref=gone)
    bo.says("to the first", reply_to=first)
    bo.says("to one that is nearer", reply_to=near)
    bo.says("to nothing", reply_to=gone)
    ann = visitor().join("far", "Ann")
    ann.says("a last one")
    quotes = [
        ann.line(text).locator(".quote")
        for text in ("to the first", "to one that is nearer", "to nothing")
    ]
    expect(quotes[0]).to_contain_text("n0")
    expect(quotes[1]).to_contain_text("n279")
    expect(quotes[2]).to_have_text("A message that is no longer there")
    quotes[2].click()
    expect(ann.page.get_by_role("status")).to_contain_text("cannot be shown")
    for quote, text in ((quotes[0], "n0"), (quotes[1], "n279")):
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


def test_changes_around_a_reader(
    visitor: Callable[..., Visitor], daemon: Daemon, speaker: Callable[..., Speaker]
) -> None:
    """A reader further up keeps the place while messages above and below change."""
    bo = speaker("around")
    last = bo.says(*("x\n" * 4 + f"n{number}" for number in range(40)))
    numbers = range(last - 39, last + 1)
    ann = visitor().join("around", "Ann")
    expect(ann.messages()).to_have_count(40)
    reading = ann.messages().nth(20)
    reading.scroll_into_view_if_needed()
    before = reading.bounding_box()
    bo.does("edit", ref=numbers[2], message="y\n" * 12)
    bo.does("retract", refs=[numbers[1], numbers[38]])
    bo.does("edit", ref=numbers[37], message="z")
    expect(ann.line("z").locator(".edited")).to_be_attached()
    after = reading.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
