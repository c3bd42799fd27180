"""
Groups in which there is more than plain texts: edits, retractions, answers, data, a pace.

All acts of a group are decided in memory, in the order of the calls: on the messages in the journal
and in the file that they name, and on those before them in the group.  Then everything is written
in a few statements, whatever the group has.  A refused act takes no number.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from livechat.backends.amending import check_edit, check_retraction, missing
from livechat.backends.records import (
    Extra,
    Record,
    RecordKind,
    extra_of_text,
    extra_to_text,
    to_record,
)
from livechat.backends.retention import Retention, RoomRetention
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.pacing import FilePacing
from livechat.backends.sqlite.rooms import Group, Moment, Room, Row
from livechat.errors import ChatError
from livechat.protocol.messages import (
    Amended,
    Amendment,
    Draft,
    Edit,
    Edited,
    Gone,
    Message,
    Redaction,
    Retracted,
    Retraction,
    Submission,
    user_to_text,
)
from livechat.protocol.wire import NO_DATA

_FIND: Final = """
SELECT entry.room, entry.seq, entry.time, message, user, kind, extra
FROM json_each(?) AS named CROSS JOIN messages AS entry
ON entry.room = json_extract(named.value, '$[0]') AND entry.seq = json_extract(named.value, '$[1]')
"""
_REWRITE: Final = "UPDATE messages SET message = ?, kind = ?, extra = ? WHERE room = ? AND seq = ?"
#: Empties entries, given by the ids of their rooms and their numbers.
EMPTY: Final = f"""
UPDATE messages SET kind = {RecordKind.GONE:d}, message = '', extra = NULL, user = NULL
WHERE (room, seq) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
"""  # noqa: S608 - a constant


class _Room:
    """
    A room of the group.

    @ivar before: the room before the group; None if it has no entries.
    @ivar top: the newest number.
    @ivar time: the time of the entries of this group.
    @ivar since: the time before which no history shows entries.
    @ivar old: rows of the file.
    @ivar news: new rows, by number.
    @ivar changed: changed old rows, in the journal and in the file; None for one that is emptied
        without having been read.
    @ivar event: the number of the newest new event; 0 without one.
    """

    def __init__(self, before: Room | None, moment: Moment, retention: Retention) -> None:
        self.before = before
        self.top, floor, newest = (before.top, before.floor, before.time) if before else (0, 1, 0)
        self.time = moment.stamp(newest)
        self.since = retention.first_time(self.time) if retention.seconds else 0
        # No entry counts as newer than the newest one, whatever a wrong clock has stamped.
        self._floor = floor if newest >= self.since else self.top + 1
        self._retention = retention
        self.old: dict[int, Row] = {}
        self.news: dict[int, Row] = {}
        self.changed: dict[int, Row | None] = {}
        self.event = 0

    def add(self, record: Record, user: str | None = None) -> None:
        self.top += 1
        number = self.before.id if self.before else 0
        extra = _text(record.extra)
        self.news[self.top] = Row(
            number, self.top, self.time, record.text, user, record.kind, extra
        )

    def _row(self, seq: int) -> Row | None:
        """Return the present row of the entry with that number, if it was read."""
        for rows in (self.news, self.changed, self.old):
            if seq in rows:
                return rows[seq]
        return self.before.find(seq) if self.before else None

    def find(self, seq: int) -> tuple[Message, Extra] | None:
        """Return the present message with that number, and its hidden part."""
        row = self._row(seq)
        if row is None or row.kind != RecordKind.MESSAGE:
            return None
        oldest = max(self._floor, self._retention.first_by_count(self.top))
        if seq < oldest or row.time < self.since:
            return None
        entry = row.entry()
        assert isinstance(entry, Message)
        return entry, extra_of_text(row.extra)

    def stored(self, seq: int) -> tuple[Message | Edited, Extra] | None:
        """Find an entry like `find`, also an edit, and also one that no history shows."""
        row = self._row(seq)
        if row is None or row.kind not in (RecordKind.MESSAGE, RecordKind.EDITED):
            return None
        entry = row.entry()
        assert isinstance(entry, Message | Edited)
        return entry, extra_of_text(row.extra)

    def rewrite(self, seq: int, record: Record) -> None:
        """Replace the text of the message with that number."""
        row = self._row(seq)
        assert row is not None
        self._put(seq, replace(row, text=record.text, extra=_text(record.extra)))

    def empty(self, seq: int) -> None:
        """Empty the entry with that number, if it is kept."""
        row = self._row(seq)
        self._put(seq, row and Row(row.room, seq, row.time, "", None, int(RecordKind.GONE)))

    def _put(self, seq: int, row: Row | None) -> None:
        if row is not None and seq in self.news:
            self.news[seq] = row
        else:
            self.changed[seq] = row

    def add_to(self, group: Group, name: str, before: Room) -> None:
        """
        Add the room's part to *group*.

        @param before: the room, which has a row now.
        """
        rows = before.rows
        changed = {seq: row for seq, row in self.changed.items() if row and seq > before.moved}
        if changed:
            rows = [changed.get(row.seq, row) for row in rows]
            group.changed |= {(before.id, seq): row for seq, row in changed.items()}
        if self.event:
            group.events[before.id] = self.event
        news = [replace(row, room=before.id) for row in self.news.values()]
        rows += news
        group.rows += news
        group.rooms[name] = replace(
            before, event=self.event or before.event, top=self.top, time=self.time, rows=rows
        )


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
        rooms: Mapping[str, Room],
        retention: RoomRetention,
        *,
        moment: Moment,
        pacing: FilePacing,
    ) -> None:
        """
        @param rooms: the rooms that have a row.
        @param pacing: counts the messages.
        """
        self._rooms = {
            name: _Room(rooms.get(name), moment, retention.of(name))
            for name in dict.fromkeys(act.room for act in acts)
        }
        self._look_up(db, acts)
        pacing.begin(db, acts)
        self.results: list[Message | Amended | Exception] = [
            (isinstance(act, Draft) and pacing.admit(act, moment.now)) or self._decide(act)
            for act in acts
        ]
        pacing.keep(db)
        self.amends = any(isinstance(each, Amended) for each in self.results)

    def _look_up(self, db: sqlite3.Connection, acts: Iterable[Submission]) -> None:
        """Read the file's entries that amendments name."""
        named: set[tuple[int, int]] = set()
        by_id: dict[int, _Room] = {}
        for act in acts:
            room = self._rooms[act.room]
            if room.before is None or isinstance(act, Draft):
                continue
            by_id[room.before.id] = room
            for seq in (act.ref,) if isinstance(act, Edit) else act.refs:
                if seq <= room.before.moved:
                    named.add((room.before.id, seq))
        if named:
            for columns in db.execute(_FIND, (json.dumps([*named]),)):
                row = Row(*columns)
                by_id[row.room].old[row.seq] = row

    def _decide(self, act: Submission) -> Message | Amended | ChatError:
        room = self._rooms[act.room]
        if isinstance(act, Draft):
            return _publish(room, act)
        try:
            amended = _amend(room, act)
        except ChatError as reason:
            return reason
        room.event = room.top
        return amended

    def write(self, db: sqlite3.Connection, journal: Journal) -> Group:
        """Change the rows that are in the file; return what the journal gets."""
        told = {name: room for name, room in self._rooms.items() if room.news}
        new = [name for name, room in told.items() if room.before is None]
        made = journal.make(db, new) if new else {}
        group = Group({}, [])
        emptied: list[tuple[int, int]] = []
        rewritten: list[tuple[object, ...]] = []
        for name, room in told.items():
            before = room.before or made[name]
            room.add_to(group, name, before)
            for seq, row in room.changed.items():
                if seq > before.moved:
                    continue
                if row is None or row.kind == RecordKind.GONE:
                    emptied.append((before.id, seq))
                else:
                    rewritten.append((row.text, row.kind, row.extra, before.id, seq))
        if emptied:
            db.execute(EMPTY, (json.dumps(emptied),))
        if rewritten:
            db.executemany(_REWRITE, rewritten)
        return group


def _text(extra: str | bytes | None) -> str | None:
    """Return the rest of a record as in the file."""
    return extra.decode() if isinstance(extra, bytes) else extra


def _publish(room: _Room, draft: Draft) -> Message:
    message = Message(
        draft.message, room.top + 1, room.time, draft.user, draft.reply_to, draft.data
    )
    room.add(to_record(message), None if draft.user is None else user_to_text(draft.user))
    return message


def _amend(room: _Room, act: Amendment) -> Amended:
    match act:
        case Edit():
            return _edit(room, act)
        case Retraction():
            return _retract(room, act)
        case Redaction():
            return _redact(room, act)


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
    room.add(to_record(event))
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
    room.add(to_record(event))
    return Amended(event, before)


def _redact(room: _Room, redaction: Redaction) -> Amended:
    found = {seq: each for seq in redaction.refs if (each := room.stored(seq))}
    if not found:
        raise missing()
    for seq, (entry, extra) in found.items():
        text = redaction.changes[seq]
        if text is None:
            room.empty(seq)
            if isinstance(entry, Message) and extra.event:
                room.empty(extra.event)
        elif isinstance(entry, Message):
            room.rewrite(seq, Record(RecordKind.MESSAGE, text, extra_to_text(extra)))
    event = Gone(room.top + 1, room.time)
    room.add(to_record(event))
    before = tuple(entry for entry, _ in found.values() if isinstance(entry, Message))
    return Amended(event, before)
