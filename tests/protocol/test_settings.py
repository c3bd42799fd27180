"""`livechat.protocol.settings`."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from livechat.protocol.settings import (
    ALL_SETTINGS,
    LONGEST_WORD,
    MODERATED,
    MOST_WORDS,
    SLOWEST,
    AskedChange,
    RoomSettings,
    SettingsChange,
)


@pytest.mark.parametrize(
    "asked",
    [
        {"title": "x" * 101}, {"title": 7}, {"topic": "x" * 201}, {"pinned": 0}, {"pinned": -1},
        {"closed": "yes"}, {"closed": 1}, {"guests": "some"}, {"slow": -1}, {"slow": SLOWEST + 1},
        {"slow": 1.5}, {"rate": 1_001}, {"hold": True}, {"links": "no"}, {"words": "bad"},
        {"words": [""]}, {"words": ["x" * (LONGEST_WORD + 1)]}, {"words": ["x"] * (MOST_WORDS + 1)},
        {"edit": -1}, {"history_limit": -1}, {"history_age": 10**12}, {"fast": 1}, [], "x", None,
    ],
)  # fmt: skip
def test_bad_settings_are_refused(asked: Any) -> None:
    """Invalid values and unknown settings are refused."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(asked), type=AskedChange)


def test_all_settings_can_be_changed() -> None:
    """All settings can be changed, and those for moderators are among them."""
    assert SettingsChange.__struct_fields__ == RoomSettings.__struct_fields__ == ALL_SETTINGS
    assert set(ALL_SETTINGS) > MODERATED


def test_a_change_replaces_or_inherits() -> None:
    """A change replaces what it gives, and lets be inherited again what it gives as null."""
    first = SettingsChange(slow=10, topic="ships")
    second = msgspec.json.decode(b'{"topic":null,"closed":true}', type=AskedChange)
    assert first.changed_by(second) == SettingsChange(slow=10, closed=True)
    assert first.over(RoomSettings(title="x")) == RoomSettings("x", "ships", slow=10)
    assert SettingsChange().over(RoomSettings(slow=3)) == RoomSettings(slow=3)


def test_settings_of_other_versions_are_read() -> None:
    """Settings stored by a later livechat are read as far as they are known here."""
    stored = b'{"slow":3,"gravity":9.81}'
    assert msgspec.json.decode(stored, type=SettingsChange) == SettingsChange(slow=3)


def test_refused_words_are_not_shown() -> None:
    """The words that a room refuses are not shown."""
    assert RoomSettings(slow=3, words=("bad",)).shown() == RoomSettings(slow=3)
