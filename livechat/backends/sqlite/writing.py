"""
Messages on their way into the embedded backend's file.

Messages are written to `recent` first, which holds them in the order in which they
came, and moved to `messages`, which is ordered by room, when many have gathered.
To write them there at once would rewrite, in each group, a page of the file for each
room that has spoken: with 200 rooms a message took 15 microseconds of a core, and
now takes 4.  A room's messages in `recent` are newer than all in `messages`.

A message's time is that of the wall clock as far as it is believed (`livechat.system.wallclock`),
and not before that of the one before it, unless that one was stamped by a clock that was wrong.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cache
from typing import Final

from livechat.backends.nonces import Known, Nonces
from livechat.backends.retention import Retention
from livechat.backends.sqlite import upkeep
from livechat.backends.sqlite.reading import as_text, unstorable
from livechat.protocol.messages import Draft, Message
from livechat.system.wallclock import WallClock

#: So many messages in `recent` are moved, which takes some 20 ms.
_MANY: Final = 8_000
# Python's sqlite3 lets other threads run at each step of a statement and then waits for
# its turn again: behind a busy reactor that is what a group of messages costs.  So each
# of these does all of a group's rooms, or a `_CHUNK` of its messages, in one step.
_GIVE_NUMBERS: Final = """
INSERT INTO rooms (name, top, bottom, time)
SELECT key, value, 1, :now FROM json_each(:counts) WHERE true
ON CONFLICT (name) DO UPDATE SET top = top + excluded.top,
    time = CASE WHEN time > :latest THEN excluded.time ELSE max(time, excluded.time) END
"""
_GIVEN: Final = """
SELECT json_group_object(name, json_array(id, top, time))
FROM rooms WHERE name IN (SELECT key FROM json_each(:counts))
"""
_CHUNK: Final = 100
_COLUMNS: Final = 5

_MOVE: Final = """
INSERT INTO messages
SELECT room, seq, recent.time, message, user FROM recent JOIN rooms ON rooms.id = room
WHERE seq >= bottom ORDER BY room, seq
"""


@cache
def _insert(count: int) -> str:
    """Stores *count* messages."""
    rows = ", ".join(["(?, ?, ?, ?, ?)"] * count)
    return f"INSERT INTO recent VALUES {rows}"  # noqa: S608 - only question marks


class Writer:
    """
    Writes the messages of one file, in one thread at a time.

    @ivar removed: messages were removed since the last sweep.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        retention: Retention,
        clock: WallClock,
        elapsed: Callable[[], float],
        secret: Callable[[], bytes],
    ) -> None:
        """
        @param transaction: all or nothing, on disk at the end.
        @param elapsed: seconds since any moment, whatever becomes of the time of day.
        @param secret: that of the file.
        """
        self._transaction = transaction
        self._retention = retention
        self._clock = clock
        self._secret = secret
        # How many messages are in `recent`.
        self._gathered = 0
        self.removed = False
        self._nonces = Nonces(elapsed)

    def opened(self, db: sqlite3.Connection) -> None:
        """The file was opened, perhaps after a write that failed."""
        self._gathered = db.execute("SELECT count(*) FROM recent").fetchone()[0]

    def remember_nonces(self, db: sqlite3.Connection) -> None:
        """Nonces that were used before a restart are used still."""
        self._nonces.add(upkeep.nonces(db), self._clock.milliseconds())

    def write(self, drafts: Sequence[Draft]) -> list[Message | Exception]:
        """
        Store *drafts* in one transaction, on disk when this returns.

        @return: for each draft its message, or why this one could not be stored.
        @raise sqlite3.Error: nothing of it was stored.
        """
        if self._gathered >= _MANY:
            # It needs more room on the disk than these messages, who can do without.
            with suppress(sqlite3.Error):
                self._move()
        bad = {index: reason for index, reason in enumerate(map(unstorable, drafts)) if reason}
        known, repeats = self._nonces.look_up(drafts, bad)
        old = {*bad, *known, *repeats}
        new = {index: draft for index, draft in enumerate(drafts) if index not in old}
        stored = dict(zip(new, self._write_group([*new.values()]), strict=True))
        for index, first in repeats.items():
            known[index] = Known.of(drafts[first], stored[first]).answer(drafts[index])
        return [bad.get(i) or known.get(i) or stored[i] for i in range(len(drafts))]

    def _write_group(self, drafts: Sequence[Draft]) -> list[Message]:
        if not drafts:
            return []
        counts = Counter(draft.room for draft in drafts)
        now = self._clock.milliseconds()
        with self._transaction() as db:
            given = {
                "counts": json.dumps(counts),
                "now": now,
                "latest": self._clock.latest_milliseconds(),
            }
            db.execute(_GIVE_NUMBERS, given)
            rooms = json.loads(db.execute(_GIVEN, given).fetchone()[0])
            last = {}
            for name, (_, top, _) in rooms.items():
                last[name] = top - counts[name]
            messages: list[Message] = []
            values: list[object] = []
            for draft in drafts:
                last[draft.room] = seq = last[draft.room] + 1
                room, _, time = rooms[draft.room]
                messages.append(Message(draft.message, seq, time, draft.user))
                values += (room, seq, time, draft.message, as_text(draft.user))
            for start in range(0, len(values), _COLUMNS * _CHUNK):
                chunk = values[start : start + _COLUMNS * _CHUNK]
                db.execute(_insert(len(chunk) // _COLUMNS), chunk)
            used = [
                Known.of(draft, message, self._secret())
                for draft, message in zip(drafts, messages, strict=True)
                if draft.nonce is not None
            ]
            if used:
                rows = [each.row() for each in used]
                db.executemany("INSERT INTO nonces VALUES (?, ?, ?, ?)", rows)
        self._gathered += len(messages)
        self._nonces.add(used, now)
        return messages

    def _move(self) -> None:
        """Move `recent` to `messages`, and remove some of what no history shows there."""
        with self._transaction() as db:
            budget = self._gathered + upkeep.TRIM_STEP
            for room, name, top, bottom in db.execute(
                "SELECT id, name, top, bottom FROM rooms WHERE id IN (SELECT room FROM recent)"
            ).fetchall():
                oldest = self._retention.of(name).first_by_count(top)
                removed = upkeep.remove(db, room, bottom, oldest, budget)
                budget -= removed
                self.removed = self.removed or removed > 0
            db.execute(_MOVE)
            db.execute("DELETE FROM recent")
            self._forget_nonces(db, self._gathered + upkeep.TRIM_STEP)
        self._gathered = 0

    def _forget_nonces(self, db: sqlite3.Connection, most: int) -> None:
        upkeep.forget_nonces(
            db, self._clock.milliseconds(), self._clock.latest_milliseconds(), most
        )

    def move(self) -> None:
        """Move `recent` to `messages`, if there is anything."""
        if self._gathered:
            self._move()

    def sweep(self, db: sqlite3.Connection, start: int) -> upkeep.Swept:
        """Remove some of what no history shows any more, beginning at room *start*."""
        now = self._clock.milliseconds() if self._clock.trusted else None
        self._forget_nonces(db, upkeep.TRIM_STEP)
        return upkeep.sweep(db, self._retention, start, now)
