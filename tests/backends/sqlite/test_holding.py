"""`livechat.backends.sqlite.holding`."""

from __future__ import annotations

import pytest

from livechat.backends import outbox
from livechat.backends.sqlite import journal
from livechat.backends.sqlite.holding import Holding, _level
from livechat.protocol.names import AUDIT_ROOM
from tests.backends.disk import Disk, say, shown
from tests.backends.sqlite.receivers import advance, keep, sweep, waits


@pytest.mark.parametrize(
    ("sizes", "most", "level"),
    [
        ([5], 10, 5),
        ([20], 10, 10),
        ([1, 2, 30], 13, 10),
        ([10, 10, 10], 29, 9),
        ([1, 40, 50], 61, 30),
        ([5, 5], 1, 0),
    ],
)
def test_small_holders_keep_what_they_have(sizes: list[int], most: int, level: int) -> None:
    """Small holders keep what they have; the others share the rest."""
    assert _level(sizes, most) == level
    assert sum(min(size, level) for size in sizes) <= most


def test_long_entries_are_held_in_smaller_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long entries are held in smaller numbers, short ones up to the bound."""
    monkeypatch.setattr(outbox, "MOST", 1_000)
    monkeypatch.setattr(outbox, "MOST_BYTES", 1_000_000)
    holding = Holding(lambda *_: {})
    for _ in range(10):
        holding.measure(10, 100_000)
    assert 90 < holding.most < 200
    for _ in range(100):
        holding.measure(1_000, 100_000)
    assert holding.most == 1_000


def test_a_flood_of_long_entries_is_bounded(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of long messages that nobody takes stays within some bytes."""
    monkeypatch.setattr(outbox, "MOST_BYTES", 200_000)
    monkeypatch.setattr(journal, "ENTRIES", 5)
    store = disk.store(messages=1)
    keep(store, "a")
    for _ in range(300):
        say(store, "x" * 5_000)
    sweep(store)
    assert 20 < len(disk.rows()) < 60
    assert disk.rows()[-1] == 300


def test_what_is_held_is_in_no_history(disk: Disk) -> None:
    """Neither a larger limit nor a longer age shows it, and it goes when it was told."""
    store = disk.store(messages=2, seconds=100)
    keep(store, "a")
    say(store, *"abcd")
    sweep(store)
    disk.now += 101
    sweep(store)
    store = disk.store(messages=4, seconds=1_000)
    assert shown(store) == []
    assert waits(store) == [1, 2, 3, 4]
    say(store, "e")
    sweep(store)
    assert shown(store) == [5]
    advance(store, {"r": 3})
    sweep(store)
    assert disk.rows() == [4, 5]
    advance(store, {"r": 5})
    sweep(store)
    assert disk.rows() == [5]


def test_much_that_is_too_old(disk: Disk) -> None:
    """More entries than one step looks at are hidden for good, and held."""
    store = disk.store(seconds=100)
    keep(store, "a")
    for _ in range(3):
        say(store, *["x"] * 500)
    disk.now += 101
    sweep(store)
    say(store, "new")
    store = disk.store(seconds=10_000)
    assert shown(store) == [1_501]
    assert len(waits(store)) == 1_501


def test_a_wrong_clock_hides_nothing_for_good(disk: Disk) -> None:
    """A clock that is not trusted hides nothing for good."""
    store = disk.store(seconds=100)
    keep(store, "a")
    say(store, *"abc")
    disk.ahead = 40 * 86_400
    store.clock.compare()
    sweep(store)
    disk.ahead = 0
    store.clock.compare()
    assert shown(store) == [1, 2, 3]


def test_nothing_of_the_audit_is_held(disk: Disk) -> None:
    """Nothing of the audit is held, or marked."""
    store = disk.store()
    keep(store, "a")
    say(store, "a", room=AUDIT_ROOM)
    store.sweep()
    assert store.held.waiting("a", "", 9) == []
