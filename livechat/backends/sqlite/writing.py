"""
Messages on their way into the embedded backend's file.

A group is written to the journal (`livechat.backends.sqlite.journal`), and moved to `messages`
with many others.  That table is ordered by room: to write a group there at once would rewrite a
page of the file for each room that has spoken.

A message's time is that of the wall clock as far as it is believed (`livechat.system.wallclock`),
and not before that of the one before it, unless that one was stamped by a clock that was wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, TypeGuard

from livechat.backends.nonces import Known, Nonces
from livechat.backends.retention import RoomRetention
from livechat.backends.sqlite import upkeep
from livechat.backends.sqlite.amending import Plan
from livechat.backends.sqlite.cursors import mark
from livechat.backends.sqlite.holding import Holding
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.pacing import FilePacing
from livechat.backends.sqlite.rooms import Group, Moment, Row
from livechat.protocol.messages import (
    Amended,
    Draft,
    Message,
    Redaction,
    Retraction,
    Submission,
    user_to_text,
)
from livechat.system.wallclock import WallClock

#: Acts without a sender's text.
_SILENT: Final = (Retraction, Redaction)
#: Growth after which a journal that found no room on the disk is moved again, and the fullness at
#: which it takes no more entries.
_AGAIN: Final = 0.125
_MOST: Final = 4.0


def _are_plain(acts: Sequence[Submission]) -> TypeGuard[Sequence[Draft]]:
    """Return True if all are messages with a text and an author only: the fast path."""
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
        journal: Journal,
        retention: RoomRetention,
        clock: WallClock,
        *,
        elapsed: Callable[[], float],
        secret: Callable[[], bytes],
        holding: Holding,
    ) -> None:
        """
        @param transaction: runs all or nothing, on disk at the end.
        @param elapsed: seconds since any moment, of a clock that cannot be set.
        @param secret: the file's secret.
        """
        self._transaction = transaction
        self._retention = retention
        self._clock = clock
        self._secret = secret
        self._journal = journal
        # The fullness at which the journal is moved.
        self._move_at = 1.0
        self.removed = False
        # A killed process may have left old texts behind.
        self.amended = True
        self._nonces = Nonces(elapsed, secret)
        self._pacing = FilePacing(secret)
        self._holding = holding

    def remember_nonces(self, db: sqlite3.Connection) -> None:
        """Nonces that were used before a restart are used still."""
        self._nonces.add(upkeep.nonces(db), self._clock.milliseconds())

    def write(self, acts: Sequence[Submission]) -> list[Message | Amended | Exception]:
        """
        Store *acts* in one transaction, on disk when this returns.

        @return: for each act its result, or why this one could not be stored.
        @raise sqlite3.Error: nothing of it was stored.
        """
        self._move_in_time()
        bad = _unstorable(acts)
        known, repeats = self._nonces.look_up(acts, bad)
        if not (bad or known or repeats):
            return self._write_group(acts)
        old = {*bad, *known, *repeats}
        new = {index: act for index, act in enumerate(acts) if index not in old}
        stored = dict(zip(new, self._write_group([*new.values()]), strict=True))
        for index, first in repeats.items():
            result = stored[first]
            if isinstance(result, Exception):
                bad[index] = result
            else:
                used = Known.of(acts[first], result, self._secret())
                known[index] = used.answer(acts[index], self._secret())
        return [bad.get(i) or known.get(i) or stored[i] for i in range(len(acts))]

    def _write_group(self, acts: Sequence[Submission]) -> list[Message | Amended | Exception]:
        if not acts:
            return []
        moment = Moment(self._clock.milliseconds(), self._clock.latest_milliseconds())
        results: list[Message | Amended | Exception]
        with self._transaction() as db:
            if _are_plain(acts):
                results, group = self._number(db, acts, moment)
                amended = False
            else:
                rooms = self._journal.look_up(db, {act.room for act in acts})
                plan = Plan(db, acts, rooms, self._retention, moment=moment, pacing=self._pacing)
                results, group = plan.results, plan.write(db, self._journal)
                amended = plan.amends
            if group.rows:
                self._raise_floors(group)
                self._journal.append(db, group)
            used = [
                Known.of(act, result, self._secret())
                for act, result in zip(acts, results, strict=True)
                if act.nonce is not None and not isinstance(result, Exception)
            ]
            if used:
                rows = [each.row() for each in used]
                db.executemany("INSERT INTO nonces VALUES (?, ?, ?, ?)", rows)
        self.amended = self.amended or amended
        self._nonces.add(used, moment.now)
        return results

    def _number(
        self, db: sqlite3.Connection, drafts: Sequence[Draft], moment: Moment
    ) -> tuple[list[Message | Amended | Exception], Group]:
        """Make messages of *drafts*, which have a text and an author only."""
        names = {draft.room for draft in drafts}
        before = self._journal.look_up(db, names)
        if len(before) < len(names):
            before |= self._journal.make(db, [*names.difference(before)])
        group = Group({name: room.next(moment) for name, room in before.items()}, [])
        messages: list[Message | Amended | Exception] = []
        for draft in drafts:
            text, user, room = draft.message, draft.user, group.rooms[draft.room]
            room.top = seq = room.top + 1
            row = Row(room.id, seq, room.time, text, None if user is None else user_to_text(user))
            room.rows.append(row)
            group.rows.append(row)
            messages.append(Message(text, seq, room.time, user))
        return messages, group

    def _raise_floors(self, group: Group) -> None:
        """Raise the floors of rooms that keep less: hidden entries never come back."""
        server = self._retention.server
        for name, room in group.rooms.items():
            kept = self._retention.of(name)
            if kept is not server and kept.messages:
                floor = kept.first_by_count(room.top)
                if floor > room.floor:
                    room.floor = group.floors[room.id] = floor

    def _move_in_time(self) -> None:
        """Move the journal if it is full."""
        fullness = self._journal.fullness
        if fullness >= self._move_at:
            try:
                self.move()
            except sqlite3.Error:
                # A group needs less room on the disk than a move, so it is stored without one.
                if fullness >= _MOST:
                    raise
                self._move_at = fullness + _AGAIN

    def move(self) -> None:
        """Move the journal to `messages`, and remove some of what no history shows there."""
        if not self._journal.entries:
            return
        with self._transaction() as db:
            budget = self._journal.entries + upkeep.TRIM_STEP
            looks: list[upkeep.Look] = []
            waits: list[int] = []
            rooms = self._journal.bottoms(db)
            self._holding.look_up(db, [room.id for _, room, _ in rooms])
            for name, room, bottom in rooms:
                kept = self._retention.of(name)
                shown = max(room.floor, kept.first_by_count(room.top))
                oldest = self._holding.first(room.id, name, shown, room.top)
                removed = upkeep.remove(db, room.id, bottom, oldest, budget)
                budget -= removed
                self.removed = self.removed or removed > 0
                more = bottom + removed < oldest
                floor = shown if oldest < shown else 0
                looks.append(upkeep.Look(room.id, 1000 * kept.seconds, floor, more))
                if self._holding.waits(room.id, name, room.top):
                    waits.append(room.id)
            self._holding.measure(self._journal.entries, self._journal.size)
            self._journal.move(db)
            upkeep.reckon(db, looks, holds=self._holding.holds)
            self._mark(db, waits, budget)
            self._forget(db, self._journal.entries + upkeep.TRIM_STEP)
        self._move_at = 1.0

    def _mark(self, db: sqlite3.Connection, waits: Sequence[int], budget: int) -> None:
        """Mark rooms with waiting entries, and drop some entries if they are too many."""
        if waits:
            mark(db, waits)
            dropped = self._holding.squeeze(db, max(budget, upkeep.TRIM_STEP))
            self.removed = self.removed or dropped > 0

    def _forget(self, db: sqlite3.Connection, most: int) -> None:
        """Remove some nonces, and some messages that slow modes remember."""
        now, latest = self._clock.milliseconds(), self._clock.latest_milliseconds()
        upkeep.forget_nonces(db, now, latest, most)
        self._pacing.forget(db, now, latest, most)

    def sweep(self, db: sqlite3.Connection) -> upkeep.Swept:
        """Remove some of what no history shows any more."""
        self._forget(db, upkeep.TRIM_STEP)
        return upkeep.sweep(db, self._retention, self._now(), self._holding)

    def walk(self, db: sqlite3.Connection, start: int) -> upkeep.Swept:
        """Look at some rooms, beginning with room *start*, and remove what no history shows."""
        return upkeep.walk(db, self._retention, start, self._now(), self._holding)

    def _now(self) -> int | None:
        """Return the time in milliseconds, if entries may be removed for their age."""
        return self._clock.milliseconds() if self._clock.trusted else None


def _unstorable(acts: Sequence[Submission]) -> dict[int, Exception]:
    """Find the acts with a text that no database takes, on any disk, and the reason."""
    bad: dict[int, Exception] = {}
    try:
        # Nearly always all texts are good.
        _encode_texts(acts)
    except UnicodeError:
        for index, act in enumerate(acts):
            try:
                _encode_texts([act])
            except UnicodeError as reason:
                bad[index] = reason
    return bad


def _encode_texts(acts: Sequence[Submission]) -> None:
    """
    @raise UnicodeError: a text cannot be stored in any database.
    """
    speaking = [act for act in acts if not isinstance(act, _SILENT)]
    if len(speaking) < len(acts):
        texts = [act.changes.values() for act in acts if isinstance(act, Redaction)]
        "".join([text or "" for some in texts for text in some]).encode()
    "".join([act.message for act in speaking]).encode()
    b" ".join([bytes(act.data) for act in speaking if act.data is not None]).decode()
