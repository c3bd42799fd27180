"""`livechat.backends.sqlite.housekeeping`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from livechat.backends.retention import Retention
from livechat.backends.sqlite import backend as sqlite
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.housekeeping import (
    ERASE_AFTER,
    LOOK_EVERY,
    SWEEP_EVERY,
    TIDY_WITHIN,
)
from livechat.protocol.messages import Draft
from livechat.protocol.settings import SettingsChange
from livechat.system.wallclock import DAY, HOLD
from tests.support import World, result
from tests.support.outcomes import publish

TEXT = b"what was said and has expired"
EXPIRING = Retention(0, 60)


def said(world: World) -> bool:
    """Return True if the expired text is still in any file."""
    files = world.store.directory.iterdir()
    return any(TEXT in path.read_bytes() for path in files)


def say(world: World, much: int = 200) -> None:
    for _ in range(much):
        result(publish(world.backend.messages, Draft("r", TEXT.decode() * 3)))


def log(world: World) -> Path:
    return Path(f"{world.store._path}-wal")


def test_expired_texts_are_soon_in_no_file(make_world: Callable[..., World]) -> None:
    """A minute after they have expired, and a quiet second, they are in no file."""
    world = make_world(retention=EXPIRING)
    say(world)
    assert said(world)
    world.clock.advance(61)
    world.clock.advance(SWEEP_EVERY)
    for _ in range(5):
        world.clock.advance(LOOK_EVERY)
    assert log(world).stat().st_size == 0
    assert not said(world)


def test_housekeeping_is_done_without_a_quiet_second(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Housekeeping is done in time even if it is never quiet."""
    world = make_world(retention=EXPIRING)
    monkeypatch.setattr(world.backend._housekeeping, "_quiet", lambda: False)
    say(world)
    world.clock.advance(61)
    world.clock.advance(SWEEP_EVERY)
    for _ in range(round(TIDY_WITHIN / LOOK_EVERY)):
        assert world.store.untidy
        world.clock.advance(LOOK_EVERY)
    for _ in range(5):
        world.clock.advance(LOOK_EVERY)
    assert not world.store.untidy


def test_a_file_that_cannot_be_tidied_is_tried_again(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be tidied is said, and tried again by a later sweep."""
    world = make_world(retention=EXPIRING)
    tidy = world.store.tidy
    monkeypatch.setattr(world.store, "tidy", lambda: world.store.write(None))  # type: ignore[arg-type]
    say(world)
    world.clock.advance(61)
    with capturedLogs() as events:
        world.clock.advance(SWEEP_EVERY)
        world.clock.advance(LOOK_EVERY)
    assert any("cannot be tidied" in event["log_format"] for event in events)
    monkeypatch.setattr(world.store, "tidy", tidy)
    say(world, 1)
    world.clock.advance(61)
    world.clock.advance(SWEEP_EVERY)
    for _ in range(5):
        world.clock.advance(LOOK_EVERY)
    assert not said(world)


def test_a_file_that_cannot_be_erased_is_tried_again(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be erased is said each time, and tried again; a bug is no end of it."""
    world = make_world()
    erase = world.store.erase
    failures: list[Exception] = [sqlite3.OperationalError("disk is full"), ZeroDivisionError()]

    def fail() -> bool:
        raise failures.pop(0)

    monkeypatch.setattr(world.store, "erase", fail)
    with capturedLogs() as events:
        while failures:
            world.clock.advance(LOOK_EVERY)
    logged = [event["log_format"] for event in events if "erased" in event["log_format"]]
    assert len(logged) == 2
    monkeypatch.setattr(world.store, "erase", erase)
    assert world.store.unerased
    for _ in range(round(ERASE_AFTER / LOOK_EVERY) + 2):
        world.clock.advance(LOOK_EVERY)
    assert not world.store.unerased


def test_erasing_waits_for_a_reader(make_world: Callable[..., World]) -> None:
    """While a backup is made it is tried again at each look, and done when that has ended."""
    world = make_world()
    with closing(sqlite3.connect(world.store._path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rooms").fetchone()
        say(world, 1)
        for _ in range(round(ERASE_AFTER / LOOK_EVERY) + 5):
            world.clock.advance(LOOK_EVERY)
        assert world.store.unerased
        say(world, 1)
    world.clock.advance(LOOK_EVERY)
    assert not world.store.unerased


def test_a_clock_that_jumps_removes_nothing(make_world: Callable[..., World]) -> None:
    """A clock that jumps is one line in the log, and removes nothing."""
    world = make_world(retention=Retention(0, int(30 * DAY)))
    say(world, 3)
    world.wall += 40 * DAY
    with capturedLogs() as events:
        for _ in range(round(3 * HOLD)):
            world.clock.advance(1)
    lines = [event["line"] for event in events if "line" in event]
    assert len(lines) == 1
    assert "40 days" in lines[0]
    assert result(world.backend.messages.read("r", 0, 9)).messages == ()
    world.wall -= 40 * DAY
    world.clock.advance(1)
    assert len(result(world.backend.messages.read("r", 0, 9)).messages) == 3


def test_a_clock_that_is_wrong_at_the_start(make_world: Callable[..., World]) -> None:
    world = make_world(retention=Retention(0, int(30 * DAY)))
    say(world, 3)
    result(world.backend.stop())
    world.wall += 40 * DAY
    again = Database(
        world.store.directory, Retention(0, int(30 * DAY)), lambda: world.wall, world.clock.seconds
    )
    again.prepare()
    world.store = again
    with capturedLogs() as events:
        world.backend = sqlite.SqliteBackend(world.store, world.clock, world.writer, world.readers)
        world.backend.start(world.hub, lambda: world.chat.directory.report("x", 0, 0))
    assert ["40 days" in event["line"] for event in events if "line" in event] == [True]


def kept(world: World) -> int:
    """The number of messages in the file's rooms."""
    with closing(sqlite3.connect(world.store.directory / "livechat.sqlite3")) as db:
        return int(db.execute("SELECT count(*) FROM messages").fetchone()[0])


def test_a_room_that_is_to_keep_less(make_world: Callable[..., World]) -> None:
    """A room's new limit applies at the next look, without any message."""
    world = make_world()
    say(world, 10)
    world.clock.advance(SWEEP_EVERY)
    world.clock.advance(LOOK_EVERY)
    assert kept(world) == 10
    settings = world.chat.settings
    result(Deferred.fromCoroutine(settings.change("r", SettingsChange(history_limit=3))))
    world.clock.advance(LOOK_EVERY)
    assert kept(world) == 3
    assert not world.store.walking


def test_a_failed_walk_goes_on_after_the_next_sweep(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed walk is logged, goes on after the next sweep, and is not tried each second."""
    world = make_world(retention=Retention(3))
    walk, walks = world.store.walk, []

    def failing(error: Exception) -> None:
        walks.append(error)
        raise error

    say(world, 10)
    world.backend.messages.retain(lambda _: (0, 0))
    for error in (ZeroDivisionError("bug"), sqlite3.OperationalError("disk")):
        monkeypatch.setattr(world.store, "walk", partial(failing, error))
        with capturedLogs() as events:
            for _ in range(5):
                world.clock.advance(LOOK_EVERY)
        assert walks == [error]
        assert str(error) in str(events[0])
        walks.clear()
        world.clock.advance(SWEEP_EVERY)
    monkeypatch.setattr(world.store, "walk", walk)
    world.clock.advance(SWEEP_EVERY)
    world.clock.advance(LOOK_EVERY)
    assert not world.store.walking
