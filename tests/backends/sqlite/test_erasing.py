"""`livechat.backends.sqlite.erasing`: real files."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from livechat.backends.sqlite import erasing
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.erasing import Layout, gap
from livechat.backends.sqlite.housekeeping import ERASE_AFTER
from livechat.protocol.messages import (
    MOST_EDITS,
    Amended,
    Draft,
    Edit,
    Edited,
    Message,
    Retraction,
    Submission,
)
from tests.backends.disk import Disk, say, shown
from tests.backends.sqlite.erased import ANN, erase, is_sound
from tests.support import World, result
from tests.support.outcomes import amend, publish

ROOMS = 12


class Talk:
    """
    Random texts, edits and retractions.

    @ivar said: the texts that are to be read, by room and number.
    @ivar taken_back: the marks of texts that are not to be found any more.
    """

    def __init__(self, store: Database, seed: int) -> None:
        self.store = store
        self._random = Random(seed)
        self._marks = 0
        self._edits: dict[tuple[str, int], int] = {}
        self.said: dict[tuple[str, int], str] = {}
        self.taken_back: set[str] = set()

    def text(self) -> str:
        """A text that begins and ends with a mark which no other has, of any length."""
        self._marks += 1
        length = self._random.choice((0, 5, 40, 60, 60, 200, 1_000, 1_500, 5_000, 16_000))
        mark = f"<{self._marks:08}>"
        return mark + "x" * (length if self._random.random() < 0.4 else 30) + mark

    def group(self, messages: int, amendments: int) -> None:
        """A group of the writer."""
        group: list[Submission] = []
        named: set[tuple[str, int]] = set()
        for _ in range(amendments if self.said else 0):
            room, seq = self._random.choice([*self.said])
            if (room, seq) in named:
                continue
            named.add((room, seq))
            often = self._edits.get((room, seq), 0)
            if often < MOST_EDITS and self._random.random() < 0.5:
                self._edits[room, seq] = often + 1
                group.append(Edit(room, seq, self.text(), ANN.subject))
            else:
                group.append(Retraction(room, (seq,), ANN.subject))
        rooms = [f"r{self._random.randrange(ROOMS)}" for _ in range(messages)]
        group += [Draft(room, self.text(), ANN) for room in rooms]
        for act, stored in zip(group, self.store.write(group), strict=True):
            if isinstance(stored, Message):
                self.said[act.room, stored.seq] = stored.message
                continue
            assert isinstance(stored, Amended)
            (before,) = stored.before
            old = self.said.pop((act.room, before.seq))
            assert old == before.message
            self.taken_back.add(old[1:9])
            if isinstance(stored.event, Edited):
                self.said[act.room, before.seq] = stored.event.text

    def go_on(self, groups: int) -> None:
        for _ in range(groups):
            self.group(30, 6)
            if self._random.random() < 0.1:
                self.store.sweep()

    def check(self) -> None:
        """All that is to be read is."""
        found: dict[tuple[str, int], str] = {}
        for room in {room for room, _ in self.said}:
            after = 0
            while (page := self.store.read(room, after, 1_000)).entries:
                after = page.entries[-1].seq
                found |= {(room, each.seq): each.message for each in page.messages}
        assert found == self.said


def left(disk: Disk, marks: set[str]) -> set[str]:
    """List those of *marks* that are in any file."""
    found = set()
    for path in disk.directory.iterdir():
        found |= set(re.findall(rb"<(\d{8})>", path.read_bytes()))
    return {mark for mark in marks if mark.encode() in found}


def test_no_file_has_a_retracted_text(disk: Disk) -> None:
    """Retracted text is in no file, whatever its length and surroundings."""
    store = disk.store()
    talk = Talk(store, 3)
    talk.go_on(40)
    assert left(disk, talk.taken_back)
    erase(store)
    assert not store.unerased
    assert left(disk, talk.taken_back) == set()
    talk.check()
    talk.go_on(5)
    assert store.unerased
    erase(store)
    assert left(disk, talk.taken_back) == set()
    talk.check()
    assert is_sound(disk)


def test_gaps_are_wiped(disk: Disk) -> None:
    """Words in gaps, as SQLite leaves them when it rebuilds pages, go; all else stays."""
    talk = Talk(disk.store(), 1)
    talk.go_on(10)
    disk.close()
    data = bytearray(disk.path.read_bytes())
    layout = Layout.of(bytes(data[:100]))
    for number in range(1, len(data) // layout.size + 1):
        begin, end = gap(data, (number - 1) * layout.size, layout, number)
        data[begin:end] = (b"<99999999>" * layout.size)[: end - begin]
    disk.path.write_bytes(data)
    assert left(disk, {"99999999"})
    store = disk.store()
    erase(store)
    assert left(disk, {"99999999"}) == set()
    assert is_sound(disk)
    talk.store = store
    talk.check()


def test_writes_between_steps(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is erased in steps; what is written between them brings nothing back."""
    monkeypatch.setattr(erasing, "STEP", 40)
    store = disk.store()
    talk = Talk(store, 2)
    talk.go_on(60)
    before = set(talk.taken_back)
    steps = 0
    while store.erase():
        steps += 1
        store.tidy()
        # So much that SQLite would begin its log anew.
        talk.go_on(10 if steps == 4 else 1)
        if steps in {2, 6}:
            store.sweep()
    assert steps > 6
    assert left(disk, before) == set()
    talk.check()
    assert is_sound(disk)


def test_a_failed_round_begins_anew(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that fails is made anew from the beginning, and the log does not grow for it."""
    monkeypatch.setattr(erasing, "STEP", 10)
    store = disk.store()
    talk = Talk(store, 4)
    talk.go_on(20)
    assert store.erase()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", lambda _: os.close(-1))
        broken.setattr(erasing, "wipe", lambda *_: 1)
        with pytest.raises(OSError, match="descriptor"):
            store.erase()
    assert store.unerased
    assert not store.erasing
    talk.go_on(1)
    assert store._connection is not None
    assert store._connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] > 0
    erase(store)
    assert left(disk, talk.taken_back) == set()


def test_a_reader_in_the_way(disk: Disk) -> None:
    """While a backup is made the words stay; afterwards they go."""
    store = disk.store()
    talk = Talk(store, 3)
    talk.go_on(3)
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rooms").fetchone()
        talk.go_on(3)
        assert store.erase() is False
        assert store.unerased
        talk.go_on(1)
    erase(store)
    erase(store)
    assert not store.unerased
    assert left(disk, talk.taken_back) == set()


def test_killed_after_the_answer(disk: Disk) -> None:
    """Remains of a killed process are erased by the next one."""
    disk.store().release()
    child = os.fork()
    if not child:
        store = disk.store()
        store.write([Draft("r", "<00000001>", ANN), Draft("r", "b", ANN)])
        store.write([Retraction("r", (1,), ANN.subject)])
        os._exit(0)
    os.waitpid(child, 0)
    assert left(disk, {"00000001"})
    store = disk.store()
    assert store.unerased
    erase(store)
    assert left(disk, {"00000001"}) == set()
    assert shown(store) == [2]


def test_locks_are_kept(disk: Disk) -> None:
    """Another process that closes the file leaves the log alone, as it did before."""
    store = disk.store()
    say(store, "a")
    erase(store)
    store.erase()
    say(store, "b")
    look = f"import sqlite3; d = sqlite3.connect({str(disk.path)!r}); "
    look += "print(d.execute('SELECT count(*) FROM journal').fetchone()[0]); d.close()"
    output = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True)
    assert output.stdout.strip() == b"2"
    assert Path(f"{disk.path}-wal").stat().st_size > 0
    assert say(store, "c") == [3]
    assert shown(disk.store()) == [1, 2, 3]


def test_erased_in_time_on_a_busy_server(make_world: Callable[..., World]) -> None:
    """Soon after an edit or a retraction its words are in no file, however much is said."""
    world = make_world()
    log = world.backend.messages
    result(publish(log, Draft("r", "<00000001>", ANN)))
    world.clock.advance(ERASE_AFTER + 1)
    result(amend(log, Edit("r", 1, "<00000002>", ANN.subject)))
    disk = Disk(world.store.directory)
    for seconds in range(60):
        world.clock.advance(1)
        result(publish(log, Draft("r", f"more {seconds}", ANN)))
        if seconds == 5:
            result(amend(log, Retraction("r", (1,), ANN.subject)))
            assert left(disk, {"00000001", "00000002"})
        if not left(disk, {"00000001", "00000002"}):
            break
    assert seconds <= ERASE_AFTER + 1
    assert not world.store.unerased


def test_erased_at_the_end(make_world: Callable[..., World]) -> None:
    """A server that is stopped leaves nothing."""
    world = make_world()
    result(publish(world.backend.messages, Draft("r", "<00000001>", ANN)))
    result(amend(world.backend.messages, Retraction("r", (1,), ANN.subject)))
    result(world.backend.stop())
    assert left(Disk(world.store.directory), {"00000001"}) == set()
