"""A room that is joined."""

from __future__ import annotations

import asyncio
import secrets
import ssl as tls
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, Self, TypeVar

from livechat_client.address import Address
from livechat_client.connection import Connection
from livechat_client.endings import End, seconds
from livechat_client.entries import (
    Ack,
    Entry,
    Frame,
    Gap,
    Page,
    Place,
    Restriction,
    Status,
    User,
    entry_of,
)
from livechat_client.errors import Closed, Refused, Unanswered, Unreachable
from livechat_client.inbox import Inbox
from livechat_client.link import Link, Lost
from livechat_client.sending import Sender, whole
from livechat_client.tokens import Token, Tokens

_T = TypeVar("_T")

#: Entries that wait for whoever iterates over the chat, unless said.
INBOX: Final = 1_000
#: Seconds for the first connection, unless said.
OPEN_TIMEOUT: Final = 10.0
#: Seconds between two times at which the others are told that one is writing.
TYPING: Final = 3.0
#: Seconds until a resume that was refused is asked for again, if the server does not say.
RESUME: Final = 1.0
#: Messages that are read anew where a room's numbering began anew.
NEWEST: Final = 100
#: The rights of a user where an older server does not say.
USUAL: Final = ("join", "history", "send")


class Chat:
    """
    A room, as `connect` gives it.

    Iterate over it for what is said from now on. An entry goes to one iteration only, so let one
    task read.

    @ivar user: as whom the server knows this client.
    @ivar can: the rights that the client has here.
    @ivar settings: the room's settings that are not the usual ones.
    @ivar restriction: what moderators have taken from the client.
    @ivar status: how the connection is.
    """

    def __init__(
        self,
        address: Address,
        tokens: Tokens,
        *,
        ssl: tls.SSLContext | None = None,
        inbox: int = INBOX,
        on_status: Callable[[Status], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        self.user: User | None = None
        self.can: frozenset[str] = frozenset()
        self.settings: Frame = {}
        self.restriction: Restriction | None = None
        self.status = Status("connecting")
        #: How often the room's numbers have begun anew.
        self.numbering = 0
        self._address = address
        self._seen: Place | None = None
        #: The next entry may have any number.
        self._anew = False
        #: Entries came for which there was no room.
        self._behind = False
        self._connection = Connection(address, tokens, self, ssl)
        self._sender = Sender(self)
        self._inbox = Inbox(inbox)
        self._on_status = on_status
        self._on_frame = on_frame
        self._typed = -TYPING
        self._paging = asyncio.Lock()
        self._running: asyncio.Task[End] | None = None
        self._again: asyncio.Task[None] | None = None

    async def open(self, within: float | None) -> None:
        """Connect. Raises `Closed`, or `Unreachable` after *within* seconds."""
        self._running = asyncio.create_task(self._connection.run())
        self._running.add_done_callback(self._over)
        try:
            async with asyncio.timeout(within):
                await self.linked()
        except TimeoutError:
            raise Unreachable(self.status.reason or "No answer came.") from None

    async def close(self) -> None:
        """Leave the room; no-op if that was done."""
        for task in (self._running, self._again):
            if task and not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _over(self, running: asyncio.Task[End]) -> None:
        """Nothing more will come."""
        error: BaseException | None = None
        end = End("The chat was left.", 1000)
        if not running.cancelled():
            error = running.exception()
            if error is None:
                end = running.result()
                error = Closed(end.reason, end.code)
        self._connection.close(error or Closed(end.reason, end.code))
        self._inbox.end(error)
        self.told(Status("closed", end.code, end.reason))

    # Calls of the program.

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        link = self._connection.link
        if self._behind and self._inbox.is_empty and link and not link.is_resuming:
            await self._resume(link)
        return await self._inbox.get()

    async def send(
        self, text: str, *, reply_to: int | None = None, data: Mapping[str, Any] | None = None
    ) -> Ack:
        """
        Say something, once, however often it has to be sent.

        @param reply_to: the number of the message that this one answers.
        @param data: what is for programs, such as a picture's address.
        """
        more = {"reply_to": reply_to, "data": data}
        return await self._sender.send(_frame("message", message=whole(text), **more))

    async def edit(self, ref: int, text: str, *, data: Mapping[str, Any] | None = None) -> Ack:
        """Give one's own message *ref* another text, and other *data*, or none."""
        return await self._sender.send(_frame("edit", ref=ref, message=whole(text), data=data))

    async def retract(self, refs: int | Sequence[int]) -> Ack:
        """Take back messages, at most 100."""
        numbers = [refs] if isinstance(refs, int) else list(refs)
        return await self._sender.send(_frame("retract", refs=numbers))

    async def act(self, action: Frame) -> Ack:
        """
        Do anything else that the protocol knows, such as `{"type": "report", "ref": 7}`.

        The action is sent at once and once, and needs a connection. Raises `Unanswered` where
        that is lost before the answer comes.
        """
        return await self._now(lambda link: link.ask(action))

    async def history(
        self,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int | None = None,
        q: str | None = None,
        user: str | None = None,
        guest: bool | None = None,
    ) -> Page:
        """
        Read messages that were said before: the newest, or those next to a number.

        With `q` only those with this text, with `user` only those of this user, or guest.
        """
        asked = _frame("history", before=before, after=after, limit=limit, q=q, user=user)
        if guest:
            asked["guest"] = True
        async with self._paging:
            return await self._now(lambda link: link.page(asked))

    async def _now(self, ask: Callable[[Link], Awaitable[_T]]) -> _T:
        link = self._connection.link
        if link is None:
            if self.status.state == "closed":
                raise Closed(self.status.reason, self.status.code)
            raise Refused("unavailable", "There is no connection.")
        try:
            return await ask(link)
        except Lost:
            raise Unanswered("unknown", "No answer came: it may be done, or not.") from None

    async def rename(self, name: str) -> str:
        """Be called otherwise, for guests; return the name that the server has given."""
        done = await self.act({"type": "rename", "name": name})
        self._be(done.name or name)
        return done.name or name

    def _be(self, name: str) -> None:
        assert self.user
        self.user = replace(self.user, name=name)
        # The next connection comes by it.
        self._address.rename(name)

    async def typing(self) -> None:
        """Tell the others that this user is writing. To call it at each key is fine."""
        link, now = self._connection.link, time.monotonic()
        if link and "send" in self.can and now - self._typed >= TYPING:
            self._typed = now
            await link.tell({"type": "typing"})

    # Calls of the connection and the sender.

    async def linked(self) -> Link:
        return await self._connection.linked()

    def place(self) -> Place | None:
        # Entries that had no room come again.
        self._behind = False
        return self._seen

    def told(self, status: Status) -> None:
        self.status = status
        _call(self._on_status, status)

    def greeted(self, frame: Frame) -> None:
        self._sender.longest = frame["limits"]["message_bytes"]
        self.user = User.of(frame["user"])
        self.settings = frame.get("settings") or {}
        self._know(frame)
        if self._seen is None:
            self._seen = Place(frame["epoch"], frame["seq"])

    def hear(self, link: Link, frame: Frame) -> None:
        match frame["type"]:
            case "message" | "event":
                self._entry(link, frame)
                return
            case "resumed":
                self._resumed(link, frame)
                return
            case "ack":
                link.acknowledged(frame)
                return
            case "history":
                link.paged(frame)
                return
            case "error" if self._refused(link, frame):
                return
            case "rights":
                self._know(frame)
            case "renamed":
                self._renamed(User.of(frame["user"]))
            case "room":
                self.settings = frame["settings"]
                self._sender.hurry()
        _call(self._on_frame, frame)

    def _know(self, frame: Frame) -> None:
        self.can = frozenset(frame.get("can", USUAL))
        restriction = frame.get("restriction")
        self.restriction = Restriction.of(restriction) if restriction else None

    def _renamed(self, user: User) -> None:
        me = self.user
        if me and (me.id, me.verified) == (user.id, user.verified) and me.name != user.name:
            # From another connection of the same guest.
            self._be(user.name)

    def _refused(self, link: Link, frame: Frame) -> bool:
        if "nonce" not in frame and link.is_resuming:
            wait = seconds(frame["error"].get("retry_ms"))
            self._again = asyncio.create_task(self._resume_later(link, wait or RESUME))
            return True
        return link.refused(frame)

    # Entries.

    def _entry(self, link: Link, frame: Frame) -> None:
        seen, seq = self._seen, frame["seq"]
        if seen is None or link.is_resuming or (seq <= seen.seq and not self._anew):
            return
        if seq > seen.seq + 1 and not (self._anew or self._behind):
            # This never happens; if it did, asking for the missing entry would bring it.
            link.lose(End("An entry is missing."))
        elif self._behind or self._inbox.is_full:
            self._behind = True
        else:
            entry = entry_of(frame)
            self._anew = False
            self._seen = Place(seen.epoch, seq)
            if entry:
                self._inbox.put(entry)

    async def _resume(self, link: Link) -> None:
        """Ask for what there was no room for."""
        seen = self._seen
        assert seen
        self._behind = False
        await link.resume({"type": "resume", "epoch": seen.epoch, "seq": seen.seq})

    async def _resume_later(self, link: Link, wait: float) -> None:
        await asyncio.sleep(wait)
        if link is self._connection.link:
            await self._resume(link)

    def _resumed(self, link: Link, frame: Frame) -> None:
        if not frame["complete"]:
            self._missed(frame)
        link.resumed()

    def _missed(self, frame: Frame) -> None:
        seen, reason = self._seen, frame["reason"]
        assert seen
        missed = None
        if reason == "trimmed":
            missed = frame["oldest"] - seen.seq - 1
            self._seen = Place(seen.epoch, frame["oldest"] - 1)
        elif reason == "epoch":
            self._seen = Place(frame["epoch"], max(0, frame["to"] - NEWEST))
            self.numbering += 1
        self._anew = reason != "trimmed"
        self._inbox.put_gap(Gap(reason, missed))


def _call(callback: Callable[[_T], None] | None, told: _T) -> None:
    """Tell a *callback*, whose exceptions are the loop's and not the connection's."""
    if callback:
        asyncio.get_running_loop().call_soon(callback, told)


def _frame(kind: str, **fields: Any) -> dict[str, Any]:
    """Make a frame of those *fields* that are given."""
    return {"type": kind, **{name: each for name, each in fields.items() if each is not None}}


@asynccontextmanager
async def connect(
    url: str,
    *,
    room: str = "lobby",
    name: str | None = None,
    key: str | None = None,
    token: Token | None = None,
    user: str | None = None,
    ssl: tls.SSLContext | None = None,
    inbox: int = INBOX,
    open_timeout: float | None = OPEN_TIMEOUT,
    on_status: Callable[[Status], None] | None = None,
    on_frame: Callable[[Frame], None] | None = None,
) -> AsyncIterator[Chat]:
    """
    Join a room, and stay in it until the block ends.

    @param url: the server's, such as ``https://chat.example.org:10443``.
    @param name: a guest's name; without one the server makes one up.
    @param key: 16 to 64 characters by which a guest is the same user each time; without it the
        guest is the same as long as the block lasts.
    @param token: a token of the site, a key (``lck_...``), or a function that gives a token and
        is called again before that ends.
    @param user: in whose name the bearer of a key acts.
    @param ssl: for a certificate that no known authority has signed.
    @param inbox: how many entries may wait to be iterated over.
    @param open_timeout: seconds for the first connection; None waits for ever.
    @param on_status: called when the connection's state changes. What it raises, the loop reports.
    @param on_frame: called with every frame that is no entry and no answer: who joins, who
        leaves, who types, rights, settings, cases.
    """
    guest = None if token else key or secrets.token_urlsafe(18)
    chat = Chat(
        Address(url, room, {"client": guest, "user": user, "name": name}),
        Tokens(token),
        ssl=ssl,
        inbox=inbox,
        on_status=on_status,
        on_frame=on_frame,
    )
    try:
        await chat.open(open_timeout)
        yield chat
    finally:
        await chat.close()
