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
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, TypeGuard

from livechat.backends.nonces import Known, Nonces
from livechat.backends.retention import RoomRetention
from livechat.backends.sqlite import upkeep
from livechat.backends.sqlite.amending import Plan
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.pacing import FilePacing
from livechat.backends.sqlite.rooms import Moment, Room, Share, as_text
from livechat.errors import ChatError
from livechat.protocol.messages import Amended, Draft, Message, Retraction, Submission
from livechat.system.wallclock import WallClock

#: A journal that cannot be moved, for want of room on the disk, is tried again when it has grown
#: by so much, and takes nothing more when it is so full.
_AGAIN: Final = 0.125
_MOST: Final = 4.0


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
        journal: Journal,
        retention: RoomRetention,
        clock: WallClock,
        *,
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
        self._journal = journal
        # How full the journal may become before it is moved.
        self._move_at = 1.0
        self.removed = False
        # A process that was killed may have left words behind.
        self.amended = True
        self._nonces = Nonces(elapsed, secret)
        self._pacing = FilePacing(secret)

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
        moment = Moment(self._clock.milliseconds(), self._clock.latest_milliseconds())
        results: Sequence[Message | Amended | ChatError]
        with self._transaction() as db:
            if _are_plain(acts):
                results, shares = self._number(db, acts, moment)
                amended = False
            else:
                rooms = self._journal.look_up(db, {act.room for act in acts})
                plan = Plan(db, acts, rooms, self._retention, moment=moment, pacing=self._pacing)
                results, shares = plan.results, plan.write(db, self._journal)
                amended = plan.amends
            if shares:
                self._raise_floors(shares)
                self._journal.append(db, shares)
            used = [
                Known.of(act, result, self._secret())
                for act, result in zip(acts, results, strict=True)
                if act.nonce is not None and not isinstance(result, ChatError)
            ]
            if used:
                rows = [each.row() for each in used]
                db.executemany("INSERT INTO nonces VALUES (?, ?, ?, ?)", rows)
        self.amended = self.amended or amended
        self._nonces.add(used, moment.now)
        return results

    def _number(
        self, db: sqlite3.Connection, drafts: Sequence[Draft], moment: Moment
    ) -> tuple[list[Message], dict[str, Share]]:
        """Make messages of *drafts*, of which a text and an author are all."""
        shares = {
            name: Share(room, moment.stamp(room.time))
            for name, room in self._rooms(db, dict.fromkeys(draft.room for draft in drafts)).items()
        }
        messages: list[Message] = []
        for draft in drafts:
            share = shares[draft.room]
            row = share.add(draft.message, as_text(draft.user))
            messages.append(Message(draft.message, row.seq, row.time, draft.user))
        return messages, shares

    def _rooms(self, db: sqlite3.Connection, names: Collection[str]) -> dict[str, Room]:
        """Find the rooms with these names, or make them."""
        rooms = self._journal.look_up(db, names)
        if len(rooms) < len(names):
            rooms |= self._journal.make(db, [name for name in names if name not in rooms])
        return rooms

    def _raise_floors(self, shares: Mapping[str, Share]) -> None:
        """Raise the floors of rooms that keep less: entries that they hide never come back."""
        server = self._retention.server
        for name, share in shares.items():
            kept = self._retention.of(name)
            if kept is not server and kept.messages:
                share.floor = max(share.floor, kept.first_by_count(share.top))

    def _move_in_time(self) -> None:
        """Move the journal if it is full."""
        fullness = self._journal.fullness
        if fullness >= self._move_at:
            try:
                self.move()
            except sqlite3.Error:
                # It needs more room on the disk than a group, which can do without.
                if fullness >= _MOST:
                    raise
                self._move_at = fullness + _AGAIN

    def move(self) -> None:
        """Move the journal to `messages`, and remove some of what no history shows there."""
        if not self._journal.entries:
            return
        with self._transaction() as db:
            budget = self._journal.entries + upkeep.TRIM_STEP
            for name, room, bottom in self._journal.bottoms(db):
                oldest = max(room.floor, self._retention.of(name).first_by_count(room.top))
                removed = upkeep.remove(db, room.id, bottom, oldest, budget)
                budget -= removed
                self.removed = self.removed or removed > 0
            self._journal.move(db)
            self._forget(db, self._journal.entries + upkeep.TRIM_STEP)
        self._move_at = 1.0

    def _forget(self, db: sqlite3.Connection, most: int) -> None:
        """Remove some nonces, and messages that slow modes remember."""
        now, latest = self._clock.milliseconds(), self._clock.latest_milliseconds()
        upkeep.forget_nonces(db, now, latest, most)
        self._pacing.forget(db, now, latest, most)

    def sweep(self, db: sqlite3.Connection, start: int) -> upkeep.Swept:
        """Remove some of what no history shows any more, beginning at room *start*."""
        now = self._clock.milliseconds() if self._clock.trusted else None
        self._forget(db, upkeep.TRIM_STEP)
        return upkeep.sweep(db, self._retention, start, now)


def unstorable(act: Submission) -> UnicodeError | None:
    """Why no database takes this text, whatever the disk says; None if one does."""
    try:
        if not isinstance(act, Retraction):
            act.message.encode()
            if act.data is not None:
                bytes(act.data).decode()
    except UnicodeError as reason:
        return reason
    return None
