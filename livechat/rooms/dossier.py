"""
A dossier: everything that is kept of a person, read room by room, as lines.

    {"line":"person","user":"42","guest":false,"time":1790000000000}
    {"line":"restriction","room":"lobby","restriction":{"kind":"ban",…}}    and what was restricted
    {"line":"case","case":"c8f2","kept":{"kind":"report",…}}                by them
    {"line":"message","room":"lobby","message":{"message":"hi","seq":1042,…}}
    {"line":"record","seq":17,"time":…,"record":{"action":{…},"by":{…}}}    of the audit
    {"line":"progress","rooms":100}                     where nothing else comes for some seconds
    {"line":"end","restrictions":1,"cases":1,"messages":812,"records":3}

A dossier without its last line is not complete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IArchive, IBackend, IMessageLog
from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.messages import Message, User
from livechat.protocol.moderation import Case, Restriction
from livechat.protocol.names import AUDIT_ROOM, is_internal
from livechat.rooms.cases import Cases
from livechat.rooms.erasure import Veil
from livechat.rooms.history import History
from livechat.rooms.policy import Policy
from livechat.rooms.restrictions import Restrictions
from livechat.system.time import Time

#: The most dossiers that a process makes at a time: each reads all rooms.
MOST_AT_ONCE: Final = 2
#: Seconds without a line, after which a line of progress is sent.
SILENCE: Final = 5.0


class Person(Struct, frozen=True, tag_field="line", tag="person"):
    """
    The first line.

    @ivar time: when the dossier was begun, in milliseconds since 1970, UTC.
    """

    user: str
    guest: bool
    time: int


class Restricted(Struct, frozen=True, tag_field="line", tag="restriction"):
    """A restriction of the person, or one that the person has made."""

    room: str
    restriction: Restriction


class Opened(Struct, frozen=True, tag_field="line", tag="case"):
    """A case that involves the person."""

    case: str
    kept: Case


class Spoken(Struct, frozen=True, tag_field="line", tag="message"):
    """A message of the person, in its present state."""

    room: str
    message: Message


class Recorded(Struct, frozen=True, tag_field="line", tag="record"):
    """A record of the audit that names the person."""

    seq: int
    time: int
    record: AuditRecord


class Progress(Struct, frozen=True, tag_field="line", tag="progress"):
    """
    Rooms were read that have nothing of the person.  A reader does not take the silence for the
    end.

    @ivar rooms: how many, so far.
    """

    rooms: int


class End(Struct, frozen=True, tag_field="line", tag="end"):
    """The last line: the counts of the others."""

    restrictions: int = 0
    cases: int = 0
    messages: int = 0
    records: int = 0


class Broken(Struct, frozen=True, tag_field="line", tag="error"):
    """The last line of a broken dossier: the rest could not be read."""

    code: str
    detail: str


Line = Broken | Progress | Person | Restricted | Opened | Spoken | Recorded | End
_NOBODY: Final = User("", "")


class Dossiers:
    """Reads everything that is kept of people."""

    def __init__(
        self,
        backend: IBackend,
        policy: Policy,
        *,
        restrictions: Restrictions,
        cases: Cases,
        time: Time,
    ) -> None:
        self._archive: IArchive | None = backend.archive
        self._log: IMessageLog = backend.messages
        self._policy = policy
        self._restrictions = restrictions
        self._cases = cases
        self._time = time
        self._under_way = 0

    def read(self, actor: Actor, user: str, *, guest: bool) -> AsyncGenerator[list[Line], None]:
        """
        Read everything that is kept of a person, a few lines at a time.

        @raise ChatError: at once, if *actor* may not, or too many are read; later, if a room
            cannot be read.
        """
        self._policy.require(actor, EVERYWHERE, "manage")
        if self._archive is None:
            raise ChatError(Kind.UNAVAILABLE, "This backend cannot list its rooms.")
        if self._under_way >= MOST_AT_ONCE:
            raise ChatError(
                Kind.OVERLOADED,
                f"{MOST_AT_ONCE} people are being exported already; try again later.",
            )
        subject = User(user, user, verified=not guest).subject
        first = Person(user, guest, int(1000 * self._time.wall()))
        return self._counted(self._archive, first, subject)

    async def _counted(
        self, archive: IArchive, first: Person, subject: str
    ) -> AsyncGenerator[list[Line], None]:
        self._under_way += 1
        try:
            end = End()
            async with aclosing(self._lines(archive, first, subject)) as pieces:
                async for lines in pieces:
                    end = _plus(end, lines)
                    yield lines
            yield [end]
        finally:
            self._under_way -= 1

    async def _lines(
        self, archive: IArchive, first: Person, subject: str
    ) -> AsyncGenerator[list[Line], None]:
        veil = Veil(subject, _NOBODY)
        yield [first]
        yield [
            Restricted(room, each)
            for room, each in self._restrictions.all()
            if veil.covers(each.user) or veil.covers(each.author.user)
        ]
        yield [Opened(each.id, each.case) for each in self._cases.concerning(subject)]
        async with aclosing(self._said(archive, veil)) as pieces:
            async for lines in pieces:
                yield lines

    async def _said(self, archive: IArchive, veil: Veil) -> AsyncGenerator[list[Line], None]:
        cursor, seen, said = "", set[str](), self._time.seconds()
        while True:
            names, cursor = await archive.rooms(cursor)
            for room in names:
                # A store may name a room twice.
                if room in seen or (is_internal(room) and room != AUDIT_ROOM):
                    continue
                seen.add(room)
                position = (await self._log.read(room, 0, 0)).position
                whole = History(self._log, room, position, position.oldest, position.seq)
                async with aclosing(whole.pages()) as pages:
                    async for page in pages:
                        lines = _lines_of(room, page, veil)
                        if not lines and self._time.seconds() - said < SILENCE:
                            continue
                        said = self._time.seconds()
                        yield lines or [Progress(len(seen))]
            if not cursor:
                return


def _lines_of(room: str, page: tuple[Message, ...], veil: Veil) -> list[Line]:
    if room != AUDIT_ROOM:
        return [Spoken(room, each) for each in page if veil.covers(each.user)]
    named = (each for each in page if veil.names(each.message))
    found: list[Line] = []
    for each in named:
        try:
            found.append(Recorded(each.seq, each.time, record_of_text(each.message)))
        except ValueError:
            # A record of a later livechat.
            continue
    return found


def _plus(end: End, lines: list[Line]) -> End:
    kinds = [type(each) for each in lines]
    return replace(
        end,
        restrictions=end.restrictions + kinds.count(Restricted),
        cases=end.cases + kinds.count(Opened),
        messages=end.messages + kinds.count(Spoken),
        records=end.records + kinds.count(Recorded),
    )


def to_lines(lines: list[Line]) -> bytes:
    """Write lines, with their ends."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in lines)
