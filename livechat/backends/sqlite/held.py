"""
Entries that wait for receivers outside, as the embedded backend's file has them.

`OutboxReader` runs in threads that read; `OutboxWriter` in the one that writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Final

from livechat.backends import outbox
from livechat.backends.records import RecordKind, extra_of_text
from livechat.backends.sqlite.amending import EMPTY
from livechat.backends.sqlite.cursors import Cursors, Transaction, mark
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.reading import PAGE_CHARACTERS, Reader, View
from livechat.backends.sqlite.rooms import Room
from livechat.interfaces import Waiting
from livechat.protocol.messages import Page, user_of_text
from livechat.protocol.names import EVENTS_ROOM

#: Rooms in a step of a rewind, and entries in a step of `OutboxWriter.erase`.
REWIND_STEP: Final = 1_000
ERASE_STEP: Final = 5_000

_MARKED: Final = """
SELECT name, coalesce(told, 0) AS told, top, (
    SELECT time FROM messages WHERE messages.room = rooms.id AND seq > coalesce(told, 0)
    ORDER BY seq LIMIT 1
), coalesce(epoch, '')
FROM rooms LEFT JOIN cursors ON receiver = ? AND cursors.room = rooms.id
WHERE waits AND name > ? AND top > coalesce(told, 0) ORDER BY name LIMIT ?
"""
_TOLD_OF: Final = """
SELECT room, told, coalesce(epoch, '') FROM cursors
WHERE receiver = ? AND room IN (SELECT value FROM json_each(?))
"""
_REWOUND: Final = """
SELECT id, name, top, event, floor, time, bottom, coalesce(told, 0) FROM rooms
LEFT JOIN cursors ON receiver = ? AND cursors.room = rooms.id
WHERE id > ? ORDER BY id LIMIT ?
"""
_REWIND: Final = """
INSERT INTO cursors (receiver, room, told)
SELECT ?, value ->> 0, value ->> 1 FROM json_each(?) WHERE true
ON CONFLICT (receiver, room) DO UPDATE SET told = excluded.told
"""
_HELD: Final = """
SELECT seq, time, user, kind, extra FROM messages
WHERE room = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?
"""


class OutboxReader:
    """Finds what waits."""

    def __init__(self, reader: Reader, journal: Journal, cursors: Cursors) -> None:
        self._reader = reader
        self._journal = journal
        self._cursors = cursors

    def waiting(self, receiver: str, after: str, limit: int) -> Sequence[Waiting]:
        """
        Implement `livechat.interfaces.IOutbox.waiting`.

        @raise livechat.errors.ChatError: there is no such receiver.
        @raise sqlite3.Error: the file cannot be read.
        """
        number = self._cursors.id_of(receiver)
        # Copied first, as a later move of the journal marks its rooms in the file.
        rooms = self._journal.rooms.copy()
        names = nsmallest(limit, (name for name in rooms if name > after and outbox.is_told(name)))
        recent = {name: rooms[name] for name in names}
        with self._reader.reading() as db:
            marked = db.execute(_MARKED, (number, after, limit)).fetchall()
            found = {row[0]: self._found(*row) for row in marked}
            ids = json.dumps([room.id for room in recent.values()])
            told = {
                room: (seq, before)
                for room, seq, before in db.execute(_TOLD_OF, (number, ids)).fetchall()
            }
        for name, room in recent.items():
            seq, before = told.get(room.id, (0, ""))
            if seq >= room.top:
                continue
            if name in found:
                top = max(room.top, found[name].top)
                found[name] = self._found(name, seq, top, found[name].since, before)
            else:
                row = room.find(seq + 1)
                since = None if row is None else row.time
                found[name] = self._found(name, seq, room.top, since, before)
        return [found[name] for name in nsmallest(limit, found)]

    def _found(self, room: str, told: int, top: int, since: int | None, before: str) -> Waiting:
        return Waiting(room, self._reader.epoch(room), told, top, since, before)

    def pages(self, receiver: str, limits: Mapping[str, int]) -> dict[str, Page]:
        """
        Implement `livechat.interfaces.IOutbox.pages`, with one statement that looks at all rooms.

        @raise livechat.errors.ChatError: there is no such receiver.
        @raise sqlite3.Error: the file cannot be read.
        """
        number = self._cursors.id_of(receiver)
        characters = max(PAGE_CHARACTERS, outbox.PAGES_CHARACTERS // max(1, len(limits)))
        with self._reader.reading() as db:
            views = self._reader.views(db, limits, number)
            return {
                room: self._page(views.get(room), room, limit, characters)
                for room, limit in limits.items()
            }

    def _page(self, found: tuple[View, int] | None, room: str, limit: int, characters: int) -> Page:
        if found is None:
            return self._reader.nothing(room)
        view, told = found
        oldest = max(told + 1, view.bottom)
        if told < view.room.top - outbox.MOST:
            # So much waits that only what the history shows may be kept of it.
            shown = self._reader.oldest(view, room)
            oldest = max(oldest, outbox.first_held(shown, told, view.room.top, outbox.MOST))
        return self._reader.page_from(view, room, oldest, limit, most=characters)


class OutboxWriter:
    """Has entries sent again, or empties them."""

    def __init__(
        self,
        transaction: Transaction,
        journal: Journal,
        cursors: Cursors,
        reader: Reader,
        move: Callable[[], None],
    ) -> None:
        """@param move: moves the journal to the file."""
        self._transaction = transaction
        self._journal = journal
        self._cursors = cursors
        self._reader = reader
        self._move = move

    def rewind(self, receiver: str, since: int, start: int) -> tuple[int, int | None]:
        """
        Do a step of `livechat.interfaces.IOutbox.rewind`, from behind the room with id *start*;
        return the number of rooms that were rewound, and where to go on; None at the end.

        @raise livechat.errors.ChatError: there is no such receiver.
        """
        number = self._cursors.id_of(receiver)
        with self._transaction() as db:
            rows = db.execute(_REWOUND, (number, start, REWIND_STEP)).fetchall()
            rewound: list[tuple[int, int]] = []
            for ident, name, top, event, floor, time, bottom, told in rows:
                filed = Room(ident, top, event, floor, top, time, [])
                room = self._journal.find(name) or filed
                if room.time < since or not outbox.is_told(name):
                    continue
                first = View(db, room, bottom).first_since(bottom, since)
                if first <= told:
                    rewound.append((ident, first - 1))
            if rewound:
                db.execute(_REWIND, (number, json.dumps(rewound)))
                mark(db, [room for room, _ in rewound])
        return len(rewound), rows[-1][0] if len(rows) == REWIND_STEP else None

    def erase(self, room: str, subject: str | None, since: int, start: int) -> tuple[int, int]:
        """
        Do a step of `livechat.interfaces.IOutbox.erase`, from number *start* on; return the number
        of messages that were emptied, and where to go on; 0 at the end.
        """
        # All held entries are in `messages` afterwards.
        self._move()
        with self._transaction() as db:
            view = self._reader.view(db, room)
            if view is None:
                return 0, 0
            end = view.room.top + 1 if room == EVENTS_ROOM else self._reader.oldest(view, room)
            first = max(start, view.bottom)
            rows = db.execute(_HELD, (view.room.id, first, end, ERASE_STEP)).fetchall()
            count, empty = _erased(rows, subject, since, view.bottom)
            if empty:
                db.execute(EMPTY, (json.dumps([(view.room.id, seq) for seq in empty]),))
        return count, rows[-1][0] + 1 if len(rows) == ERASE_STEP else 0


def _erased(
    rows: Iterable[tuple[int, int, str | None, int, str | None]],
    subject: str | None,
    since: int,
    bottom: int,
) -> tuple[int, list[int]]:
    """
    Find the entries to empty; return the count of messages, and the numbers of all.

    @param bottom: the oldest kept number.
    """
    count, empty = 0, []
    for seq, time, user, kind, text in rows:
        if time < since:
            continue
        extra = extra_of_text(text)
        if kind == RecordKind.MESSAGE:
            author = None if user is None else user_of_text(user).subject
            if subject is None or author == subject:
                count += 1
                empty.append(seq)
                if extra.event:
                    empty.append(extra.event)
        elif kind == RecordKind.EDITED and (subject is None or extra.ref < bottom):
            # The message's author is not known any more, so the event is emptied too.
            empty.append(seq)
    return count, empty
