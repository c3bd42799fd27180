"""`livechat.web.admin.people`: muting, banning and pardoning by forms."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from livechat.identity.accounts import account_grants
from livechat.protocol.messages import User
from livechat.protocol.moderation import LONGEST_REASON
from livechat.web.admin.people import of_subject
from tests.support import (
    ANN,
    PASSWORD,
    Answer,
    Browser,
    Port,
    RecordingClient,
    World,
    request,
    run,
)
from tests.web.admin.looking import named
from tests.web.admin.moderating import (
    CARLA,
    EVE,
    notices,
    records,
    restrict,
    restricted,
    said,
    shown,
    texts,
    told,
)

#: None of these may end a tag or an attribute, or turn the text around it.
HOSTILE = ["<script>alert(1)</script>", '"><img src=x>', "\u202egnirts", "🙂" * 100, "{{7*7}}"]


def act(browser: Browser, form: str = "restrict", /, **fields: str) -> Any:
    given = {"user": EVE.subject, "name": EVE.name, "back": "/admin/rooms/r/"}
    if form == "restrict":
        given["kind"] = "mute"
    return browser.post(f"/admin/rooms/r/{form}/", **given | fields)


def act_in_turns(browser: Browser, **fields: str) -> Answer:
    """The same, of what is not done in one turn."""
    form = {"token": browser.token, "user": EVE.subject, "name": EVE.name, **fields}
    media = {"Content_Type": "application/x-www-form-urlencoded"}
    wire = browser.port.connect()
    body = urlencode(form).encode()
    wire.send(request("POST", "/admin/rooms/r/restrict/", body, **browser.headers(), **media))
    browser.port.world.clock.pump([0.05] * 50)
    return wire.answer()


def test_a_click_mutes_a_user(browser: Browser, world: World) -> None:
    """A click mutes a user for ten minutes, and the page says so, once."""
    said(world, "spam")
    text = browser.get("/admin/rooms/r/").body.decode()
    assert 'value="g:evesid123456"' in text
    answer = act(browser, seconds="600")
    found = restricted(world)
    assert found is not None
    assert (found.kind, found.until) == ("mute", int(world.wall) + 600)
    assert found.author.kind == "operator"
    assert told(browser, answer) == "Eve (·eves) is muted for 10 minutes."
    assert notices(browser.get("/admin/rooms/r/").body.decode()) == []
    assert records(world)[-1].action.type == "restrict"


def test_ban_with_all_that_goes_with_it(browser: Browser, world: World) -> None:
    """A ban removes the user's messages of the last hour, and no others."""
    said(world, "from before")
    world.clock.advance(4_000)
    browser.sign_in()
    said(world, "spam 1")
    said(world, "from another", CARLA)
    said(world, "spam 2")
    browser.get("/admin/rooms/r/")
    answer = act_in_turns(browser, kind="ban", reason="<b>raid", retract="3600")
    assert told(browser, answer) == "Eve (·eves) is banned. Messages removed: 2."
    assert texts(world) == ["from before", "from another"]
    found = restricted(world)
    assert found is not None
    assert (found.kind, found.until, found.reason) == ("ban", None, "<b>raid")


def test_a_restriction_is_for_all_rooms(browser: Browser, world: World) -> None:
    browser.get("/admin/rooms/r/")
    answer = act(browser, kind="hold", everywhere="on", seconds="3600")
    assert "in all rooms for 1 hour" in told(browser, answer)
    assert restricted(world) is None
    assert restricted(world, room="*") is not None


def test_a_click_pardons_a_user(browser: Browser, world: World) -> None:
    restrict(world, kind="mute")
    restrict(world, everywhere=True)
    browser.get("/admin/rooms/r/")
    assert told(browser, act(browser, "pardon")) == "Eve (·eves) is pardoned."
    assert restricted(world) is None
    assert restricted(world, room="*") is not None
    told(browser, act(browser, "pardon", everywhere="on"))
    assert restricted(world, room="*") is None
    assert "Nothing is restricted" in told(browser, act(browser, "pardon"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_reasons_and_names(browser: Browser, world: World, text: str) -> None:
    """Reasons and names are text in the notice, in lists and in the audit."""
    user = User("id<b>", text[:40])
    said(world, "hi", user)
    run(world.chat.join(ANN, "r", RecordingClient()))
    browser.get("/admin/rooms/r/")
    answer = act(browser, user=user.subject, name=text, kind="ban", reason=text)
    for page in (
        shown(browser, answer),
        *(browser.get(target).body.decode() for target in (
            "/admin/rooms/r/restrictions/", "/admin/audit/", f"/admin/rooms/r/?user={user.subject}",
        )),
    ):  # fmt: skip
        main = page[page.index("<main") :]
        assert "<script" not in main
        assert "<img" not in main
        assert "id<b>" not in main
        assert ">49<" not in main
    assert world.chat.restrictions.get("r", user.subject) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"user": ""}, {"user": "eve"}, {"user": "a:mark"}, {"user": "g:"}, {"kind": "kill"},
        {"seconds": "-1"}, {"seconds": "x"}, {"seconds": "9" * 12}, {"retract": "0"},
        {"reason": "x" * (LONGEST_REASON + 1)}, {"reason": "🙂" * 500}, {"user": "g:" + "x" * 65},
        {"kind": ""},
    ],
)  # fmt: skip
def test_forms_that_make_no_sense(browser: Browser, world: World, fields: dict[str, str]) -> None:
    """A senseless form does nothing, and a page says why."""
    browser.get("/admin/rooms/r/")
    answer = act(browser, **fields)
    assert answer.status == 400
    assert list(world.chat.restrictions.items()) == []


def test_operators_and_ids_of_nobody(browser: Browser, world: World) -> None:
    browser.get("/admin/rooms/r/")
    assert "cannot be an id" in told(browser, act(browser, user="g:!operator"))
    assert list(world.chat.restrictions.items()) == []


@pytest.mark.parametrize("form", ["restrict", "pardon", "panic"])
def test_forms_of_other_sites(browser: Browser, world: World, form: str) -> None:
    """A form without this session's token, or from elsewhere, does nothing."""
    restrict(world, user=CARLA)
    browser.get("/admin/rooms/r/")
    fields = {"user": EVE.subject, "kind": "ban", "turn": "closed on"}
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    target = f"/admin/rooms/r/{form}/"
    for sent, headers in (
        (body, {}),
        (body + b"&token=x", {}),
        (body + b"&token=" + browser.token.encode(), {"Sec_Fetch_Site": "cross-site"}),
    ):
        assert browser.send(target, sent, **headers).status == 403
    assert browser.get(target).status == 405
    assert Browser(browser.port).send(target, body + b"&token=x").status == 403
    assert restricted(world) is None
    assert restricted(world, CARLA) is not None
    assert world.chat.settings.own("r").given() == {}


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "/admin/../evil",
        "javascript:alert(1)",
        "/rooms/r/",
    ],
)
def test_the_way_back_stays_here(browser: Browser, back: str) -> None:
    browser.get("/admin/rooms/r/")
    assert act(browser, back=back).headers["location"].startswith("/admin/?done=")


def test_who_may_not(port: Port, world: World) -> None:
    """An operator without the right to moderate sees no menu, and is refused."""
    said(world, "hi", room="lobby")
    reader = named(port, "reader", lobby="join history")
    text = reader.get("/admin/rooms/lobby/").body.decode()
    assert "Mute" not in text
    assert "Ban" not in text
    assert "Members</a>" not in text
    for target in ("restrict", "pardon"):
        answer = reader.post(f"/admin/rooms/lobby/{target}/", user=EVE.subject, kind="ban")
        assert "right" in told(reader, answer)
    for target in ("members", "restrictions", "settings"):
        assert reader.get(f"/admin/rooms/lobby/{target}/").status == 403
    assert list(world.chat.restrictions.items()) == []


def test_moderators_are_not_everywhere(port: Port, world: World) -> None:
    """A moderator of some rooms has no box for all rooms, and is refused without the box."""
    said(world, "hi", room="lobby")
    ann = named(port, lobby="moderate")
    text = ann.get("/admin/rooms/lobby/").body.decode()
    assert "Mute 10 minutes" in text
    assert "in all rooms" not in text
    fields = {"user": EVE.subject, "kind": "ban", "everywhere": "on"}
    told(ann, ann.post("/admin/rooms/lobby/restrict/", **fields))
    assert list(world.chat.restrictions.items()) == []


def test_a_right_that_is_lost_meanwhile(port: Port, world: World) -> None:
    """An old page's button is refused, and the operator signs in again."""
    ann = named(port, lobby="moderate")
    ann.get("/admin/rooms/lobby/")
    run(world.operators.put("ann", account_grants({"lobby": ["join"]}), PASSWORD))
    answer = ann.post("/admin/rooms/lobby/restrict/", user=EVE.subject, kind="ban")
    assert answer.status in (303, 403)
    assert list(world.chat.restrictions.items()) == []


def test_subjects_are_read_back() -> None:
    assert of_subject("u:42") == ("42", False)
    assert of_subject("g:a:b") == ("a:b", True)
