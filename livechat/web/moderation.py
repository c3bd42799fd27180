"""
Moderators' lists by HTTP: restrictions, open cases, and the audit.

Moderators act by `livechat.web.back_ends`, and by frames of ``livechat.v1``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json, streamed_json
from livechat.identity.actor import Actor
from livechat.identity.door import Door
from livechat.identity.leases import IHolder
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import ISink
from livechat.members.base import HEARTBEAT
from livechat.protocol.audit import record_of_text
from livechat.protocol.back_ends import (
    CaseLine,
    CaseList,
    RecordLine,
    RestrictionLine,
    RestrictionList,
)
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.messages import Entry, Message, Place, Position
from livechat.protocol.moderation import Case, Restriction
from livechat.protocol.names import room_name
from livechat.protocol.v1 import Resumed, error_of
from livechat.protocol.values import place_of_text
from livechat.protocol.wire import encode
from livechat.rooms.case_register import data_of
from livechat.rooms.chat import Chat
from livechat.rooms.history import HISTORY_PAGE, History, Window
from livechat.system.time import Time
from livechat.web import back_end_operations as told
from livechat.web.admin.events import EventStream
from livechat.web.credentials import CredentialFinder
from livechat.web.histories import links, place
from livechat.web.queries import claim, page_limit, window

#: Records that a stream reads at a time.
_AT_ONCE: Final = 100
_COMMENT: Final = b":\n\n"


class ModerationApi:
    """The endpoints."""

    def __init__(self, chat: Chat, door: Door, credentials: CredentialFinder, time: Time) -> None:
        self._chat = chat
        self._door = door
        self._credentials = credentials
        self._time = time

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        restrictions, in_room = told.restrictions(), told.restrictions_of()
        return {
            "/chat/restrictions/": Endpoint({"GET": self.restrictions}, None, restrictions),
            "/chat/restrictions/{room}/": Endpoint({"GET": self.restrictions}, None, in_room),
            "/chat/cases/": Endpoint({"GET": self.cases}, None, told.cases()),
            "/chat/cases/{room}/": Endpoint({"GET": self.cases}, None, told.cases_of()),
            "/chat/audit/": Endpoint({"GET": self.audit}, None, told.audit()),
            "/chat/audit/events/": Endpoint({"GET": self.events}, None, told.audit_events()),
        }

    async def restrictions(self, call: Call) -> Response:
        """The restrictions in force, everywhere or in a room, the oldest first, page by page."""
        actor = await self._caller(call)
        listed = self._chat.moderation.listed(actor, _room(call))
        after, limit = _after(call, 3), page_limit(call.query)
        if after is not None:
            listed = [each for each in listed if _place_of(*each) > after]
        page = listed[:limit]
        following = _text(_place_of(*page[-1])) if len(listed) > limit else None
        return json(RestrictionList([_line(*each) for each in page], following))

    async def cases(self, call: Call) -> Response:
        """The open cases, of all rooms or of one, the oldest first, page by page."""
        actor = await self._caller(call)
        listed = self._chat.cases.listed(actor, _room(call))
        after, limit = _after(call, 2), page_limit(call.query)
        if after is not None:
            listed = [(known, case) for known, case in listed if (case.time, known) > after]
        page = listed[:limit]
        following = _text((page[-1][1].time, page[-1][0])) if len(listed) > limit else None
        return json(CaseList([_case(*each) for each in page], following))

    async def audit(self, call: Call) -> Response:
        """The records of the audit, as a history."""
        actor = await self._auditor(call)
        part = window(call.query, HISTORY_PAGE)
        found = await self._chat.audit.history(actor, part)
        headers = (*place(found), *links("/chat/audit/", {}, part, found))
        return streamed_json(_records(found), headers)

    async def events(self, call: Call) -> Response:
        """The records as server-sent events, as they come."""
        actor = await self._auditor(call)
        since = call.header("Last-Event-ID") or call.query.get("since")
        seen = None if since is None else place_of_text(since)
        # An unreadable audit is refused here: a stream that has begun has its status already.
        position = (await self._chat.audit.history(actor, Window(0))).position
        stream = _Stream(self._chat, actor, EventStream(self._time, float("inf")))
        return stream.answer(seen or Place(position.epoch, position.seq))

    async def _auditor(self, call: Call) -> Actor:
        """
        @raise ChatError: the caller may not see the audit.
        """
        actor = await self._caller(call)
        self._chat.require(actor, EVERYWHERE, "moderate")
        return actor

    async def _caller(self, call: Call) -> Actor:
        """
        Admit a caller: a look counts as an act.

        @raise ChatError: there were too many.
        """
        claimed = claim(call, {}, self._credentials.find(call))
        actor = await self._door.caller(call.source, claimed)
        self._chat.admit(actor)
        return actor


@implementer(IHolder, ISink)
class _Stream:
    """A stream of the audit to a client, for as long as its rights last."""

    def __init__(self, chat: Chat, actor: Actor, events: EventStream) -> None:
        self._chat = chat
        self._actor = actor
        self._events = events
        self._refusal: ChatError | None = None

    def answer(self, seen: Place) -> Response:
        """Make the answer, a stream that begins behind *seen*."""
        return self._events.answer(self._pieces(seen))

    def expiring(self) -> None:
        """No-op: a listener cannot bring another token."""

    def lapsed(self, reason: ChatError) -> None:
        self._refusal = reason
        self._events.end()

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        self._events.news()

    async def _pieces(self, seen: Place) -> AsyncGenerator[bytes, None]:
        audit = self._chat.audit
        hold = self._chat.leases.hold(self._actor, self)
        try:
            await audit.watch(self._actor, self)
            async with aclosing(self._records(seen)) as pieces:
                async for each in pieces:
                    yield each
        except ChatError as reason:
            self._refusal = reason
        finally:
            audit.unwatch(self)
            if hold is not None:
                hold.end()
        if self._refusal is not None:
            yield encode_frame(Encoding.EVENTS, error_of(self._refusal))

    async def _records(self, seen: Place) -> AsyncGenerator[bytes, None]:
        """Yield all records behind *seen*, old and new, each gap before the records behind it."""
        asked = True
        while not self._events.ended:
            found = await self._read(seen)
            gap, seen = _gap(seen, found.position, asked=asked)
            if gap is not None:
                yield encode_frame(Encoding.EVENTS, gap, seen)
                asked = False
                continue
            async for page in found.pages():
                yield b"".join(_event(each, seen.epoch) for each in page)
            seen = Place(seen.epoch, max(seen.seq, found.last))
            if seen.seq >= found.position.seq:
                await self._events.rest(HEARTBEAT)
                yield _COMMENT

    async def _read(self, seen: Place) -> History:
        """
        Read the records behind *seen*.

        @raise ChatError: the actor may not read them, or may no longer.
        """
        # An actor keeps the rights that were found; each batch has an actor of its own.
        now = replace(self._actor, rights={}, restricted={})
        return await self._chat.audit.history(now, Window(_AT_ONCE, after=seen.seq))


def _gap(seen: Place, position: Position, *, asked: bool) -> tuple[Resumed | None, Place]:
    """
    Find the gap behind *seen*, if there is one, and the place to go on from.

    @param asked: the client asked, so it is told of the completeness as well.
    """
    if seen.epoch != position.epoch or seen.seq > position.seq:
        start = Place(position.epoch, position.oldest - 1)
        return Resumed(False, "epoch", epoch=position.epoch, to=position.seq), start
    if position.oldest > seen.seq + 1:
        start = Place(seen.epoch, position.oldest - 1)
        return Resumed(False, "trimmed", oldest=position.oldest, to=position.seq), start
    if not asked:
        return None, seen
    return Resumed(True, first=seen.seq + 1, to=position.seq), seen


def _event(message: Message, epoch: str) -> bytes:
    data = encode(_record(message))
    return b"event: record\nid: %b:%d\ndata: %b\n\n" % (epoch.encode(), message.seq, data)


async def _records(found: History) -> AsyncGenerator[bytes, None]:
    lead = b'{"records":['
    async for page in found.pages():
        yield lead + b",".join(encode(_record(each)) for each in page)
        lead = b","
    yield (lead if lead != b"," else b"") + b"]}"


def _record(message: Message) -> RecordLine:
    try:
        record = record_of_text(message.message)
    except ValueError:
        return RecordLine(message.seq, message.time)
    return RecordLine(message.seq, message.time, record.action, record.by, record.room, record.text)


def _line(room: str, restriction: Restriction) -> RestrictionLine:
    user = restriction.user
    return RestrictionLine(
        room,
        user,
        not user.verified,
        restriction.kind,
        restriction.until,
        restriction.reason,
        restriction.author,
        restriction.made,
    )


def _case(known_as: str, case: Case) -> CaseLine:
    # The owner of the case is left out, as it may be the mark of an address.
    return CaseLine(
        known_as,
        case.kind,
        case.room,
        case.time,
        case.message,
        case.user,
        data_of(case),
        case.reply_to,
        case.ref,
        case.reporter,
        case.reason or None,
    )


def _room(call: Call) -> str | None:
    room = call.names.get("room")
    return None if room is None else room_name(room)


#: The place of an entry in its list; a time is first.
_Place = tuple[int | str, ...]


def _place_of(room: str, restriction: Restriction) -> _Place:
    return restriction.made, room, restriction.user.subject


def _text(place: _Place) -> str:
    return "|".join(map(str, place))


def _after(call: Call, parts: int) -> _Place | None:
    """
    Read the place behind which a page begins; None for the first page.

    @raise ChatError: the text is not the `next` of a page.
    """
    text = call.query.get("after")
    if text is None:
        return None
    time, *rest = text.split("|", parts - 1)
    if len(rest) != parts - 1 or not (time.isascii() and time.isdigit() and len(time) <= 15):
        raise ChatError(Kind.BAD_QUERY, "'after' is the 'next' of the page before.")
    return int(time), *rest
