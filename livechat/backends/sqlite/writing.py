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
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cache
from typing import Final, TypeGuard

from livechat.backends.nonces import Known, Nonces
from livechat.backends.retention import RoomRetention
from livechat.backends.sqlite import upkeep
from livechat.backends.sqlite.amending import STAMP, Plan
from livechat.backends.sqlite.pacing import FilePacing
from livechat.backends.sqlite.reading import as_text, unstorable
from livechat.errors import ChatError
from livechat.protocol.messages import Amended, Draft, Message, Submission
from livechat.system.wallclock import WallClock

#: So many messages in `recent` are moved, which takes some 20 ms.
_MANY: Final = 8_000
# Python's sqlite3 lets other threads run at each step of a statement and then waits for
# its turn again: behind a busy reactor that is what a group of messages costs.  So each
# of these does all of a group's rooms, or a `_CHUNK` of its messages, in one step.
_GIVE_NUMBERS: Final = f"""
INSERT INTO rooms (name, top, bottom, time)
SELECT key, value, 1, :now FROM json_each(:counts) WHERE true
ON CONFLICT (name) DO UPDATE SET top = top + excluded.top, time = {STAMP}
"""  # noqa: S608 - a constant
_GIVEN: Final = """
SELECT json_group_object(name, json_array(id, top, time))
FROM rooms WHERE name IN (SELECT key FROM json_each(:counts))
"""
_CHUNK: Final = 100
_PLAIN: Final = "room, seq, time, message, user"
_ALL: Final = f"{_PLAIN}, kind, extra"

_RAISE_FLOORS: Final = """
UPDATE rooms SET floor = top - limits.value + 1
FROM json_each(:limits) AS limits WHERE name = limits.key AND floor < top - limits.value + 1
"""
_MOVE: Final = f"""
INSERT INTO messages ({_ALL})
SELECT room, seq, recent.time, message, user, kind, extra
FROM recent JOIN rooms ON rooms.id = room
WHERE seq >= bottom ORDER BY room, seq
"""  # noqa: S608 - a constant


@cache
def _insert(columns: str, count: int) -> str:
    """Store *count* rows."""
    row = f"({', '.join('?' * (columns.count(',') + 1))})"
    return f"INSERT INTO recent ({columns}) VALUES {', '.join([row] * count)}"  # noqa: S608


def _store(db: sqlite3.Connection, columns: str, values: list[object]) -> None:
    """
    @param values: of all columns of all rows, one after the other.
    """
    width = columns.count(",") + 1
    for start in range(0, len(values), width * _CHUNK):
        chunk = values[start : start + width * _CHUNK]
        db.execute(_insert(columns, len(chunk) // width), chunk)


def _are_plain(acts: Sequence[Submission]) -> TypeGuard[Sequence[Draft]]:
    """Tell whether all are messages with a text and an author only: the fast path."""
    for act in acts:
        if type(act) is not Draft or act.throttle is not None:
            return False
        if act.reply_to is not None or act.data is not None:
            return False
    return True


class Writer:
    """
    Writes the messages of one file, in one thread at a time.

    @ivar removed: entries were removed since the last sweep.
    @ivar amended: messages were edited or retracted: what they said is still in the files.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        retention: RoomRetention,
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
        # A process that was killed may have left words behind.
        self.amended = True
        self._nonces = Nonces(elapsed, secret)
        self._pacing = FilePacing(secret)

    def opened(self, db: sqlite3.Connection) -> None:
        """The file was opened, perhaps after a write that failed."""
        self._gathered = db.execute("SELECT count(*) FROM recent").fetchone()[0]

    def remember_nonces(self, db: sqlite3.Connection) -> None:
        """Nonces that were used before a restart are used still."""
        self._nonces.add(upkeep.nonces(db), self._clock.milliseconds())

    def write(self, acts: Sequence[Submission]) -> list[Message | Amended | Exception]:
        """
        Store *acts* in one transaction, on disk when this returns.

        @return: for each act its result, or why this one could not be stored.
        @raise sqlite3.Error: nothing of it was stored.
        """
        if self._gathered >= _MANY:
            # It needs more room on the disk than these entries, who can do without.
            with suppress(sqlite3.Error):
                self._move()
        bad = {index: reason for index, reason in enumerate(map(unstorable, acts)) if reason}
        known, repeats = self._nonces.look_up(acts, bad)
        old = {*bad, *known, *repeats}
        new = {index: act for index, act in enumerate(acts) if index not in old}
        stored = dict(zip(new, self._write_group([*new.values()]), strict=True))
        for index, first in repeats.items():
            result = stored[first]
            if not isinstance(result, ChatError):
                used = Known.of(acts[first], result, self._secret())
                result = used.answer(acts[index], self._secret())
            known[index] = result
        return [bad.get(i) or known.get(i) or stored[i] for i in range(len(acts))]

    def _write_group(self, acts: Sequence[Submission]) -> Sequence[Message | Amended | ChatError]:
        if not acts:
            return []
        now = self._clock.milliseconds()
        moment = {"now": now, "latest": self._clock.latest_milliseconds()}
        results: Sequence[Message | Amended | ChatError]
        with self._transaction() as db:
            if _are_plain(acts):
                results, counts = _write_plain(db, acts, moment)
                amended = False
            else:
                plan = Plan(db, acts, self._retention, moment, self._pacing)
                results, counts = _write_planned(db, plan, moment)
                amended = plan.amends
            self._raise_floors(db, counts)
            used = [
                Known.of(act, result, self._secret())
                for act, result in zip(acts, results, strict=True)
                if act.nonce is not None and not isinstance(result, ChatError)
            ]
            if used:
                rows = [each.row() for each in used]
                db.executemany("INSERT INTO nonces VALUES (?, ?, ?, ?)", rows)
        self._gathered += counts.total()
        self.amended = self.amended or amended
        self._nonces.add(used, now)
        return results

    def _raise_floors(self, db: sqlite3.Connection, rooms: Iterable[str]) -> None:
        """Raise the floors of *rooms* that keep less: entries that they hide never come back."""
        server = self._retention.server
        limits = {
            room: kept.messages
            for room in rooms
            if (kept := self._retention.of(room)) is not server and kept.messages
        }
        if limits:
            db.execute(_RAISE_FLOORS, {"limits": json.dumps(limits)})

    def _move(self) -> None:
        """Move `recent` to `messages`, and remove some of what no history shows there."""
        with self._transaction() as db:
            budget = self._gathered + upkeep.TRIM_STEP
            for room, name, top, bottom, floor in db.execute(
                "SELECT id, name, top, bottom, floor FROM rooms"
                " WHERE id IN (SELECT room FROM recent)"
            ).fetchall():
                oldest = max(floor, self._retention.of(name).first_by_count(top))
                removed = upkeep.remove(db, room, bottom, oldest, budget)
                budget -= removed
                self.removed = self.removed or removed > 0
            db.execute(_MOVE)
            db.execute("DELETE FROM recent")
            self._forget(db, self._gathered + upkeep.TRIM_STEP)
        self._gathered = 0

    def _forget(self, db: sqlite3.Connection, most: int) -> None:
        """Remove some nonces, and messages that slow modes remember."""
        now, latest = self._clock.milliseconds(), self._clock.latest_milliseconds()
        upkeep.forget_nonces(db, now, latest, most)
        self._pacing.forget(db, now, latest, most)

    def move(self) -> None:
        """Move `recent` to `messages`, if there is anything."""
        if self._gathered:
            self._move()

    def sweep(self, db: sqlite3.Connection, start: int) -> upkeep.Swept:
        """Remove some of what no history shows any more, beginning at room *start*."""
        now = self._clock.milliseconds() if self._clock.trusted else None
        self._forget(db, upkeep.TRIM_STEP)
        return upkeep.sweep(db, self._retention, start, now)


def _give_numbers(
    db: sqlite3.Connection, counts: Counter[str], moment: dict[str, int]
) -> dict[str, tuple[int, int, int]]:
    """Give each room so many numbers; return its id, its newest number and its time."""
    given = {"counts": json.dumps(counts), **moment}
    db.execute(_GIVE_NUMBERS, given)
    rooms: dict[str, tuple[int, int, int]] = json.loads(db.execute(_GIVEN, given).fetchone()[0])
    return rooms


def _write_plain(
    db: sqlite3.Connection, drafts: Sequence[Draft], moment: dict[str, int]
) -> tuple[list[Message], Counter[str]]:
    """
    Store messages of which a text and an author are all; return them, and how many entries each
    room got.
    """
    counts = Counter(draft.room for draft in drafts)
    rooms = _give_numbers(db, counts, moment)
    last = {name: top - counts[name] for name, (_, top, _) in rooms.items()}
    messages: list[Message] = []
    values: list[object] = []
    for draft in drafts:
        last[draft.room] = seq = last[draft.room] + 1
        room, _, time = rooms[draft.room]
        messages.append(Message(draft.message, seq, time, draft.user))
        values += (room, seq, time, draft.message, as_text(draft.user))
    _store(db, _PLAIN, values)
    return messages, counts


def _write_planned(
    db: sqlite3.Connection, plan: Plan, moment: dict[str, int]
) -> tuple[list[Message | Amended | ChatError], Counter[str]]:
    """Store what was decided; return the results, and how many entries each room got."""
    counts = plan.counts()
    if counts:
        ids = {name: number for name, (number, _, _) in _give_numbers(db, counts, moment).items()}
        _store(db, _ALL, [value for row in plan.rows(ids) for value in row])
        plan.change(db, ids)
    return plan.results, counts
