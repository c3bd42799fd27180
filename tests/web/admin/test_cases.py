"""`livechat.web.admin.cases`: the queue of messages that wait, and of reports."""

from __future__ import annotations

import re

import pytest

from livechat.protocol.messages import User
from livechat.web.admin.listing import LINES
from tests.support import Browser, Port, World
from tests.web.admin.looking import HOSTILE, named, page
from tests.web.admin.moderating import (
    CARLA,
    EVE,
    cases,
    open_case,
    records,
    restricted,
    said,
    texts,
    told,
)

TARGET = "/admin/cases/"


def listed(text: str) -> list[str]:
    """Find the cases that a page lists."""
    return re.findall(r'data-case="([^"]+)"', text)


def decide(browser: Browser, known_as: str, done: str, **fields: str) -> str:
    """Decide a case; return the page's notice."""
    form = {
        "case": known_as, "do": done, "room": "r", "user": EVE.subject, "name": EVE.name,
        "back": TARGET, "reason": "",
    }  # fmt: skip
    browser.get(TARGET)
    return told(browser, browser.post(TARGET, **form | fields))


def test_the_oldest_case_is_first(browser: Browser, world: World) -> None:
    """The oldest case is first; each has its message, its author, and the report's reason."""
    open_case(world, "c2", time=world.chat.now() + 2, message="second <b>")
    open_case(world, "c1", message="first")
    open_case(
        world, "c3", "report", time=world.chat.now() + 3, ref=7, reason="rude", reporter=CARLA
    )
    text = page(browser, TARGET)
    assert listed(text) == ["c1", "c2", "c3"]
    assert "second &lt;b&gt;" in text
    assert '<q dir="auto">rude</q>' in text
    assert "3 open cases" in text
    assert "/admin/rooms/r/?before=8" in text
    assert "Nothing waits in other" in page(browser, f"{TARGET}?room=other")


def test_an_approved_message_is_said(browser: Browser, world: World) -> None:
    open_case(world, "c1", message="fine")
    assert decide(browser, "c1", "approve") == "The message of Eve was approved, and is said."
    assert texts(world) == ["fine"]
    assert cases(world) == {}
    assert records(world)[-1].action.verdict == "approve"


def test_a_rejection_tells_the_reason(browser: Browser, world: World) -> None:
    """The reason is the author's to know, and the audit has the text."""
    open_case(world, "c1", message="spam")
    decide(browser, "c1", "reject", reason="no <b>spam")
    assert texts(world) == []
    record = records(world)[-1]
    assert (record.action.verdict, record.action.reason, record.text) == (
        "reject", "no <b>spam", "spam",
    )  # fmt: skip
    audit = page(browser, "/admin/audit/")
    assert "rejected a message of" in " ".join(re.sub(r"<[^>]*>", " ", audit).split())


def test_a_report_is_closed_or_its_message_removed(browser: Browser, world: World) -> None:
    """A report is closed, or its message removed, which closes the report as well."""
    keeps, goes = said(world, "fine"), said(world, "rude")
    open_case(world, "c1", "report", ref=keeps, message="fine")
    open_case(world, "c2", "report", ref=goes, message="rude")
    decide(browser, "c1", "close")
    assert texts(world) == ["fine", "rude"]
    assert decide(browser, "c2", "remove", ref=str(goes)) == "Message 2 was removed."
    assert texts(world) == ["fine"]
    assert cases(world) == {}


def test_a_ban_closes_cases_of_the_author(browser: Browser, world: World) -> None:
    """A mute leaves the case; a ban closes all that are of the author."""
    open_case(world, "c1")
    open_case(world, "c2")
    open_case(world, "c3", user=CARLA)
    decide(browser, "c1", "mute")
    found = restricted(world)
    assert found is not None
    assert found.kind == "mute"
    assert len(cases(world)) == 3
    assert "banned" in decide(browser, "c1", "ban", reason="raid")
    found = restricted(world)
    assert found is not None
    assert (found.kind, found.until, found.reason) == ("ban", None, "raid")
    assert list(cases(world)) == ["c3"]


def test_an_old_page_decides_nothing(browser: Browser, world: World) -> None:
    """An old page says that somebody else was faster, and does nothing."""
    open_case(world, "c1", message="spam")
    decide(browser, "c1", "reject")
    assert "decided before" in decide(browser, "c1", "approve")
    assert texts(world) == []
    assert "no case" in decide(browser, "gone", "approve")


@pytest.mark.parametrize(
    "fields",
    [{"do": ""}, {"do": "x"}, {"case": ""}, {"case": "x" * 33}, {"reason": "🙂" * 500},
     {"room": "a b"}, {"room": "!audit"}, {"do": "ban", "user": ""}],
)  # fmt: skip
def test_forms_that_make_no_sense(browser: Browser, world: World, fields: dict[str, str]) -> None:
    open_case(world, "c1")
    browser.get(TARGET)
    form = {"case": "c1", "do": "approve", "room": "r", "reason": ""}
    answer = browser.post(TARGET, **form | fields)
    if answer.status == 303:
        told(browser, answer)
    else:
        assert answer.status == 400
    assert list(cases(world)) == ["c1"]
    assert texts(world) == []


@pytest.mark.parametrize("text", [*HOSTILE[:8], "🙂" * 500])
def test_hostile_cases_are_shown_as_text(browser: Browser, world: World, text: str) -> None:
    """Messages, names and reasons are text."""
    user = User("id", text[:40])
    open_case(world, "c1", "report", message=text, user=user, reporter=user, reason=text[:200])
    main = page(browser, TARGET)
    main = main[main.index("<main") :]
    assert "<script" not in main
    assert "<img" not in main
    assert ">49<" not in main


def test_two_thousand_cases_come_in_pages(browser: Browser, world: World) -> None:
    """Two thousand cases come in pages."""
    for number in range(2_000):
        open_case(world, f"c{number:04}", time=number)
    text = page(browser, TARGET)
    assert listed(text) == [f"c{number:04}" for number in range(LINES)]
    assert "2,000 open cases" in text
    assert listed(page(browser, f"{TARGET}?page=40"))[-1] == "c1999"


def test_a_changed_list_is_sent_again(browser: Browser, world: World) -> None:
    """The list is sent again when it has changed, and only then."""
    open_case(world, "c1")
    stream = browser.events("/admin/cases/events?page=1")
    ((name, data),) = stream.events()
    assert (name, listed(data)) == ("case_list", ["c1"])
    assert 'name="back" value="/admin/cases/"' in data
    world.clock.advance(1)
    assert stream.events() == []
    open_case(world, "c2")
    world.clock.advance(1)
    assert listed(dict(stream.events())["case_list"]) == ["c1", "c2"]


def test_operators_see_cases_of_their_rooms(port: Port, world: World) -> None:
    """An operator has the cases of the rooms that they moderate, and decides no others."""
    open_case(world, "c1", room="team-a")
    open_case(world, "c2", room="secret", message="among us")
    ann = named(port, lobby="send", **{"team-*": "moderate"})
    text = page(ann, TARGET)
    assert listed(text) == ["c1"]
    assert "among us" not in text
    assert ann.get(f"{TARGET}?room=secret").status == 403
    assert "among us" not in ann.events("/admin/cases/events").received().decode()
    for room in ("team-a", "secret"):
        form = {"case": "c2", "do": "approve", "room": room, "back": TARGET, "reason": ""}
        told(ann, ann.post(TARGET, **form))
    assert list(cases(world)) == ["c1", "c2"]


def test_who_moderates_nothing(port: Port, world: World) -> None:
    open_case(world, "c1")
    bob = named(port, "bob", lobby="send", news="manage")
    assert TARGET not in page(bob, "/admin/")
    assert bob.get(TARGET).status == 403
    assert bob.get("/admin/cases/events").status == 403


def test_forms_of_cases_need_their_token(browser: Browser, world: World) -> None:
    open_case(world, "c1")
    form = {"case": "c1", "do": "approve", "room": "r", "reason": "", "token": "x"}
    assert browser.post(TARGET, **form).status == 403
    assert list(cases(world)) == ["c1"]


def test_held_by_the_panic_row(browser: Browser, world: World) -> None:
    """A message that the panic row's setting holds comes into the queue."""
    browser.get("/admin/rooms/r/")
    browser.post("/admin/rooms/r/panic/", turn="hold on")
    held = world.chat.send(world.caller("198.51.100.1", EVE), "r", "wait")
    held.addErrback(lambda _: None)
    (case,) = cases(world).values()
    assert case.message == "wait"
