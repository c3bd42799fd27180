"""`livechat.backends.sqlite.messages`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from livechat.backends import waiting as bounds
from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.housekeeping import SWEEP_EVERY
from livechat.backends.sqlite.messages import (
    GATHERING,
    GROUP,
    GROUP_CHARACTERS,
    TURNS,
    WAIT,
)
from livechat.errors import Kind
from livechat.protocol.messages import Draft
from livechat.rooms.answers import answer_of
from tests.support import Lane, RecordingSink, World, kind, result


class FailingStore:
    """A store whose disk is full while `full` is set."""

    full = False

    def __init__(self, store: Database) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, drafts: list[Draft]) -> Any:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        return self._store.write(drafts)

    def probe(self) -> None:
        self.write([])


@pytest.fixture
def full_disk(world: World) -> Any:
    """The world's store, whose disk can be filled."""
    store = FailingStore(world.store)
    world.backend.messages._database = store  # type: ignore[assignment]
    return store


def publish(world: World, text: str = "x") -> Deferred[Any]:
    return answer_of(world.backend.messages.publish, Draft("r", text))


def test_a_group_is_what_arrived_meanwhile(make_world: Callable[..., World]) -> None:
    """While one group is written the next gathers; each is one call of the writer."""
    world = make_world(held=True)
    first = publish(world, "a")
    world.turn()
    second, third = publish(world, "b"), publish(world, "c")
    world.write()
    assert result(first).seq == 1
    assert not second.called
    world.write()
    assert (result(second).seq, result(third).seq) == (2, 3)


def test_a_group_is_what_arrives_together(make_world: Callable[..., World]) -> None:
    """A group ends with the first turn that brings nothing more, and soon in any case."""
    world = make_world(held=True)
    store, groups = world.backend.messages._database, []

    class Watched(FailingStore):
        def write(self, drafts: list[Draft]) -> Any:
            groups.append([draft.message for draft in drafts])
            return super().write(drafts)

    world.backend.messages._database = Watched(store)  # type: ignore[assignment]
    publish(world, "a")
    # In the same turn, and in the one after it, which ends by itself.
    publish(world, "b")
    world.clock.callLater(0, publish, world, "c")
    world.write()
    assert groups == [["a", "b", "c"]]

    def go_on(turns: int) -> None:
        if turns:
            world.clock.callLater(0, go_on, turns - 1)
            publish(world, "x")

    go_on(2 * TURNS)
    world.write()
    assert len(groups[1]) == TURNS + 1


def test_long_turns_end_a_group(make_world: Callable[..., World]) -> None:
    """Long turns keep a group from gathering for many of them."""
    world = make_world(held=True)
    first = publish(world)
    for _ in range(3):
        world.clock.callLater(0, publish, world)
        world.clock.advance(GATHERING)
    world.writer.step()
    assert first.called


def test_groups_are_bounded(make_world: Callable[..., World]) -> None:
    """A group ends where its messages or their characters become many."""
    world = make_world(held=True)
    publish(world)
    world.turn()
    for _ in range(GROUP + 1):
        publish(world)
    long = [publish(world, "x" * (GROUP_CHARACTERS // 2)) for _ in range(4)]
    sizes = []
    while not long[-1].called:
        world.write()
        sizes.append(len(world.backend.messages._group))
    assert max(sizes) == GROUP
    assert sizes[-3:] == [3, 2, 0]


def test_the_queue_is_bounded(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full queue refuses at once; queued messages are stored."""
    monkeypatch.setattr(bounds, "MESSAGES", 6)
    monkeypatch.setattr(bounds, "CHARACTERS", 100)
    world = make_world(held=True)
    waiting = [publish(world)]
    world.turn()
    waiting += [publish(world) for _ in range(5)]
    assert kind(publish(world)) is Kind.OVERLOADED
    for _ in range(3):
        world.write()
    assert [result(each).seq for each in waiting] == [1, 2, 3, 4, 5, 6]
    publish(world)
    world.turn()
    publish(world, "x" * 98)
    assert kind(publish(world, "xx")) is Kind.OVERLOADED


def test_a_message_past_its_deadline_is_refused(make_world: Callable[..., World]) -> None:
    """A message past its deadline is refused if it was not begun, else its outcome is unknown."""
    world = make_world(held=True)
    begun = publish(world, "a")
    world.turn()
    queued = publish(world, "b")
    world.clock.advance(WAIT / 2)
    later = publish(world, "c")
    world.clock.advance(WAIT / 2)
    assert kind(begun) is Kind.UNKNOWN
    assert kind(queued) is Kind.UNAVAILABLE
    sink = RecordingSink()
    world.backend.messages._sink, world.backend.messages._record = sink, sink.record
    world.backend.messages.subscribe("r")
    world.write()
    world.write()
    world.write()
    assert result(later).seq == 2
    assert sink.texts("r") == ["a", "c"], "what was refused was written later"
    assert [entry.seq for _, entry in sink.recorded] == [1, 2]


class TroubleTest(SynchronousTestCase):
    """Writing that fails."""

    @pytest.fixture(autouse=True)
    def _given(self, world: World, full_disk: FailingStore) -> None:
        self.world, self.disk = world, full_disk

    def test_refused_and_recovered(self) -> None:
        """A full disk refuses those whom it meets; with room again, sending works again."""
        assert result(publish(self.world)).seq == 1
        self.disk.full = True
        assert kind(publish(self.world)) is Kind.UNAVAILABLE
        trouble = self.world.backend.trouble()
        assert trouble is not None
        assert "disk is full" in trouble
        self.disk.full = False
        assert result(publish(self.world)).seq == 2
        assert self.world.backend.trouble() is None

    def test_reading_goes_on_while_nothing_can_be_stored(self) -> None:
        """While nothing can be stored, what was stored can be read."""
        publish(self.world)
        self.disk.full = True
        assert kind(publish(self.world)) is Kind.UNAVAILABLE
        assert len(result(self.world.backend.messages.read("r", 0, 9)).messages) == 1


class UnreadableTest(SynchronousTestCase):
    """Reading that fails."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.world = World(tmp_path / "state")

    def test_an_unreadable_file_is_told_to_its_reader(self) -> None:
        """A file that cannot be read is the reader's trouble."""
        world = self.world
        world.store.close()
        world.store._path.write_bytes(b"no database")
        assert kind(world.backend.messages.read("r", 0, 9)) is Kind.UNAVAILABLE
        world.backend.messages._database = FailingStore(world.store)  # type: ignore[assignment]
        world.close()


class BugTest(SynchronousTestCase):
    """Faults that are not the disk's."""

    @pytest.fixture(autouse=True)
    def _given(self, world: World) -> None:
        self.world = world

    def test_a_sink_that_raises(self) -> None:
        """A group that cannot be handed on is answered, logged, and stops nothing."""

        class Broken(RecordingSink):
            def deliver(self, *args: Any) -> None:
                raise ZeroDivisionError

        self.world.backend.messages._sink = Broken()
        self.world.backend.messages.subscribe("r")
        assert kind(publish(self.world)) is Kind.UNKNOWN
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
        self.world.backend.messages.unsubscribe("r")
        assert result(publish(self.world)).seq == 2

    def test_a_writer_that_raises(self) -> None:
        """A bug in writing is logged as one, is no trouble of the disk, and is answered."""

        class Buggy(FailingStore):
            def write(self, drafts: list[Draft]) -> Any:
                raise ZeroDivisionError

        store = self.world.backend.messages._database
        self.world.backend.messages._database = Buggy(store)  # type: ignore[assignment]
        assert kind(publish(self.world)) is Kind.UNKNOWN
        assert self.world.backend.trouble() is None
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
        self.world.backend.messages._database = store
        assert result(publish(self.world)).seq == 1

    def test_a_failed_sweep_is_told(self) -> None:
        """A sweep that fails says so, and the next one is made all the same."""
        swept: list[type[Exception]] = [ZeroDivisionError, sqlite3.OperationalError]

        class Failing(FailingStore):
            def sweep(self, *, first: bool) -> None:
                raise swept.pop()("no")

        keeping: Any = self.world.backend._housekeeping
        keeping._database = Failing(self.world.store)
        self.world.clock.advance(SWEEP_EVERY)
        assert self.world.backend.trouble() == "messages cannot be stored: no"
        self.world.clock.advance(SWEEP_EVERY)
        assert swept == []
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1


def test_each_sender_is_answered_in_time(make_world: Callable[..., World]) -> None:
    """Everybody who waits is answered when his own time is up."""
    world = make_world(held=True)
    first = publish(world)
    world.clock.advance(WAIT - 1)
    second, third = publish(world), publish(world)
    world.clock.advance(1)
    assert kind(first) is Kind.UNKNOWN
    assert not second.called
    world.clock.advance(WAIT - 1)
    assert kind(second) is kind(third) is Kind.UNAVAILABLE


def test_stopping_with_a_hung_disk(make_world: Callable[..., World]) -> None:
    """Stopping does not wait for ever; who waits is told."""
    world = make_world(held=True)
    begun = publish(world, "a")
    world.turn()
    queued = publish(world, "b")
    stopped = world.backend.stop()
    world.clock.advance(WAIT)
    world.clock.advance(1)
    assert stopped.called
    assert kind(begun) is Kind.UNKNOWN
    assert kind(queued) is Kind.UNAVAILABLE
    assert world.clock.getDelayedCalls() == []


def test_expired_messages_leave_the_file(make_world: Callable[..., World]) -> None:
    """Expired messages are removed while nobody sends."""
    world = make_world(retention=Retention(0, 60))
    for _ in range(1_200):
        publish(world)
    world.clock.advance(3_600)
    database = sqlite3.connect(world.store._path)
    assert database.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    assert database.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    database.close()


def test_the_log_is_taken_when_nothing_waits(world: World) -> None:
    """Lone messages do not make it grow; a reader, an erasure or a bug is no harm."""
    log = Path(f"{world.store._path}-wal")
    for _ in range(40):
        result(publish(world))
    size = log.stat().st_size
    for _ in range(400):
        result(publish(world))
    assert log.stat().st_size <= 2 * size
    messages: Any = world.backend.messages
    for error, logged in ((sqlite3.OperationalError("busy"), 0), (ZeroDivisionError("bug"), 1)):

        class Failing(FailingStore):
            log_due = True

            def take_log(self, error: Exception = error) -> None:
                raise error

        messages._database = Failing(world.store)
        with capturedLogs() as events:
            assert result(publish(world)).seq
        assert len(events) == logged
    assert world.backend.trouble() is None


def test_the_log_is_not_taken_in_an_erasure(world: World) -> None:
    """The log waits for a running erasure, which goes by it."""
    for _ in range(40):
        world.store.write([Draft("r", "x")])
    assert world.store.log_due
    before = Path(world.store._path).read_bytes()
    world.store._eraser.begin()
    assert not world.store.log_due
    world.store.take_log()
    assert Path(world.store._path).read_bytes() == before
    world.store._eraser.give_up()


def test_readers_of_one_page_share_a_read(make_world: Callable[..., World]) -> None:
    """Readers of the same page wait for one read, unless it has begun."""
    world = make_world()
    log = world.backend.messages
    result(publish(world, "a"))
    log._readers = lane = Lane(held=True)
    first, second, other = log.read("r", 0, 10), log.read("r", 0, 10), log.read("r", 1, 10)
    assert len(lane._waiting) == 2
    lane.work()
    late = log.read("r", 0, 10)
    assert len(lane._waiting) == 1
    lane.tell()
    page = result(first)
    assert page is result(second)
    assert [each.message for each in page.messages] == ["a"]
    assert result(other).messages == ()
    assert not late.called
    result(publish(world, "b"))
    lane.work()
    lane.tell()
    assert [each.message for each in result(late).messages] == ["a", "b"]
    assert log._reads == {}


def test_a_shared_read_that_fails(make_world: Callable[..., World]) -> None:
    """Every reader of a page is told that it cannot be read."""
    world = make_world()
    log = world.backend.messages
    log._readers = lane = Lane(held=True)
    pages = [log.read("r", 0, 10) for _ in range(3)]
    world.clock.advance(WAIT)
    assert [kind(page) for page in pages] == [Kind.UNAVAILABLE] * 3
    again = log.read("r", 0, 10)
    lane.work()
    lane.tell()
    assert result(again).messages == ()
