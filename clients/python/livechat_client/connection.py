"""
The connection to a room: one after the other, as long as the room is not left.

    connecting --hello--> open --lost--> waiting --time--> connecting ...
         |                  |               |
         +------------------+---------------+--> closed: the caller's wish, or the server's
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import time
from dataclasses import replace
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from livechat_client.address import Address
from livechat_client.endings import Backoff, End, closed, refused, seconds
from livechat_client.entries import Frame, Place, Status
from livechat_client.link import Link
from livechat_client.tokens import NoToken, Tokens

#: Seconds for a server to say hello.
CONNECT = 10.0
#: For a server to answer a close.
CLOSE: Final = 2.0
#: Between two signs of life; and for an answer to a ping.
HEARTBEAT: Final = 25.0
PONG: Final = 10.0
#: Bytes of a frame.
LONGEST_FRAME: Final = 1 << 24

_PROTOCOL: Final = Subprotocol("livechat.v1")
#: Errors that say that a new token will not do for this connection.
_UNFIT: Final = {"forbidden", "unauthorized", "token_revoked"}


class Room(Protocol):
    """Told what happens on the connections."""

    def place(self) -> Place | None:
        """Return where a new connection goes on."""

    def greeted(self, frame: Frame) -> None:
        """The server has said hello."""

    def hear(self, link: Link, frame: Frame) -> None:
        """Any other frame has come."""

    def told(self, status: Status) -> None:
        """The connection's state has changed."""


class Connection:
    """Connects to a room, as often as it takes."""

    def __init__(
        self, address: Address, tokens: Tokens, room: Room, context: ssl.SSLContext | None
    ) -> None:
        self._address = address
        self._tokens = tokens
        self._room = room
        self._ssl = context
        self._linked: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._ahead = 0.0
        #: When the server said hello.
        self._since = math.inf
        self._renewal: asyncio.Task[None] | None = None
        self._renewing = False

    @property
    def link(self) -> Link | None:
        """The open connection, if there is one."""
        found = self._linked
        return found.result() if found.done() and not found.exception() else None

    async def linked(self) -> Link:
        """Wait for an open connection. Raises `Closed`."""
        # Others wait for the same one.
        return await asyncio.shield(self._linked)

    async def run(self) -> End:
        """Stay connected until the server does not want this client back; return why."""
        backoff = Backoff()
        while True:
            self._room.told(Status("connecting"))
            self._since = math.inf
            end = await self._once()
            backoff.lasted(time.monotonic() - self._since)
            # Another token may do.
            again = end.code == 4100 and self._tokens.renews
            if again:
                self._tokens.refuse()
            if end.final and not again:
                return end
            wait = backoff.wait(end)
            self._room.told(Status("waiting", end.code, end.reason, wait))
            await asyncio.sleep(wait)

    async def _once(self) -> End:
        place = self._room.place()
        try:
            headers = await self._tokens.headers()
        except NoToken as error:
            return End(str(error), 4100)
        try:
            socket = await connect_socket(
                self._address.socket(place),
                subprotocols=[_PROTOCOL],
                additional_headers=headers,
                compression=None,
                max_size=LONGEST_FRAME,
                open_timeout=CONNECT,
                close_timeout=CLOSE,
                ping_interval=HEARTBEAT,
                ping_timeout=PONG,
                ssl=(self._ssl or True) if self._address.is_secure else None,
            )
        except InvalidStatus as error:
            answer = error.response
            return refused(answer.status_code, answer.headers, bytes(answer.body or b""))
        except (OSError, TimeoutError, WebSocketException) as error:
            return End(str(error) or "No answer came.")
        link = Link(socket, resuming=place is not None)
        try:
            return await self._serve(socket, link)
        finally:
            self._drop(link)
            await socket.close()

    async def _serve(self, socket: ClientConnection, link: Link) -> End:
        """Read all that comes, until nothing more does."""
        try:
            async with asyncio.timeout(CONNECT):
                hello = json.loads(await socket.recv())
            if hello["type"] != "hello":
                return End("What came is not the protocol.")
            self._greeted(link, hello)
            while True:
                self._hear(link, json.loads(await socket.recv()))
        except ConnectionClosed:
            end = link.ended or closed(socket.close_code or 1006, socket.close_reason or "")
            if link.goaway is None or end.final:
                return end
            return replace(end, wait=link.goaway, exact=True)
        except TimeoutError:
            return End("No answer came.")
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
            return End("What came is not the protocol.")

    def _greeted(self, link: Link, hello: dict[str, Any]) -> None:
        self._ahead = hello.get("time", 1_000 * time.time()) / 1_000 - time.time()
        self._tokens.know(hello.get("expires"), self._ahead)
        self._since = time.monotonic()
        self._room.greeted(hello)
        self._linked.set_result(link)
        self._room.told(Status("open"))

    def _hear(self, link: Link, frame: dict[str, Any]) -> None:
        if link.ended:
            return
        match frame["type"]:
            case "goaway":
                link.goaway = seconds(frame.get("retry_ms"))
            case "rights":
                self._renewing = False
                self._tokens.know(frame.get("expires"), self._ahead)
                if frame.get("expiring") and self._tokens.renews:
                    self._renew(link)
            case "error" if self._token_refused(link, frame):
                return
        self._room.hear(link, frame)

    def _token_refused(self, link: Link, frame: dict[str, Any]) -> bool:
        """Do what is to be done where the server refuses a token; return whether it does."""
        error = frame["error"]
        code, detail = error["code"], str(error.get("detail", ""))
        if code == "token_expired" and self._tokens.renews:
            # Messages that were sent meanwhile go again with another token.
            link.lose(End(detail, 4100))
        elif self._renewing and "nonce" not in frame and code in _UNFIT:
            # The token is another user's: a connection of its own tells.
            link.lose(End(detail, exact=True))
        else:
            return False
        return True

    def _renew(self, link: Link) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._go_on(link))

    async def _go_on(self, link: Link) -> None:
        """Go on with another token, before this one ends."""
        while True:
            await asyncio.sleep(self._tokens.wait)
            try:
                token = await self._tokens.renew()
            except NoToken as error:
                self._room.told(Status("open", reason=str(error)))
            else:
                self._renewing = True
                await link.tell({"type": "auth", "token": token})
                return

    def _drop(self, link: Link) -> None:
        self._renewing = False
        if self._renewal:
            self._renewal.cancel()
            self._renewal = None
        if self._linked.done():
            self._linked = asyncio.get_running_loop().create_future()
        link.over(End("The connection is gone."))

    def close(self, error: BaseException) -> None:
        """End by *error* all that waits for a connection."""
        if not self._linked.done():
            self._linked.set_exception(error)
            # Nobody may be waiting for it.
            self._linked.exception()
