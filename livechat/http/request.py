"""
A request and its answer, on a `livechat.http.connection.Channel`.

Bodies stay in memory, within the channel's bound; an answer that goes on is written as fast
as its client reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import aclosing
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http_headers import Headers
from zope.interface import implementer

from livechat.errors import ChatError, Kind, internal
from livechat.http.access_log import bare
from livechat.http.endpoint import Call
from livechat.http.response import Response, Upgrade
from livechat.limits.source import Source
from livechat.members.event_stream import Feed
from livechat.members.websocket import Socket
from livechat.protocol.origins import is_host

if TYPE_CHECKING:
    from livechat.http.connection import Channel

# The target of a client that takes this server for a proxy, which
# must be accepted (RFC 9112, section 3.2.2): an authority, and the rest.
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)(.*)", re.ASCII | re.DOTALL | re.IGNORECASE)


class Request(http.Request):
    """A request, from its head to its answer."""

    _log = Logger()
    channel: Channel
    content: BytesIO
    #: Whether the connection was lost meanwhile.
    gone = False
    _has_failed = False
    _source: Source | None = None
    _end: Callable[[], None] | None = None

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > self.channel.factory.max_body:
            self.channel.refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.closing:
            return
        if self.content.tell() + len(data) > self.channel.factory.max_body:
            self.channel.refuse_body()
        else:
            self.content.write(data)

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        self.end()
        super().connectionLost(reason)

    def process(self) -> None:
        Deferred.fromCoroutine(self._serve()).addErrback(self._broken)

    async def _serve(self) -> None:
        found = await self.channel.factory.tree.answer(self._call())
        answer: Response | None
        if isinstance(found, Upgrade):
            answer = await self._upgrade(found)
        elif isinstance(found.body, Feed):
            answer = self._as_own(found, found.body)
        else:
            answer = found
        if answer is not None and not self.gone:
            await self._answer(answer)

    def _as_own(self, answer: Response, feed: Feed) -> Response | None:
        """
        Count the connection, which carries nothing but *feed* any more, as its client's; None
        if that has gone meanwhile.
        """
        if self.gone:
            feed.end()
            return None
        channel = self.channel
        if channel.factory.stopping:
            feed.end()
            return self._refusal(channel.factory.going())
        try:
            channel.admission.belongs_to(channel.source.key)
        except ChatError as error:
            feed.end()
            return self._refusal(error)
        channel.persistent = False
        return answer

    def _call(self) -> Call:
        target = self.uri.decode("latin-1")
        headers = self.all_headers()
        whole = _ABSOLUTE.fullmatch(target)
        if whole is not None:
            authority, target = whole[1], whole[2] if whole[2][:1] == "/" else f"/{whole[2]}"
            hosts = headers.get("host", ())
            # It counts, whatever Host says; but a Host that is none is refused all the same.
            if len(hosts) == 1 and is_host(hosts[0]):
                headers["host"] = (authority,)
        path, _, query = target.partition("?")
        method = self.method.decode("latin-1")
        body = self.content.getvalue()
        self._source = self.channel.source_by(headers.get("x-forwarded-for", ()))
        return Call(
            method,
            path,
            query,
            headers,
            body,
            self._source,
            old=self.clientproto == b"HTTP/1.0",
            proxied=self.channel.peer is not None,
        )

    def all_headers(self) -> dict[str, tuple[str, ...]]:
        """All values of the headers by lower-case name, as far as they have come."""
        return {
            name.decode("latin-1").lower(): tuple(value.decode("latin-1") for value in values)
            for name, values in self.requestHeaders.getAllRawHeaders()
        }

    def _refusal(self, error: ChatError) -> Response:
        return self.channel.factory.tree.refusal(error, self.all_headers())

    def getClientAddress(self) -> IAddress:
        """For the access log."""
        peer: IAddress = super().getClientAddress()
        if self._source is None or not isinstance(peer, IPv4Address | IPv6Address):
            return peer
        kind = IPv6Address if ":" in self._source.address else IPv4Address
        return kind("TCP", self._source.address, peer.port)

    async def _upgrade(self, upgrade: Upgrade) -> Response | None:
        """Go on as a WebSocket; None if that worked."""
        channel = self.channel
        factory = channel.factory
        if self.clientproto != b"HTTP/1.1":
            error = ChatError(Kind.BAD_HANDSHAKE, "A handshake needs HTTP/1.1.")
            return self._refusal(error)
        found = await self._entered(upgrade)
        # While the room was entered, the goodbyes may have gone round.
        if isinstance(found, Socket) and (self.gone or factory.stopping):
            found.abandon()
        if self.gone:
            return None
        if factory.stopping:
            found = factory.going()
        if isinstance(found, ChatError):
            if upgrade.subprotocol is None:
                return self._refusal(found)
            found = factory.sockets.going() if factory.stopping else factory.sockets.refused(found)
        self.setResponseCode(HTTPStatus.SWITCHING_PROTOCOLS)
        factory.log(self)
        channel.hand_over(found, upgrade)
        return None

    async def _entered(self, upgrade: Upgrade) -> Socket | ChatError:
        """A socket in its room; or why there is none, which clients of v1 see as a close code."""
        try:
            return await self._enter(upgrade)
        except ChatError as reason:
            return reason
        except Exception:  # noqa: BLE001 - whatever it is, the client is told
            self._log.failure("A handshake met a bug.")
            return internal()

    async def _enter(self, upgrade: Upgrade) -> Socket:
        """
        @raise ChatError: the room cannot be entered.
        """
        channel = self.channel
        if channel.factory.stopping:
            raise channel.factory.going()
        if channel.admission.refusal is not None:
            raise channel.admission.refusal
        channel.admission.belongs_to(channel.source.key)
        if isinstance(upgrade.visit, ChatError):
            raise upgrade.visit
        return await channel.factory.sockets.enter(upgrade.visit, channel.source)

    async def _answer(self, response: Response) -> None:
        self.setResponseCode(response.status, HTTPStatus(response.status).phrase.encode())
        self.setHeader(b"Date", http.datetimeToString())
        if self._is_last():
            self.channel.persistent = False
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        for name, value in response.all_headers():
            self.responseHeaders.addRawHeader(name.encode(), value.encode())
        if isinstance(response.body, bytes):
            if response.status not in http.NO_BODY_CODES:
                self.setHeader(b"Content-Length", b"%d" % len(response.body))
            self.write(response.body)
        elif isinstance(response.body, Feed):
            await self._feed(response.body)
        elif self.method != b"HEAD":
            await self._stream(response)
        if not self.gone:
            self.finish()

    def _is_last(self) -> bool:
        """
        Whether the connection closes behind the answer.  A client whose handshake is refused
        waits for nothing else on it, and would hold it as long as HTTP keeps one.
        """
        handshake = b"websocket" in (self.getHeader(b"upgrade") or b"").lower()
        return handshake or self.channel.factory.stopping or not self.channel.persistent

    async def _feed(self, feed: Feed) -> None:
        """Be a member of a room until that, or the connection, ends."""
        if self.method == b"HEAD":
            feed.end()
            return
        self._end = feed.end
        self.channel.begin_feed()
        self.registerProducer(feed, True)
        await feed.begin(self.write, self.channel.transport.abortConnection)
        if not self.gone:
            self.unregisterProducer()

    async def _stream(self, response: Response) -> None:
        """Write the pieces as fast as the client reads them, and not faster."""
        assert not isinstance(response.body, bytes | Feed)
        pace = _Pace()
        self.registerProducer(pace, True)
        if response.end is not None:
            self._end = response.end
            self.channel.begin_stream()
        try:
            async with aclosing(response.body) as pieces:
                async for piece in pieces:
                    await pace.ready()
                    if self.gone:
                        return
                    self.write(piece)
        finally:
            self.end()
            if not self.gone:
                self.unregisterProducer()

    def end(self) -> None:
        """End an answer that would go on."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def _broken(self, failure: Failure) -> None:
        """Answer with 500 after a bug; an answer that was begun is cut off, which says so too."""
        method, path = self.method.decode("latin-1"), bare(self.path.decode("latin-1"))
        self._log.failure("{method} {path} met a bug.", failure, method=method, path=path)
        if self.gone:
            return
        if self.startedWriting or self._has_failed:
            self.channel.transport.abortConnection()
            return
        self._has_failed = True
        self.channel.persistent = False
        self.responseHeaders = Headers()
        answer = self._refusal(internal())
        Deferred.fromCoroutine(self._answer(answer)).addErrback(self._broken)


@implementer(IPushProducer)
class _Pace:
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
