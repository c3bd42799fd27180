"""The page of the audit: what operators did, the newest first and live."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from livechat.errors import ChatError
from livechat.http.response import Response
from livechat.identity.actor import Actor
from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.messages import Message
from livechat.rooms.audit import Audit
from livechat.rooms.history import History, Window
from livechat.system.time import Time
from livechat.web.admin.events import EventStream, Tail
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.parts import PAUSE, REFRESH, Parts
from livechat.web.html import Templates
from livechat.web.queries import window

#: Records of a page.
RECORDS_PER_PAGE: Final = 50


class AuditLine(Struct, frozen=True):
    """
    A record, as the page lists it.

    @ivar record: None where it cannot be read.
    """

    seq: int
    time: int
    record: AuditRecord | None


class AuditPages:
    """The audit's page, and its stream."""

    def __init__(self, audit: Audit, templates: Templates, time: Time) -> None:
        self._audit = audit
        self._templates = templates
        self._time = time

    async def page(self, asked: OperatorCall) -> Response:
        """The newest records, or earlier ones."""
        part = window(asked.call.query, RECORDS_PER_PAGE)
        found = await self._audit.history(asked.actor, part)
        return self._templates.page(
            "admin/audit.html",
            now=self._time.wall(),
            live=part == Window(RECORDS_PER_PAGE),
            newer=found.newer,
            **asked.frame,
            **await _listed(found),
        )

    async def events(self, asked: OperatorCall, stream: EventStream) -> AsyncGenerator[bytes, None]:
        """The newest records, whenever there is another one."""
        # Refused now, if it cannot be read: once the stream has begun it is too late.
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


async def _listed(found: History) -> dict[str, Any]:
    """Return the values of the list's template."""
    messages = [message async for page in found.pages() for message in page]
    return {"lines": [_line(each) for each in reversed(messages)], "older": found.older}


def _line(message: Message) -> AuditLine:
    record: AuditRecord | None = None
    with suppress(ValueError):
        record = record_of_text(message.message)
    return AuditLine(message.seq, message.time, record)
