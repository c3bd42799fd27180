"""
Groups in which there is more than plain texts: edits, retractions, answers, data, a pace.

All acts of a group are decided in memory, in the order of the calls: on the messages in the file
that they name, and on those before them in the group.  Then everything is written in a few
statements, whatever the group has.  A refused act takes no number.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from livechat.backends.amending import check_edit, check_retraction
from livechat.backends.records import (
    Extra,
    Record,
    RecordKind,
    extra_of_text,
    extra_to_text,
    to_entry,
    to_record,
)
from livechat.backends.retention import Retention, RoomRetention
from livechat.backends.sqlite.pacing import FilePacing
from livechat.backends.sqlite.reading import as_text, as_user
from livechat.errors import ChatError
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Message,
    Retracted,
    Retraction,
    Submission,
)
from livechat.protocol.wire import NO_DATA

#: The time of a room's next entry.
STAMP: Final = "CASE WHEN rooms.time > :latest THEN :now ELSE max(rooms.time, :now) END"
_ROOMS: Final = f"""
SELECT name, id, top, max(bottom, floor), time, {STAMP} FROM rooms
WHERE name IN (SELECT value FROM json_each(:rooms))
"""  # noqa: S608 - a constant
_FIND: Final = """
SELECT entry.room, entry.seq, entry.time, kind, message, extra, user
FROM json_each(:named) AS named CROSS JOIN {table} AS entry
ON entry.room = json_extract(named.value, '$[0]') AND entry.seq = json_extract(named.value, '$[1]')
"""
_REWRITE: Final = """
UPDATE {table} SET kind = ?, message = ?, extra = ?, user = ? WHERE room = ? AND seq = ?
"""
_EMPTY: Final = f"""
UPDATE {{table}} SET kind = {RecordKind.GONE:d}, message = '', extra = NULL, user = NULL
WHERE (room, seq) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:named))
"""  # noqa: S608 - a constant
_TABLES: Final = ("messages", "recent")


class Row(NamedTuple):
    """An entry as it is in the file, but for its room and number."""

    time: int
    kind: int
    text: str
    extra: str | bytes | None
    user: str | None

    def emptied(self) -> Row:
        """Return the row that takes its place when the entry is gone."""
        return Row(self.time, *Record(RecordKind.GONE, ""), None)


class _Room:
    """
    A room of the group.

    @ivar id: None if nothing was ever said in it.
    @ivar time: that of the entries that it gets now.
    @ivar since: what is older than that, no history shows.
    @ivar news: its new rows, by number.
    @ivar changed: old rows that are others now; None where they are gone.
    @ivar event: the number of the newest new event; 0 if there is none.
    """

    def __init__(
        self,
        time: int,
        retention: Retention,
        *,
        id: int | None = None,  # noqa: A002 - the column's name
        top: int = 0,
        bottom: int = 1,
        newest: int = 0,
    ) -> None:
        self.id = id
        self.top = top
        self.time = time
        self.since = retention.first_time(time) if retention.seconds else 0
        # All are as old as the newest one, whatever a wrong clock has stamped.
        self._bottom = bottom if newest >= self.since else top + 1
        self._retention = retention
        self.old: dict[int, Row] = {}
        self.news: dict[int, Row] = {}
        self.changed: dict[int, Row | None] = {}
        self.event = 0

    def add(self, row: Row) -> None:
        self.top += 1
        self.news[self.top] = row

    def find(self, seq: int) -> tuple[Message, Extra] | None:
        """The message with that number, as it is now, and what is not shown of it."""
        row = self.news.get(seq) or self.changed.get(seq, self.old.get(seq))
        if row is None or row.kind != RecordKind.MESSAGE:
            return None
        oldest = max(self._bottom, self._retention.first_by_count(self.top))
        if seq < oldest or row.time < self.since:
            return None
        record = Record(row.kind, row.text, row.extra)
        entry = to_entry(record, seq, row.time, as_user(row.user))
        assert isinstance(entry, Message)
        return entry, extra_of_text(row.extra)

    def rewrite(self, seq: int, record: Record) -> None:
        """Give the message with that number another text."""
        if seq in self.news:
            self.news[seq] = Row(self.news[seq].time, *record, self.news[seq].user)
        else:
            old = self.changed.get(seq) or self.old[seq]
            self.changed[seq] = Row(old.time, *record, old.user)

    def empty(self, seq: int) -> None:
        """Have nothing in place of the entry with that number, if it is kept."""
        if seq in self.news:
            self.news[seq] = self.news[seq].emptied()
        else:
            self.changed[seq] = None


class Plan:
    """
    The acts of one group, decided.

    @ivar results: for each act its result, or why it is refused.
    @ivar amends: messages are edited or retracted by it.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        acts: Sequence[Submission],
        retention: RoomRetention,
        moment: dict[str, int],
        pacing: FilePacing,
    ) -> None:
        """
        @param moment: what `STAMP` takes.
        @param pacing: counts the messages.
        """
        now = moment["now"]
        kept = {name: retention.of(name) for name in {act.room for act in acts}}
        self._rooms = {name: _Room(now, each) for name, each in kept.items()}
        for name, number, top, bottom, newest, time in db.execute(
            _ROOMS, {"rooms": json.dumps([*kept]), **moment}
        ):
            self._rooms[name] = _Room(
                time, kept[name], id=number, top=top, bottom=bottom, newest=newest
            )
        self._look_up(db, acts)
        pacing.begin(db, acts)
        self.results: list[Message | Amended | ChatError] = [
            (isinstance(act, Draft) and pacing.admit(act, now)) or self._decide(act) for act in acts
        ]
        pacing.keep(db)
        self.amends = any(isinstance(each, Amended) for each in self.results)

    def _look_up(self, db: sqlite3.Connection, acts: Iterable[Submission]) -> None:
        """Read the entries in the file that amendments name."""
        named: set[tuple[int, int]] = set()
        by_id: dict[int, _Room] = {}
        for act in acts:
            room = self._rooms[act.room]
            if room.id is None or isinstance(act, Draft):
                continue
            by_id[room.id] = room
            for seq in act.refs if isinstance(act, Retraction) else (act.ref,):
                named.add((room.id, seq))
        if named:
            wanted = {"named": json.dumps([*named])}
            for table in _TABLES:
                for number, seq, *row in db.execute(_FIND.format(table=table), wanted):
                    by_id[number].old[seq] = Row(*row)

    def _decide(self, act: Submission) -> Message | Amended | ChatError:
        room = self._rooms[act.room]
        if isinstance(act, Draft):
            return _publish(room, act)
        try:
            amended = _edit(room, act) if isinstance(act, Edit) else _retract(room, act)
        except ChatError as reason:
            return reason
        room.event = room.top
        return amended

    def counts(self) -> Counter[str]:
        """How many entries each room gets."""
        return Counter({name: len(room.news) for name, room in self._rooms.items() if room.news})

    def rows(self, ids: dict[str, int]) -> list[tuple[object, ...]]:
        """
        All new rows.

        @param ids: those of the rooms.
        """
        return [
            (ids[name], seq, row.time, row.text, row.user, row.kind, row.extra)
            for name, room in self._rooms.items()
            for seq, row in room.news.items()
        ]

    def change(self, db: sqlite3.Connection, ids: dict[str, int]) -> None:
        """Change the rows that are in the file."""
        emptied: list[tuple[int, int]] = []
        rewritten: list[tuple[object, ...]] = []
        events: list[tuple[int, int]] = []
        for name, room in self._rooms.items():
            if room.event:
                events.append((room.event, ids[name]))
            for seq, row in room.changed.items():
                if row is None:
                    emptied.append((ids[name], seq))
                else:
                    rewritten.append((row.kind, row.text, row.extra, row.user, ids[name], seq))
        for table in _TABLES:
            if emptied:
                db.execute(_EMPTY.format(table=table), {"named": json.dumps(emptied)})
            if rewritten:
                db.executemany(_REWRITE.format(table=table), rewritten)
        db.executemany("UPDATE rooms SET event = ? WHERE id = ?", events)


def _publish(room: _Room, draft: Draft) -> Message:
    message = Message(
        draft.message, room.top + 1, room.time, draft.user, draft.reply_to, draft.data
    )
    room.add(Row(room.time, *to_record(message), as_text(draft.user)))
    return message


def _edit(room: _Room, edit: Edit) -> Amended:
    found, extra = room.find(edit.ref) or (None, Extra())
    before = check_edit(edit, found, extra.edits)
    event = Edited(room.top + 1, room.time, edit.ref, edit.message, edit.data)
    if extra.event:
        room.empty(extra.event)
    after = Extra(
        reply_to=extra.reply_to,
        data=edit.data or NO_DATA,
        edited=room.time,
        edits=extra.edits + 1,
        event=event.seq,
    )
    room.rewrite(edit.ref, Record(RecordKind.MESSAGE, edit.message, extra_to_text(after)))
    room.add(Row(room.time, *to_record(event), None))
    return Amended(event, (before,))


def _retract(room: _Room, retraction: Retraction) -> Amended:
    found = [each for seq in sorted({*retraction.refs}) if (each := room.find(seq))]
    before = tuple(message for message, _ in found)
    by = check_retraction(retraction, before)
    for message, extra in found:
        room.empty(message.seq)
        if extra.event:
            room.empty(extra.event)
    event = Retracted(room.top + 1, room.time, tuple(each.seq for each in before), by)
    room.add(Row(room.time, *to_record(event), None))
    return Amended(event, before)
