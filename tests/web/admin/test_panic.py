"""`livechat.web.admin.panic`: the buttons that calm a room."""

from __future__ import annotations

import re
from typing import Any

import pytest

from livechat.protocol.settings import RoomSettings
from livechat.protocol.v1 import Can
from livechat.web.admin.panic import SLOW, buttons
from tests.support import Browser, Port, World
from tests.web.admin.looking import named
from tests.web.admin.moderating import set_rules, settings, told

ALL: Can = ("join", "history", "send", "moderate", "manage")


def row(browser: Browser) -> dict[str, bool]:
    """Find the buttons of the row, with their state."""
    text = browser.get("/admin/rooms/r/").body.decode()
    part = text[text.index('data-part="panic"') : text.index('data-part="room_tiles"')]
    found = re.findall(r'aria-pressed="(\w+)">([^<]+)<', part)
    return {name: on == "true" for on, name in found}


def turn(browser: Browser, name: str, state: str) -> str:
    fields = {"turn": f"{name} {state}", "back": "/admin/rooms/r/"}
    return told(browser, browser.post("/admin/rooms/r/panic/", **fields))


@pytest.mark.parametrize(
    ("name", "label", "on"),
    [("slow", "Slow mode 30 s", SLOW), ("members", "Members only", True),
     ("hold", "Hold everything", "all"), ("closed", "Close", True)],
)  # fmt: skip
def test_a_click_turns_a_setting_on_or_off(
    browser: Browser, world: World, name: str, label: str, on: Any
) -> None:
    """A click turns a setting on or off; the page shows it, and the audit has it."""
    assert row(browser) == dict.fromkeys(
        ("Slow mode 30 s", "Members only", "Hold everything", "Close"), False
    )
    assert turn(browser, name, "on")
    assert settings(world) == {name: on}
    assert [each for each, is_on in row(browser).items() if is_on] == [label]
    turn(browser, name, "on")
    assert settings(world) == {name: on}
    turn(browser, name, "off")
    assert settings(world) == {}
    assert not any(row(browser).values())


def test_an_inherited_setting_is_turned_off_here(browser: Browser, world: World) -> None:
    """A setting of all rooms is turned off for this one."""
    set_rules(world, "*", closed=True, slow=60)
    assert [each for each, is_on in row(browser).items() if is_on] == ["Slow mode 30 s", "Close"]
    turn(browser, "closed", "off")
    turn(browser, "slow", "off")
    assert settings(world) == {"closed": False, "slow": 0}
    assert not any(row(browser).values())


def test_a_slower_pace_before(browser: Browser, world: World) -> None:
    """A shorter slow mode does not count as the button's."""
    set_rules(world, slow=5)
    assert not row(browser)["Slow mode 30 s"]
    turn(browser, "slow", "on")
    assert settings(world) == {"slow": SLOW}


@pytest.mark.parametrize("value", ["", "slow", "slow maybe", "title on", "x on", "words off"])
def test_an_unknown_switch_is_refused(browser: Browser, world: World, value: str) -> None:
    browser.get("/admin/rooms/r/")
    assert browser.post("/admin/rooms/r/panic/", turn=value).status == 400
    assert settings(world) == {}


def test_only_managers_have_the_members_button(port: Port, world: World) -> None:
    """The button "only members" is for operators who manage."""
    assert [each.label for each in buttons(("moderate",), RoomSettings())] == [
        "Slow mode 30 s", "Hold everything", "Close",
    ]  # fmt: skip
    assert len(buttons(ALL, RoomSettings())) == 4
    assert buttons(("join", "history", "send"), RoomSettings()) == []
    ann = named(port, r="moderate")
    assert list(row(ann)) == ["Slow mode 30 s", "Hold everything", "Close"]
    assert "right" in turn(ann, "members", "on")
    assert settings(world) == {}
    turn(ann, "hold", "on")
    assert settings(world) == {"hold": "all"}


def test_a_setting_of_another_operator_appears(browser: Browser, world: World) -> None:
    """A setting that another operator turns on appears on the open page."""
    stream = browser.events("/admin/rooms/r/events")
    stream.events()
    set_rules(world, closed=True)
    world.clock.pump([0.1] * 20)
    events = dict(stream.events())
    assert 'value="closed off" aria-pressed="true"' in events["panic"]
    assert 'name="back" value="/admin/rooms/r/"' in events["panic"]
