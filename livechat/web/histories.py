"""
Histories by HTTP: a part of one, the messages that fit a search, or all of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlencode

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.negotiation import weights
from livechat.http.response import Headers, Response, streamed, streamed_json
from livechat.identity.actor import Actor
from livechat.identity.door import Door
from livechat.protocol.actions import LONGEST_USER_ID
from livechat.protocol.messages import User
from livechat.protocol.wire import encode
from livechat.rooms.chat import Chat
from livechat.rooms.dossier import Broken, Line, to_lines
from livechat.rooms.history import HISTORY_PAGE, LONGEST_HISTORY, History, Window
from livechat.rooms.search import LONGEST_TEXT, Wanted, folded
from livechat.web import operations as told
from livechat.web.credentials import CredentialFinder
from livechat.web.queries import claim, room_of, window

#: A message a line.
NDJSON: Final = "application/x-ndjson"
#: The ``limit`` of all that is kept.
ALL: Final = "all"


class Histories:
    """The endpoint."""

    def __init__(self, chat: Chat, door: Door, credentials: CredentialFinder) -> None:
        self._chat = chat
        self._door = door
        self._credentials = credentials

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {
            "/chat/history/": Endpoint({"GET": self.history}, None, told.history("history")),
            "/chat/history/{room}/": Endpoint(
                {"GET": self.history}, None, told.history("historyOf")
            ),
            "/chat/export/": Endpoint({"GET": self.export}, None, told.export()),
        }

    async def history(self, call: Call) -> Response:
        """A part of a room's history, oldest first; where it stands is in headers."""
        room = room_of(call, self._chat.default_room)
        wanted = _wanted(call.query)
        if call.query.get("limit") == ALL:
            return await self._whole(call, room, wanted)
        part = window(call.query, HISTORY_PAGE)
        actor = await self._caller(call)
        if wanted is None:
            found = await self._chat.history(actor, room, part)
        else:
            # A search counts as an act: it reads more than a page.
            self._chat.admit(actor)
            whole = await self._chat.history(actor, room, Window(0))
            found = await self._chat.searches.search(whole, part, wanted)
        headers = (*place(found), *links(f"/chat/history/{room}/", call.query, part, found))
        return streamed_json(listed("chat_history", found), headers)

    async def _whole(self, call: Call, room: str, wanted: Wanted | None) -> Response:
        """Stream all kept messages, one a line."""
        if not weights(call.joined("accept")).get(NDJSON):
            raise ChatError(Kind.BAD_QUERY, f"limit={ALL} needs 'Accept: {NDJSON}'.")
        if "before" in call.query or "after" in call.query:
            raise ChatError(
                Kind.BAD_QUERY, f"limit={ALL} cannot be combined with 'before' or 'after'."
            )
        actor = await self._caller(call)
        self._chat.admit(actor)
        self._chat.require(actor, room, "manage")
        whole = (await self._chat.history(actor, room, Window(0))).whole()
        return streamed(NDJSON, _lines(whole, wanted or Wanted()), place(whole))

    async def export(self, call: Call) -> Response:
        """Stream all that is kept of a person; an export without its last line is not whole."""
        user, guest = call.query.get("user", ""), call.query.get("guest", "0")
        _check_user(user, guest)
        actor = await self._caller(call)
        self._chat.admit(actor)
        found = self._chat.forgetting.dossiers.read(actor, user, guest=guest == "1")
        return streamed(NDJSON, _dossier(found))

    async def _caller(self, call: Call) -> Actor:
        return await self._door.caller(call.source, claim(call, {}, self._credentials.find(call)))


def _wanted(asked: Mapping[str, str]) -> Wanted | None:
    """
    Read a query's filter of messages; None if it has none.

    @raise ChatError: no message can fit the filter.
    """
    user, text, guest = asked.get("user"), asked.get("q"), asked.get("guest", "0")
    if user is None and text is None:
        return None
    _check_user("-" if user is None else user, guest)
    if text is not None and not 0 < len(text) <= LONGEST_TEXT:
        raise ChatError(Kind.BAD_QUERY, f"'q' is a text of 1 to {LONGEST_TEXT} characters.")
    subject = None if user is None else User(user, user, verified=guest == "0").subject
    return Wanted(subject, None if text is None else folded(text))


def _check_user(user: str, guest: str) -> None:
    """
    @raise ChatError: the text cannot be an id.
    """
    if not 0 < len(user) <= LONGEST_USER_ID:
        raise ChatError(Kind.BAD_QUERY, f"'user' is an id of 1 to {LONGEST_USER_ID} characters.")
    if guest not in ("0", "1"):
        raise ChatError(Kind.BAD_QUERY, "'guest' is 1 for a guest's id, or 0.")


async def listed(name: str, found: History) -> AsyncGenerator[bytes, None]:
    """``{"chat_history": [...]}``, a page at a time."""
    lead = b'{"%b":[' % name.encode()
    async for page in found.pages():
        yield lead + b",".join(map(encode, page))
        lead = b","
    yield (lead if lead != b"," else b"") + b"]}"


async def _lines(whole: History, wanted: Wanted) -> AsyncGenerator[bytes, None]:
    async for page in whole.pages():
        lines = [encode(each) for each in page if wanted.fits(each)]
        if lines:
            yield b"\n".join(lines) + b"\n"


async def _dossier(found: AsyncGenerator[list[Line], None]) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(found) as pieces:
            async for lines in pieces:
                if lines:
                    yield to_lines(lines)
    except ChatError as reason:
        # The status is sent already, so the last line has the error.
        yield to_lines([Broken(reason.kind.code, reason.detail)])


def place(found: History) -> Headers:
    """Headers with the room's place."""
    return (
        ("Livechat-Epoch", found.position.epoch),
        ("Livechat-Seq", str(found.position.seq)),
    )


def links(path: str, asked: Mapping[str, str], part: Window, found: History) -> Headers:
    """
    Links to the neighbouring parts of a history (RFC 8288).

    @param asked: the query, whose filters hold for the links, too.
    """
    limit = min(part.limit, LONGEST_HISTORY)
    links: list[tuple[str, dict[str, Any]]] = []
    if found.older is not None:
        links.append(("prev", {"before": found.older, "limit": limit}))
    if found.newer is not None:
        links.append(("next", {"after": found.newer, "limit": limit}))
    if not links:
        return ()
    more = {name: asked[name] for name in ("user", "guest", "q") if name in asked}
    shown = (f'<{path}?{urlencode(there | more)}>; rel="{rel}"' for rel, there in links)
    return (("Link", ", ".join(shown)),)
