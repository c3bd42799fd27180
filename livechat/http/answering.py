"""
An answer, as it is written: whole, in pieces as fast as its client reads, or by a feed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import lru_cache
from time import time

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import NO_BODY_CODES, datetimeToString
from twisted.web.http import Request as HttpRequest
from zope.interface import implementer

from livechat.http.connection import Channel
from livechat.http.response import PHRASES, Feed, Response
from livechat.http.site import Site

#: Formats a date for HTTP; cached, as all answers of a second share it.
_date = lru_cache(maxsize=1)(datetimeToString)


def date() -> bytes:
    """The time, for the header ``Date``."""
    now: bytes = _date(int(time()))
    return now


class Answering(server.Request):
    """
    A request that can be answered with a `Response`.

    @ivar gone: whether the connection was lost meanwhile.
    """

    channel: Channel
    site: Site
    gone = False
    _headers: dict[str, tuple[str, ...]]
    _end: Callable[[], None] | None = None

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        self.end()
        super().connectionLost(reason)

    async def answer(self, response: Response) -> None:
        body = response.body
        if isinstance(body, bytes):
            head = self._begin(response, len(body))
            if self.method == b"HEAD":
                body = b""
            self.sentLength = len(body)
            self.channel.transport.write(head + body)
        else:
            self.channel.begin_answer(self._begin(response, None))
            if not isinstance(body, AsyncGenerator):
                await self._feed(body)
            elif self.method != b"HEAD":
                await self._stream(body, response.end)
        if not self.gone:
            self.finish()

    def _begin(self, response: Response, length: int | None) -> bytes:
        """
        Begin an endpoint's answer; return its head.

        Written here, as Twisted looks at each header several times.

        @param length: the body's, if it is known.
        """
        self.setResponseCode(response.status, PHRASES[response.status])
        self.close_behind()
        head = response.head()
        if response.status in NO_BODY_CODES:
            framing = b""
        elif length is not None:
            framing = b"Content-Length: %d\r\n" % length
        else:
            self.chunked = self.clientproto == b"HTTP/1.1" and self.method != b"HEAD"
            framing = b"Transfer-Encoding: chunked\r\n" if self.chunked else b""
        self.startedWriting = 1
        return b"%b %d %b\r\nDate: %b\r\n%b%b%b\r\n" % (
            self.clientproto,
            response.status,
            self.code_message,
            date(),
            b"" if self.channel.persistent else b"Connection: close\r\n",
            head,
            framing,
        )

    def close_behind(self) -> None:
        """
        Close the connection behind the answer, where it must.  A client whose handshake is refused
        waits for nothing else on it, and would hold it as long as HTTP keeps one.
        """
        upgrade = self._headers.get("upgrade")
        handshake = upgrade is not None and "websocket" in upgrade[-1].lower()
        if handshake or self.site.stopping:
            self.channel.persistent = False

    async def _feed(self, feed: Feed) -> None:
        """Hand the connection to *feed* until one of them ends."""
        if self.method == b"HEAD":
            feed.end()
            return
        self._end = feed.end
        self.channel.begin_feed()
        self.registerProducer(feed, True)
        await feed.begin(self.send, self.channel.transport.abortConnection)
        if not self.gone:
            self.unregisterProducer()

    async def _stream(
        self, body: AsyncGenerator[bytes, None], end: Callable[[], None] | None
    ) -> None:
        """Write the pieces no faster than the client reads them."""
        pace = Pace()
        self.registerProducer(pace, True)
        if end is not None:
            self._end = end
            self.channel.begin_stream()
        try:
            async with aclosing(body) as pieces:
                async for piece in pieces:
                    await pace.ready()
                    if self.gone:
                        return
                    self.send(piece)
        finally:
            self.end()
            if not self.gone:
                self.unregisterProducer()

    def send(self, data: bytes) -> None:
        """Write a part of an endpoint's answer."""
        HttpRequest.write(self, data)

    def end(self) -> None:
        """End an answer that would go on."""
        end, self._end = self._end, None
        if end is not None:
            end()


@implementer(IPushProducer)
class Pace:
    """Tells when the client has read enough for more to be written."""

    def __init__(self) -> None:
        self._paused = False
        self._waiting: Deferred[None] | None = None

    def ready(self) -> Deferred[None]:
        """Fires when the next piece may be written, or nobody is there any more."""
        if not self._paused:
            return succeed(None)
        self._waiting = Deferred()
        return self._waiting

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()
