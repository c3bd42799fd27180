"""The page of the audit: what operators did, the newest first and live."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeGuard

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.identity.actor import Actor
from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.looks import skeleton
from livechat.protocol.messages import Entry, Message
from livechat.rooms.audit import Audit
from livechat.rooms.history import History, Window
from livechat.rooms.search import Wanted, search
from livechat.system.time import Time
from livechat.web.admin.events import EventStream, Tail
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.parts import PAUSE, REFRESH, Parts
from livechat.web.html import Templates
from livechat.web.queries import window

#: Records of a page.
RECORDS_PER_PAGE: Final = 50
#: Characters of a filter.
LONGEST_FILTER: Final = 128


class AuditLine(Struct, frozen=True):
    """
    A record, as the page lists it.

    @ivar record: None where it cannot be read.
    """

    seq: int
    time: int
    record: AuditRecord | None


class _WantedRecords(Wanted, frozen=True):
    """
    The wanted records.

    @ivar room: the room of the act; empty for all acts, those without a room too.
    @ivar person: the actor or the target: a subject, the beginning of an id, or a part of a name.
    """

    room: str = ""
    person: str = ""

    def fits(self, entry: Entry) -> TypeGuard[Message]:
        if not isinstance(entry, Message):
            return False
        record = _record_of(entry)
        if record is None:
            return False
        return self.room in ("", record.room) and (not self.person or self._concerns(record))

    def _concerns(self, record: AuditRecord) -> bool:
        by, action = record.by, record.action
        users = [each for each in (action.user, by.user) if each is not None]
        if any(self.person == each.subject or each.id.startswith(self.person) for each in users):
            return True
        look = skeleton(self.person)
        names = [each.name for each in users] + [by.name or "", action.name or ""]
        return bool(look) and any(look in skeleton(each) for each in names)


_ALL: Final = _WantedRecords()


class AuditPages:
    """The audit's page, and its stream."""

    def __init__(self, audit: Audit, templates: Templates, time: Time) -> None:
        self._audit = audit
        self._templates = templates
        self._time = time

    async def page(self, asked: OperatorCall) -> Response:
        """The newest records, or earlier ones."""
        query = asked.call.query
        part, wanted = window(query, RECORDS_PER_PAGE), _wanted(query)
        selects = wanted != _ALL
        if selects:
            whole = await self._audit.history(asked.actor, Window(1))
            found: History = await search(whole, part, wanted)
        else:
            found = await self._audit.history(asked.actor, part)
        return self._templates.page(
            "admin/audit.html",
            now=self._time.wall(),
            live=part == Window(RECORDS_PER_PAGE) and not selects,
            newer=found.newer,
            wanted=wanted,
            longest=LONGEST_FILTER,
            **asked.frame,
            **await _listed(found, wanted),
        )

    async def events(self, asked: OperatorCall, stream: EventStream) -> AsyncGenerator[bytes, None]:
        """The newest records, whenever there is another one."""
        # An unreadable audit is refused here: a stream that has begun has its status already.
        await self._audit.history(asked.actor, Window(1))
        return self._parts(asked.actor, stream)

    async def _parts(self, actor: Actor, stream: EventStream) -> AsyncGenerator[bytes, None]:
        parts, tail = Parts(self._templates, ("records",)), Tail(stream)
        try:
            await self._audit.watch(actor, tail)
            shown = await self._newest(actor)
            while not stream.ended:
                yield parts.changed(shown)
                await stream.sleep(PAUSE)
                await stream.rest(REFRESH - PAUSE)
                if tail.drain():
                    shown = await self._newest(actor)
        except ChatError:
            # The backend is away.  The stream ends here, and the browser comes back.
            return
        finally:
            self._audit.unwatch(tail)

    async def _newest(self, actor: Actor) -> dict[str, Any]:
        return await _listed(await self._audit.history(actor, Window(RECORDS_PER_PAGE)))


async def _listed(found: History, wanted: _WantedRecords = _ALL) -> dict[str, Any]:
    """Return the values of the list's template."""
    messages = [message async for page in found.pages() for message in page]
    return {
        "lines": [AuditLine(each.seq, each.time, _record_of(each)) for each in reversed(messages)],
        "older": found.older,
        "kept": {"room": wanted.room, "person": wanted.person},
    }


def _record_of(message: Message) -> AuditRecord | None:
    with suppress(ValueError):
        return record_of_text(message.message)
    return None


def _wanted(asked: Mapping[str, str]) -> _WantedRecords:
    """
    @raise ChatError: nothing can be looked for so.
    """
    room, person = (asked.get(name, "").strip() for name in ("room", "person"))
    if max(len(room), len(person)) > LONGEST_FILTER:
        raise ChatError(Kind.BAD_QUERY, f"A filter has at most {LONGEST_FILTER} characters.")
    return _WantedRecords(room=room, person=person)
