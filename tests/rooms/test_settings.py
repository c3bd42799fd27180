"""`livechat.rooms.settings`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from livechat.backends.alone import LoneMaps
from livechat.errors import Kind
from livechat.protocol.settings import RoomSettings, SettingsChange
from livechat.rooms.settings import SettingsRegistry
from livechat.system.time import Time
from tests.support import kind, run

USUAL = RoomSettings(guests="read")


def made(most: int = 100, **stored: Any) -> tuple[Any, SettingsRegistry]:
    """A map with these settings, and a registry on it."""
    shared = LoneMaps(Time(Clock()).wall).get("rooms", most=most, largest=10_000)
    for pattern, settings in stored.items():
        shared.put(pattern.replace("_", "*"), msgspec.json.encode(settings))
    return shared, SettingsRegistry(shared, USUAL)


def test_settings_are_layered() -> None:
    """All rooms, then the longest beginning, then the room; each over the one before."""
    _, registry = made(
        _={"slow": 1, "topic": "all"},
        a_={"slow": 2, "title": "a"},
        ab_={"slow": 3},
        ab={"topic": "ab"},
    )
    assert registry.of("x") == RoomSettings(guests="read", slow=1, topic="all")
    assert registry.of("ax") == RoomSettings("a", "all", guests="read", slow=2)
    # Among prefixes only the longest counts.
    assert registry.of("abx") == RoomSettings("", "all", guests="read", slow=3)
    assert registry.of("ab") == RoomSettings("", "ab", guests="read", slow=3)
    assert registry.of("!audit") == USUAL


def test_inherited_settings_hold_below() -> None:
    """Inherited settings are those that would hold without the room's or pattern's own."""
    _, registry = made(
        _={"slow": 1}, a_={"slow": 2, "title": "a"}, ab_={"topic": "x"}, ab={"slow": 4}
    )
    assert registry.inherited("ab") == RoomSettings("", "x", guests="read", slow=1)
    assert registry.inherited("ax") == RoomSettings("a", guests="read", slow=2)
    assert registry.inherited("ab*") == RoomSettings(guests="read", slow=1)
    assert registry.inherited("*") == USUAL
    assert registry.of("ab").slow == 4


def test_only_named_rooms() -> None:
    """A closed server has the rooms that are opened."""
    _, registry = made(_={"closed": True}, lobby={"closed": False})
    assert registry.of("other").closed
    assert not registry.of("lobby").closed


def test_a_change_is_in_force_at_once() -> None:
    """A change is in force at once, kept without what is inherited, and dropped when empty."""
    shared, registry = made()
    told: list[Collection[str]] = []
    registry.watch(told.append)
    run(registry.change("r", SettingsChange(slow=3, topic="x")))
    assert registry.of("r") == RoomSettings(topic="x", guests="read", slow=3)
    run(registry.change("r", SettingsChange(slow=None)))
    assert shared.get("r") == b'{"topic":"x"}'
    run(registry.change("r", SettingsChange(topic="x")))
    run(registry.change("r", SettingsChange(topic=None)))
    assert (shared.items(), registry.of("r"), registry.changed()) == ([], USUAL, {})
    run(registry.change("r", SettingsChange(topic=None)))
    assert told == [["r"]] * 3


def test_changed_by_others_meanwhile() -> None:
    """Two changes at a time both hold."""
    shared, registry = made()
    put = shared.put

    def interrupted(*args: Any, **options: Any) -> Any:
        shared.put = put
        put("r", b'{"topic":"theirs"}')
        return put(*args, **options)

    shared.put = interrupted
    run(registry.change("r", SettingsChange(slow=3)))
    assert registry.of("r") == RoomSettings(topic="theirs", guests="read", slow=3)


def test_others_change_without_end() -> None:
    """A change that never gets its turn fails as unavailable."""
    shared, registry = made()
    shared.put = lambda *_, **__: Deferred.fromCoroutine(no())

    async def no() -> bool:
        return False

    change = registry.change("r", SettingsChange(slow=3))
    assert kind(Deferred.fromCoroutine(change)) is Kind.UNAVAILABLE


def test_rooms_with_settings_are_bounded() -> None:
    """No more rooms have settings of their own than there may be; nothing is dropped."""
    _, registry = made(most=2)
    for room in ("a", "b"):
        run(registry.change(room, SettingsChange(slow=3)))
    refused = registry.change("c", SettingsChange(slow=3))
    assert kind(Deferred.fromCoroutine(refused)) is Kind.OVERLOADED
    run(registry.change("a", SettingsChange(slow=4)))
    assert [registry.of(room).slow for room in "abc"] == [4, 3, 0]


def test_the_writer_asks_for_retention() -> None:
    """The writer's thread asks what a room keeps; nothing is remembered for it."""
    shared, registry = made()
    assert registry.retained("r") == (0, 0)
    shared.put("r", b'{"history_limit":5,"history_age":60}')
    assert registry.retained("r") == (5, 60)
    assert not registry._known


class UnreadableTest(SynchronousTestCase):
    """Map values of a later livechat, or of none."""

    def test_an_unreadable_setting_does_not_count(self) -> None:
        """An unreadable value is logged and does not count."""
        shared, registry = made(r={"slow": "fast"})
        assert registry.of("r") == USUAL
        shared.put("r", b'{"slow":3}')
        assert registry.of("r").slow == 3


def test_settings_are_found_without_a_scan() -> None:
    """A room's settings are found without a scan of all others."""
    shared, registry = made(most=10_000)
    for number in range(10_000):
        shared.put(f"room-{number}*", b'{"slow":3}')
    shared.items = None
    assert [registry.of(f"room-{number}-x").slow for number in (77, 9_999)] == [3, 3]
