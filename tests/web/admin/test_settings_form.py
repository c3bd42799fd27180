"""`livechat.web.admin.settings_form`."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.errors import ChatError
from livechat.protocol.settings import ALL_SETTINGS, RoomSettings, SettingsChange
from livechat.web.admin.settings_form import FIELDS, Refused, before, change_of, shown


def form(own: SettingsChange, **typed: str) -> dict[str, str]:
    """Make a page's form, with typed fields."""
    fields = shown(own, RoomSettings(), ALL_SETTINGS)
    found = {each.field.name: each.value for each in fields}
    return {**found, "before": before(own, ALL_SETTINGS), **typed}


def change(own: SettingsChange, now: SettingsChange, **typed: str) -> dict[str, Any]:
    """Make the change of a page of *own* settings, while they are *now*."""
    return change_of(form(own, **typed), now, ALL_SETTINGS)


OWN = SettingsChange(
    title="T", topic="", pinned=5, closed=True, members=False, guests="read", listed=True, slow=10,
    rate=0, hold="all", links="refuse", words=("a b", "c"), edit=0, presence=False,
    history_limit=100, history_age=3600,
)  # fmt: skip


def test_there_is_a_field_for_each() -> None:
    assert tuple(field.name for field in FIELDS) == ALL_SETTINGS


@pytest.mark.parametrize("own", [SettingsChange(), OWN])
def test_an_untouched_form_changes_nothing(own: SettingsChange) -> None:
    """A form that is sent as it came changes nothing, whatever is set."""
    given = {"empty.topic": "on"} if own is OWN else {}
    assert change(own, own, **given) == {}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"title": " Main stage "}, {"title": "Main stage"}),
        ({"closed": "off"}, {"closed": False}), ({"closed": ""}, {"closed": None}),
        ({"slow": "30"}, {"slow": 30}), ({"slow": ""}, {"slow": None}),
        ({"words": "x\r\n y z \r\n\r\nx"}, {"words": ("x", "y z")}),
        ({"words": ""}, {"words": None}),
        ({"words": "", "empty.words": "on"}, {"words": ()}), ({"guests": "on"}, {"guests": "on"}),
        ({"title": "", "empty.title": "on"}, {"title": ""}), ({"pinned": ""}, {"pinned": None}),
    ],
)  # fmt: skip
def test_typed_settings_are_read(typed: dict[str, str], expected: dict[str, Any]) -> None:
    assert change(OWN, OWN, **{"empty.topic": "on", **typed}) == expected


@pytest.mark.parametrize(
    "typed",
    [
        {"slow": "-1"}, {"slow": "x"}, {"slow": "21601"}, {"slow": "1.5"}, {"slow": "٣"},
        {"closed": "maybe"}, {"guests": "x"}, {"title": "x" * 101}, {"topic": "🙂" * 500},
        {"words": "x" * 65}, {"words": "\n".join(map(str, range(501)))}, {"pinned": "9" * 16},
        {"rate": "1001"}, {"links": "ALLOW"},
    ],
)  # fmt: skip
def test_a_bad_field_changes_nothing(typed: dict[str, str]) -> None:
    """A bad field is named, and nothing is changed, not even the good fields."""
    with pytest.raises(Refused) as refused:
        change(SettingsChange(), SettingsChange(), edit="5", **typed)
    assert set(refused.value.fields) == set(typed)


def test_somebody_else_was_faster() -> None:
    """An old page changes what its operator has typed, and undoes nothing of another's."""
    old = SettingsChange(slow=10)
    now = SettingsChange(slow=30, closed=True)
    assert change(old, now, title="T") == {"title": "T"}
    with pytest.raises(Refused) as refused:
        change(old, now, slow="20")
    assert "“30” now" in refused.value.fields["slow"]
    with pytest.raises(Refused) as refused:
        change(old, SettingsChange(), slow="20")
    assert "inherited now" in refused.value.fields["slow"]
    assert change(old, now, slow="30") in ({}, {"slow": 30})


def test_a_refused_form_is_shown_again() -> None:
    """A refused form keeps typed fields, and has the present values of the others."""
    old, now = SettingsChange(slow=10, title="old"), SettingsChange(slow=10, title="new")
    typed = form(old, slow="x")
    fields = {each.field.name: each for each in shown(now, RoomSettings(), ALL_SETTINGS, typed)}
    assert fields["slow"].value == "x"
    assert fields["title"].value == "new"


def test_what_one_may_not_change() -> None:
    assert change_of(form(SettingsChange(), title="x", slow="1"), SettingsChange(), ["slow"]) == {
        "slow": 1
    }
    assert [each.field.name for each in shown(OWN, RoomSettings(), ["slow"])] == ["slow"]


@pytest.mark.parametrize("given", ["", "x", "[]", '{"slow":1}', "null"])
def test_a_form_that_does_not_say_of_when(given: str) -> None:
    with pytest.raises(ChatError):
        change_of({"slow": "1", "before": given}, SettingsChange(), ALL_SETTINGS)


def test_inherited_fields_show_what_holds() -> None:
    above = RoomSettings(topic="for all", words=("x",), slow=3)
    fields = {each.field.name: each for each in shown(SettingsChange(), above, ALL_SETTINGS)}
    assert (fields["slow"].inherited, fields["slow"].own) == ("3", False)
    assert fields["topic"].can_be_empty
    assert not fields["title"].can_be_empty
