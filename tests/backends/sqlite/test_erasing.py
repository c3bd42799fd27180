"""`livechat.backends.sqlite.erasing`: real files."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from msgspec import Raw

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
    User,
)
from tests.backends.disk import Disk, say, shown
from tests.support import World, result
from tests.support.outcomes import amend, publish

ANN = User("1", "Ann")
#: A page of the file, and the first page of a file with such pages.
PAGE = 4_096
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


def erase(store: Database) -> None:
    while store.erase():
        pass


def is_sound(disk: Disk) -> bool:
    with closing(sqlite3.connect(disk.path)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def test_nothing_is_left(disk: Disk) -> None:
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


def test_steps_that_fail(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
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


def header(kind: int, cells: int, content: int) -> bytes:
    return bytes((kind, 0, 0)) + cells.to_bytes(2, "big") + content.to_bytes(2, "big") + b"\0"


LAYOUT = Layout(PAGE, PAGE, 820)


@pytest.mark.parametrize(
    ("number", "head", "expected"),
    [
        (3, header(13, 2, 4_000), (12, 4_000)),
        (3, header(10, 0, 4_096), (8, 4_096)),
        (3, header(5, 1, 4_000), (14, 4_000)),
        (3, header(2, 0, 12), (12, 12)),
        (1, b"\0" * 100 + header(13, 2, 4_000), (112, 4_000)),
        # Overflow, free, no page at all, rows that overlap their pointers, none of our sizes.
        (3, header(0, 2, 4_000), (0, 0)),
        (3, header(1, 2, 4_000), (0, 0)),
        (3, header(13, 3_000, 4_000), (0, 0)),
        (3, header(13, 1, 0), (0, 0)),
        # Maps of pages begin with anything.
        (2, header(5, 1, 4_000), (0, 0)),
        (822, header(2, 1, 4_000), (0, 0)),
        (262_145, header(2, 1, 4_000), (0, 0)),
        (262_146, header(2, 1, 4_000), (0, 0)),
    ],
)
def test_gaps(number: int, head: bytes, expected: tuple[int, int]) -> None:
    """A gap is where the page's own header says; where in doubt there is none."""
    assert gap(head.ljust(PAGE, b"\0"), 0, LAYOUT, number) == expected
    behind = gap(bytes(PAGE) + head.ljust(PAGE, b"\0"), PAGE, LAYOUT, number)
    assert behind == (expected[0] + PAGE, expected[1] + PAGE)


def test_layout() -> None:
    """Sizes are read as the format has them; files without maps have none."""
    head = bytearray(100)
    head[16:18] = (1).to_bytes(2, "big")
    assert Layout.of(bytes(head)) == (65_536, 65_536, 0)
    head[16:18], head[20], head[55] = (4_096).to_bytes(2, "big"), 16, 1
    assert Layout.of(bytes(head)) == (4_096, 4_080, 817)


def words(number: int, count: int) -> str:
    """A text without a letter that JSON leaves as it is: of words that no other text has."""
    digits = str.maketrans("0123456789", "äöüßéèñçøå")
    return "".join(f'\n{number:03}{word:03}"'.translate(digits) for word in range(count))


def forms(text: str) -> set[bytes]:
    """The words of *text* in UTF-8, in JSON, in JSON of ASCII, and in JSON in JSON."""
    found: set[bytes] = set()
    for word in (text[at : at + 8] for at in range(0, len(text), 8)):
        for ascii_only in (False, True):
            once = json.dumps(word, ensure_ascii=ascii_only)[1:-1]
            twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
            found |= {word.encode(), once.encode(), twice.encode()}
    return found


def pages(disk: Disk) -> Iterator[bytes]:
    """Every page of the database and of its log."""
    data = disk.path.read_bytes()
    yield from (data[at : at + PAGE] for at in range(0, len(data), PAGE))
    log = Path(f"{disk.path}-wal").read_bytes()
    yield from (log[at + 24 : at + 24 + PAGE] for at in range(32, len(log), 24 + PAGE))


def found_in(disk: Disk, texts: list[str]) -> list[str]:
    """The *texts* of which a word is in a page."""
    every = {text: forms(text) for text in texts}
    return [
        text
        for text, words in every.items()
        if any(word in page for page in pages(disk) for word in words)
    ]


@pytest.mark.parametrize("length", [1, 300])
@pytest.mark.parametrize("moved", ["before", "between", "after", "never"])
def test_no_page_has_the_words(disk: Disk, length: int, moved: str) -> None:
    """Wherever a message was when it was taken back, it is in no form in any page afterwards."""
    store = disk.store()
    said, edited, data, kept = (words(number, length) for number in range(4))
    store.write([Draft("r", said, ANN), Draft("r", said, ANN), Draft("r", kept, ANN)])
    if moved == "before":
        store.sweep()
    raw = Raw(json.dumps({"a": data}, ensure_ascii=False).encode())
    store.write([Edit("r", 1, edited, ANN.subject, data=raw)])
    assert found_in(disk, [said, edited, data, kept]) == [said, edited, data, kept]
    if moved == "between":
        store.sweep()
    store.write([Retraction("r", (1, 2), ANN.subject)])
    if moved == "after":
        store.sweep()
    erase(store)
    assert found_in(disk, [said, edited, data, kept]) == [kept]
    assert [each.message for each in store.read("r", 0, 9).messages] == [kept]
    assert is_sound(disk)


def test_no_page_has_what_has_expired(disk: Disk) -> None:
    """A message that was in the journal until it was too old is in no page either."""
    store = disk.store(seconds=60)
    said = words(1, 200)
    store.write([Draft("r", said, ANN)])
    assert found_in(disk, [said]) == [said]
    disk.now += 61
    store.sweep()
    while store.untidy:
        store.tidy()
    assert found_in(disk, [said]) == []
