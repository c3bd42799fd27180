"""A connection to the server, and the requests that wait for an answer on it."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from livechat_client.endings import End, seconds
from livechat_client.entries import Ack, Frame, Page
from livechat_client.errors import ChatError, Held, Refused, Unanswered

#: Seconds for an answer.
ANSWER = 15.0


class Lost(Exception):
    """The connection is gone; what was asked for on it may be done, or not."""


class Link:
    """
    A WebSocket on which the server has said hello.

    @ivar ended: how it ended, or how this side wants it to.
    @ivar goaway: seconds for which the server, which is about to go, wants clients to stay away.
    @ivar gone: whether it is not the chat's any more.
    """

    def __init__(self, socket: ClientConnection, *, resuming: bool) -> None:
        """@param resuming: whether the server has yet to say what was missed."""
        self.ended: End | None = None
        self.goaway: float | None = None
        self.gone = asyncio.Event()
        self._socket = socket
        self._acks: dict[str, asyncio.Future[Ack]] = {}
        self._page: asyncio.Future[Page] | None = None
        self._resumed = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        if not resuming:
            self._resumed.set()

    async def tell(self, frame: Frame) -> None:
        """Send a frame that needs no answer; no-op if the connection is gone."""
        with suppress(ConnectionClosed):
            await self._socket.send(json.dumps(frame))

    async def ask(self, frame: Frame, nonce: str | None = None) -> Ack:
        """Send an action, and wait for its ack. Raises `Lost`, or what the server answers."""
        nonce = nonce or secrets.token_urlsafe(18)
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._acks[nonce] = answer
        try:
            await self._send({**frame, "nonce": nonce})
            async with asyncio.timeout(ANSWER):
                return await answer
        except TimeoutError:
            self.lose(End("A message got no answer."))
            raise Lost from None
        finally:
            del self._acks[nonce]

    async def page(self, frame: Frame) -> Page:
        """Ask for a page of the history; of these one is on its way at a time."""
        answer: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._page = answer
        try:
            await self._send(frame)
            async with asyncio.timeout(ANSWER):
                return await answer
        except TimeoutError:
            raise Lost from None
        finally:
            self._page = None

    async def _send(self, frame: Frame) -> None:
        if self.ended:
            raise Lost
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed:
            raise Lost from None

    @property
    def is_resuming(self) -> bool:
        return not self._resumed.is_set()

    async def resume(self, frame: Frame) -> None:
        """Ask for what came after a place."""
        self._resumed.clear()
        await self.tell(frame)

    def resumed(self) -> None:
        """The server has said what was missed."""
        self._resumed.set()

    async def when_resumed(self) -> None:
        """Wait until the server has said what was missed. Raises `Lost`."""
        await self._resumed.wait()
        if self.ended:
            raise Lost

    def acknowledged(self, frame: Frame) -> None:
        """Settle what an ack is about."""
        answer = self._acks.get(frame.get("nonce", ""))
        if answer and not answer.done():
            answer.set_result(Ack.of(frame))

    def refused(self, frame: Frame) -> bool:
        """Settle what an error is about; return whether it is about something that waits."""
        nonce = frame.get("nonce")
        answer = self._page if nonce is None else self._acks.get(nonce)
        if answer is None or answer.done():
            return nonce is not None
        _fail(answer, error_of(frame["error"]))
        return True

    def paged(self, frame: Frame) -> None:
        """Settle a request for a page of the history."""
        if self._page and not self._page.done():
            self._page.set_result(Page.of(frame))

    def lose(self, end: End) -> None:
        """Close the connection, which ends as *end* says; no-op if it has an end already."""
        if self.ended is None:
            self.ended = end
            self._closing = asyncio.create_task(self._socket.close())

    def over(self, end: End) -> None:
        """End all that waits for an answer."""
        self.ended = self.ended or end
        self._resumed.set()
        self.gone.set()
        for each in (*self._acks.values(), self._page):
            if each is not None and not each.done():
                _fail(each, Lost())


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    answer.set_exception(error)
    # Its caller may have been cancelled in this turn: then nobody looks, and nobody is to be told.
    answer.exception()


def error_of(error: dict[str, Any]) -> ChatError:
    """Make the exception of an error frame."""
    code = str(error["code"])
    kind = {"held": Held, "unknown": Unanswered}.get(code, Refused)
    retry = None if error.get("retry_ms") is None else seconds(error["retry_ms"])
    reason, case = error.get("reason"), error.get("case")
    return kind(code, str(error.get("detail", "")), retry=retry, reason=reason, case=case)
