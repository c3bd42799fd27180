"""`livechat.web.admin.sweep`: a search's messages are removed, and their authors banned."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from twisted.internet.defer import fail

from livechat.protocol.messages import User
from livechat.rooms.actions import act
from livechat.web.admin.lines import Line
from livechat.web.admin.sweep import MOST_AT_ONCE, authors
from tests.support import Answer, Browser, Port, World, request
from tests.web.admin.looking import named, page
from tests.web.admin.moderating import CARLA, EVE, restricted, said, texts, told

SPAM = "/admin/rooms/r/?q=watches"


def raid(world: World, people: int, each: int = 2) -> list[User]:
    users = [User(f"spam{number:08}", f"Sp{number}") for number in range(people)]
    for user in users:
        for number in range(each):
            said(world, f"buy WATCHES {number}", user)
    return users


def post(browser: Browser, form: str, **fields: str) -> Answer:
    """Send a form that takes some turns; return the answer."""
    given = {"token": browser.token, "back": SPAM, **fields}
    media = {"Content_Type": "application/x-www-form-urlencoded"}
    wire = browser.port.connect()
    target, body = f"/admin/rooms/r/{form}/", urlencode(given).encode()
    wire.send(request("POST", target, body, **browser.headers(), **media))
    browser.port.world.clock.pump([0.05] * 60)
    return wire.answer()


def test_a_form_ends_a_raid(browser: Browser, world: World) -> None:
    """A search shows a raid, and a form ends it; messages of others stay."""
    said(world, "nice shoes", CARLA)
    users = raid(world, 10)
    said(world, "what are these watches?", EVE, room="other")
    text = page(browser, SPAM)
    (named_there,) = re.findall(r'name="users" value="([^"]*)"', text)
    assert named_there.split() == [each.subject for each in users]
    assert "Ban 10 people" in text
    answer = post(browser, "ban-shown", users=named_there, reason="raid", retract="3600")
    assert told(browser, answer) == "10 people are banned. Messages removed: 20."
    assert texts(world) == ["nice shoes"]
    assert texts(world, "other") == ["what are these watches?"]
    assert all(restricted(world, each) is not None for each in users)
    assert restricted(world, CARLA) is None
    assert "Nothing was found" in page(browser, SPAM)


def test_a_sweep_removes_messages(browser: Browser, world: World) -> None:
    raid(world, 3)
    said(world, "stays")
    (refs,) = re.findall(r'name="refs" value="([^"]*)"', page(browser, SPAM))
    assert told(browser, post(browser, "remove-shown", refs=refs)) == "6 messages were removed."
    assert texts(world) == ["stays"]
    assert "no such message" in told(browser, post(browser, "remove-shown", refs=refs))


def test_a_ban_that_meets_a_bug_is_counted(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ban that meets a bug is counted as refused, and the others are done."""
    browser.get("/admin/")

    def broken(chat: Any, actor: Any, room: str, action: Any) -> Any:
        if action.user == EVE.id:
            return fail(ZeroDivisionError("secret"))
        return act(chat, actor, room, action)

    monkeypatch.setattr("livechat.web.admin.sweep.act", broken)
    answer = post(browser, "ban-shown", users=f"{EVE.subject} {CARLA.subject}")
    assert told(browser, answer) == (
        "1 person is banned. 1 is not: Something went wrong on the server."
    )
    assert restricted(world, CARLA) is not None


def test_some_cannot_be(browser: Browser, world: World) -> None:
    """The page counts users who cannot be banned; the others are banned."""
    browser.get("/admin/")
    answer = post(browser, "ban-shown", users=f"{EVE.subject} g:!operator")
    assert told(browser, answer).startswith("1 person is banned. 1 is not: This cannot be an id")
    assert restricted(world) is not None


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("ban-shown", {}), ("ban-shown", {"users": " "}), ("ban-shown", {"users": "eve"}),
        ("ban-shown", {"users": "g:x " * (MOST_AT_ONCE + 1)}),
        ("ban-shown", {"users": "g:eve", "seconds": "x"}), ("remove-shown", {}),
        ("remove-shown", {"refs": "1 x"}), ("remove-shown", {"refs": "0"}),
        ("remove-shown", {"refs": "1 " * 101}), ("remove-shown", {"refs": "9" * 16}),
    ],
)  # fmt: skip
def test_forms_that_make_no_sense(
    browser: Browser, world: World, form: str, fields: dict[str, str]
) -> None:
    said(world, "stays")
    browser.get("/admin/")
    assert post(browser, form, **fields).status == 400
    assert list(world.chat.restrictions.items()) == []
    assert texts(world) == ["stays"]


def test_who_may_not(port: Port, world: World) -> None:
    raid(world, 1)
    ann = named(port, r="join history send")
    text = page(ann, SPAM)
    assert "shown/" not in text
    ref = re.findall(r'data-seq="(\d+)"', text)[0]
    told(ann, post(ann, "ban-shown", users="g:spam00000000"))
    assert post(ann, "remove-shown", refs=ref).status == 403
    assert post(ann, "ban-shown", users="g:spam00000000", token="x").status == 403
    assert list(world.chat.restrictions.items()) == []
    assert len(texts(world)) == 2


def test_a_search_names_each_author_once() -> None:
    """A search names each author once, without operators and messages of no author."""
    operator = User("!operator", "Operator", "operator")
    lines = [Line(n, 0, user=user) for n, user in enumerate((EVE, None, operator, CARLA, EVE))]
    assert authors(lines) == [EVE.subject, CARLA.subject]
