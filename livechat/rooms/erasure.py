"""
Erasure: removes a person from everything that is stored of a room.

The person's messages are retracted, so members are told.  Entries that no history shows any more,
and edits whose messages are not kept, are emptied silently.  In internal rooms, whose entries are
records in JSON, a pseudonym replaces the person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from twisted.internet.task import deferLater

from livechat.errors import ChatError, Kind
from livechat.interfaces import IArchive, IMessageLog, IOutbox
from livechat.protocol.messages import (
    MOST_REFS,
    Amended,
    Edited,
    Entry,
    Message,
    Redaction,
    Retraction,
    User,
)
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM, is_internal
from livechat.rooms.answers import answer_of
from livechat.system.time import Time

#: Entries that one step looks at.
STEP: Final = 1_000
#: Characters of the texts that one redaction writes.
_CHARACTERS: Final = 65_536
#: Seconds between two acts on a room, left to those that chat.
PAUSE: Final = 0.01

_encode: Final = msgspec.json.Encoder().encode


class Veil(Struct, frozen=True):
    """
    A person to forget, and the pseudonym.

    @ivar subject: `User.subject`.
    @ivar pseudonym: the user in its place.
    """

    subject: str
    pseudonym: User

    def covers(self, user: User | None) -> bool:
        """Tell whether *user* is that person."""
        return user is not None and user.subject == self.subject

    def over_record(self, text: str) -> str | None:
        """
        Return a record of the audit without the person.

        @return: None where it is no record, and may name the person.
        """
        try:
            record = msgspec.json.decode(text)
            veiled = self.over(record)
        except (msgspec.DecodeError, RecursionError):
            return None if self._id in text else text
        if veiled == record or not isinstance(veiled, dict):
            return text
        action = veiled.get("action")
        if isinstance(action, dict):
            # Reasons and texts about a person may name the person, and so may the person's own.
            action.pop("reason", None)
            if action.get("user", {}).get("id") == self.pseudonym.id:
                veiled.pop("text", None)
        return _encode(veiled).decode()

    def names(self, text: str) -> bool:
        """Tell whether *text*, JSON, names the person."""
        try:
            found = msgspec.json.decode(text)
            return bool(self.over(found) != found)
        except (msgspec.DecodeError, RecursionError):
            return self._id in text

    def over(self, value: Any) -> Any:
        """Return JSON with the pseudonym in place of the person, wherever a user stands."""
        if isinstance(value, dict):
            if self._is_user(value):
                return msgspec.to_builtins(self.pseudonym)
            return {
                key: self.pseudonym.id if self._is_traced(key, each) else self.over(each)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.over(each) for each in value]
        return self.pseudonym.subject if value == self.subject else value

    def _is_user(self, value: Mapping[str, Any]) -> bool:
        verified = bool(value.get("verified", False))
        named = "name" in value and value.get("id") == self._id
        return named and verified == self.subject.startswith("u:")

    def _is_traced(self, key: str, value: Any) -> bool:
        return key == "person" and value == self._id

    @property
    def _id(self) -> str:
        return self.subject.partition(":")[2]


class Erasure:
    """Removes people from rooms."""

    def __init__(
        self,
        archive: IArchive,
        log: IMessageLog,
        time: Time,
        amended: Callable[[Amended, str], Awaitable[object]],
        outbox: IOutbox | None = None,
    ) -> None:
        """
        @param outbox: may hold entries that no history shows.
        @param amended: told of each retraction, and its room; the erasure waits for it.
        """
        self._archive = archive
        self._log = log
        self._time = time
        self._amended = amended
        self._outbox = outbox

    async def erase(
        self,
        room: str,
        veil: Veil,
        after: int,
        keep: Callable[[int, int], Awaitable[None]],
    ) -> None:
        """
        Remove a person from the entries of *room* behind number *after*, up to the newest one now.

        @param keep: called after each step with the number up to which everything is done, and the
            count of messages retracted in the step.  An exception from it ends the erasure.
        @raise ChatError: the room cannot be read or changed now.
        """
        await self._erase_shown(room, veil, after, keep)
        if self._outbox is not None and (room == EVENTS_ROOM or not is_internal(room)):
            await self._outbox.erase(room, veil.subject)

    async def _erase_shown(
        self, room: str, veil: Veil, after: int, keep: Callable[[int, int], Awaitable[None]]
    ) -> None:
        top = (await self._archive.read(room, 0, 0)).position.seq
        while after < top:
            page = await self._archive.read(room, after, min(STEP, top - after))
            if not page.entries:
                return
            count = 0
            if is_internal(room):
                await self._redact(room, _veiled(room, page.entries, veil))
            else:
                count = await self._retract(room, page.entries, veil, page.position.oldest)
            after = page.entries[-1].seq
            await keep(after, count)
            await self._rest()

    async def _retract(self, room: str, entries: Sequence[Entry], veil: Veil, oldest: int) -> int:
        own = [each.seq for each in entries if isinstance(each, Message) and veil.covers(each.user)]
        for start in range(0, len(own), MOST_REFS):
            refs = tuple(own[start : start + MOST_REFS])
            told = await self._told(Retraction(room, refs, moderates=True))
            # Entries that no history shows.
            await self._redact(room, {ref: None for ref in refs if ref not in told})
        # Edits whose author is not known any more.
        lost = [each.seq for each in entries if isinstance(each, Edited) and each.ref < oldest]
        await self._redact(room, dict.fromkeys(lost))
        return len(own)

    async def _told(self, retraction: Retraction) -> Sequence[int]:
        """Retract messages; return the numbers that members are told."""
        amended = await self._amend(retraction)
        if amended is None:
            return ()
        await self._amended(amended, retraction.room)
        return [each.seq for each in amended.before]

    async def _redact(self, room: str, changes: Mapping[int, str | None]) -> None:
        for some in _groups(changes):
            await self._amend(Redaction(room, some))

    async def _amend(self, amendment: Retraction | Redaction) -> Amended | None:
        """Amend entries; return None if none of them is left."""
        try:
            amended: Amended = await answer_of(self._log.amend, amendment)
        except ChatError as reason:
            if reason.kind is Kind.NOT_FOUND:
                return None
            raise
        await self._rest()
        return amended

    def _rest(self) -> Awaitable[None]:
        return deferLater(self._time, PAUSE)


def _veiled(room: str, entries: Sequence[Entry], veil: Veil) -> dict[int, str | None]:
    """Find the entries of an internal room that name a person; return their new texts."""
    changes: dict[int, str | None] = {}
    for each in entries:
        if not isinstance(each, Message):
            continue
        if veil.covers(each.user):
            changes[each.seq] = None
        elif room == AUDIT_ROOM:
            text = veil.over_record(each.message)
            if text != each.message:
                changes[each.seq] = text
        elif veil.names(each.message):
            changes[each.seq] = None
    return changes


def _groups(changes: Mapping[int, str | None]) -> Iterator[dict[int, str | None]]:
    """Split *changes* into parts for one redaction each."""
    group: dict[int, str | None] = {}
    size = 0
    for seq, text in changes.items():
        group[seq] = text
        size += len(text or "")
        if len(group) == MOST_REFS or size >= _CHARACTERS:
            yield group
            group, size = {}, 0
    if group:
        yield group
