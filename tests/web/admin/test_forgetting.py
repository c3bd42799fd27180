"""`livechat.web.admin.forgetting`."""

from __future__ import annotations

import re
from html import unescape

import pytest

from livechat.protocol.messages import Draft, User
from livechat.rooms.forgetting import jobs_map
from tests.members.session_client import Client
from tests.support import Answer, Browser, Port, World
from tests.web.admin.looking import HOSTILE, named, page
from tests.web.admin.moderating import records

TARGET = "/admin/forget/"
ANN = User("zebra-4711", "Annegret", verified=True)


def forget(browser: Browser, user: str = ANN.id, again: str = ANN.id, **fields: str) -> Answer:
    browser.get(TARGET)
    return browser.post(TARGET, user=user, again=again, **fields)


def test_the_page_shows_progress_then_the_pseudonym(browser: Browser, world: World) -> None:
    """The page shows how far it is, then the pseudonym alone; the audit has it, too."""
    world.store.write([Draft("r", "hers", ANN), Draft("r", "another's")])
    assert forget(browser).status == 303
    text = page(browser, TARGET)
    assert "Under way" in text
    assert ANN.id in text
    world.clock.pump([0.05] * 40)
    text = page(browser, TARGET)
    assert "Forgotten: 1 message in" in text
    assert ANN.id not in text
    assert records(world)[-1].action.type == "forget"
    assert "forgot a person" in page(browser, "/admin/audit/")


@pytest.mark.parametrize(
    ("user", "again"), [(ANN.id, "zebra-4712"), ("", ""), ("a b", "a b"), ("x" * 65, "x" * 65)]
)
def test_ids_that_are_refused(browser: Browser, world: World, user: str, again: str) -> None:
    """An id has to be valid, and typed twice, before anybody is forgotten."""
    answer = forget(browser, user, again)
    assert answer.status == 400
    assert 'role="alert"' in answer.body.decode()
    assert jobs_map(world.backend).items() == []


@pytest.mark.parametrize("text", HOSTILE[:7])
def test_hostile_ids_are_shown_as_text(browser: Browser, text: str) -> None:
    """Typed ids, and those of forgotten users, are shown as text."""
    for again in ("x", text):
        found = forget(browser, text, again).body.decode() + page(browser, TARGET)
        main = found[found.index("<main") :] if "<main" in found else found
        assert "<script>alert" not in main
        assert "<img src=x" not in main
        assert ">49<" not in main


def test_forgetting_is_for_managers_of_everything(port: Port, world: World) -> None:
    """Only operators who manage everything may; others see no link to the page."""
    ann = named(port, "ann", **{"*": "moderate"})
    assert TARGET not in page(ann, "/admin/")
    for answer in (ann.get(TARGET), ann.post(TARGET, user=ANN.id, again=ANN.id)):
        assert answer.status == 403
    assert jobs_map(world.backend).items() == []


def test_the_page_of_members_leads_there(browser: Browser, world: World) -> None:
    """The members' page leads there, with the person's id and kind typed already."""
    client = Client(world)
    user = client.hears("hello")[0]["user"]
    text = page(browser, "/admin/rooms/r/members/")
    (target,) = re.findall(r'href="(/admin/forget/\?[^"]*)"', text)
    text = page(browser, unescape(target))
    assert f'value="{user["id"]}"' in text
    assert 'name="guest" checked' in text


def test_the_form_needs_its_token(browser: Browser, world: World) -> None:
    browser.get(TARGET)
    assert browser.post(TARGET, user=ANN.id, again=ANN.id, token="x").status == 403
    assert jobs_map(world.backend).items() == []
