"""
A request and its answer, on a `livechat.http.connection.Channel`.

It is Twisted's, with a body that stays in memory, within the channel's bound.  Endpoints are
given a `Call` and return a `Response`; mounted resources use it as any resource does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from time import time
from typing import Any, ClassVar, Final, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import NO_BODY_CODES, datetimeToString
from twisted.web.http import Request as HttpRequest
from twisted.web.http_headers import Headers
from zope.interface import implementer

from livechat.errors import ChatError, Kind, internal
from livechat.http import call
from livechat.http.access_log import bare
from livechat.http.call import Call
from livechat.http.connection import Channel
from livechat.http.response import BASICS, PHRASES, Feed, Response, Successor, Upgrade
from livechat.http.site import Site
from livechat.http.tree import NOTHING, Place
from livechat.limits.source import Source
from livechat.protocol.origins import is_host

# The target of a client that takes this server for a proxy, which
# must be accepted (RFC 9112, section 3.2.2): an authority, and the rest.
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)(.*)", re.ASCII | re.DOTALL | re.IGNORECASE)
#: A date as HTTP has it, which is the same for all answers of a second.
_date = lru_cache(maxsize=1)(datetimeToString)
#: Bytes that a mounted resource may write while its client reads none.
MOST_UNREAD: Final = 1 << 26


class Request(server.Request):
    """
    A request, from its head to its answer.

    @ivar call: the request as endpoints see it; known once it may be answered.
    @ivar names: the names in its path, decoded.
    @ivar gone: whether the connection was lost meanwhile.
    """

    _log = Logger()
    channel: Channel
    site: Site
    content: BytesIO
    call: Call
    # Only mounted resources have sessions, and all share them.
    sitepath: ClassVar[list[bytes]] = []
    gone = False
    _headers: dict[str, tuple[str, ...]]
    _lent = False
    _has_failed = False
    _shared_with: str | None = None
    _source: Source | None = None
    _end: Callable[[], None] | None = None
    _unread = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > self.channel.max_body:
            self.channel.refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.closing:
            return
        if self.content.tell() + len(data) > self.channel.max_body:
            self.channel.refuse_body()
        else:
            self.content.write(data)

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        self.end()
        super().connectionLost(reason)

    def process(self) -> None:
        """Find the resource that the path names, see whether it may be asked, and ask it."""
        try:
            self._process()
        except ChatError as error:
            if self.startedWriting:
                self.broken(Failure())
                return
            if self._lent:
                self._take_back()
            self.refuse(error)
        except Exception:  # noqa: BLE001 - logged, and answered without a word of it
            self.broken(Failure())

    def _process(self) -> None:
        self.site = cast("Site", self.channel.site)
        self._headers = headers = call.headers(self.requestHeaders)
        path, query = self._target()
        self._source = source = self.channel.source_by(headers.get("x-forwarded-for", ()))
        proxied = self.channel.peer is not None
        self.names: dict[str, str] = {}
        place = self._place(path)
        rules = self.site.rules
        audience, asked = rules.address(
            place.audience, headers, old=self.clientproto == b"HTTP/1.0", proxied=proxied
        )
        method = self.method.decode("latin-1")
        self._shared_with = rules.asking(audience, method, headers, asked)
        body = self.content.getvalue()
        self.call = Call(
            method, path, query, headers, body, source, self.names, proxied=proxied, asked=asked
        )
        place.render(self)

    def _place(self, path: str) -> Place:
        """
        @raise ChatError: a name in the path is not UTF-8.
        """
        first, *segments = path.encode("latin-1").removesuffix(b"/").split(b"/")
        self.prepath, self.postpath = [], segments
        return NOTHING if first else self.site.getResourceFor(self)

    def _target(self) -> tuple[str, str]:
        """The path and the query; a host in front of them takes the place of ``Host``."""
        target = self.uri.decode("latin-1")
        whole = None if target[:1] == "/" else _ABSOLUTE.fullmatch(target)
        if whole is not None:
            authority, target = whole[1], whole[2] if whole[2][:1] == "/" else f"/{whole[2]}"
            hosts = self._headers.get("host", ())
            # It counts, whatever Host says; but a Host that is none is refused all the same.
            if len(hosts) == 1 and is_host(hosts[0]):
                self._headers["host"] = (authority,)
        path, _, query = target.partition("?")
        return path, query

    def serve(self, answering: Awaitable[Response | Upgrade]) -> None:
        """Answer with what *answering* returns or raises."""
        Deferred.fromCoroutine(self._serve(answering)).addErrback(self.broken)

    def refuse(self, error: ChatError) -> None:
        """Answer with *error*."""
        answer = self.site.rules.refusal(error, self._headers, self._shared_with)
        Deferred.fromCoroutine(self._answer(answer)).addErrback(self.broken)

    async def _serve(self, answering: Awaitable[Response | Upgrade]) -> None:
        rules = self.site.rules
        answer: Response | None
        try:
            found = await answering
        except ChatError as error:
            answer = rules.refusal(error, self._headers, self._shared_with)
        except Exception:  # noqa: BLE001 - logged, and answered without a word of it
            method, path = self.call.method, self.call.path
            self._log.failure("{method} {path} failed.", method=method, path=path)
            answer = rules.refusal(internal(), self._headers, self._shared_with)
        else:
            if isinstance(found, Upgrade):
                answer = await self._upgrade(found)
            else:
                answer = self._admitted(rules.complete(found, self._shared_with))
        if answer is not None and not self.gone:
            await self._answer(answer)

    def _admitted(self, answer: Response) -> Response | None:
        """*answer*; of a feed, None if its client has gone, or why it may not begin."""
        if isinstance(answer.body, bytes | AsyncGenerator):
            return answer
        # The connection carries nothing else any more, and counts as its client's.
        try:
            if self.gone:
                answer.body.end()
                return None
            if self.site.stopping:
                raise self.site.going()
            self.channel.admission.belongs_to(self.channel.source.key)
        except ChatError as error:
            answer.body.end()
            return self._refusal(error)
        self.channel.persistent = False
        return answer

    def _refusal(self, error: ChatError) -> Response:
        return self.site.refusal(error, self._headers)

    def getClientAddress(self) -> IAddress:
        peer: IAddress = super().getClientAddress()
        if self._source is None or not isinstance(peer, IPv4Address | IPv6Address):
            return peer
        kind = IPv6Address if ":" in self._source.address else IPv4Address
        return kind("TCP", self._source.address, peer.port)

    async def _upgrade(self, upgrade: Upgrade) -> Response | None:
        """Hand the connection over; None if that worked."""
        site = self.site
        if self.clientproto != b"HTTP/1.1":
            error = ChatError(Kind.BAD_HANDSHAKE, "A handshake needs HTTP/1.1.")
            return self._refusal(error)
        found = await self._entered(upgrade)
        # While the room was entered, the goodbyes may have gone round.
        if not isinstance(found, ChatError) and (self.gone or site.stopping):
            found.abandon()
        if self.gone:
            return None
        if site.stopping:
            found = site.going() if upgrade.going is None else upgrade.going()
        if isinstance(found, ChatError):
            if upgrade.refused is None:
                return self._refusal(found)
            found = upgrade.refused(found)
        self.setResponseCode(HTTPStatus.SWITCHING_PROTOCOLS)
        site.log(self)
        self.channel.hand_over(found, upgrade)
        return None

    async def _entered(self, upgrade: Upgrade) -> Successor | ChatError:
        """The protocol that goes on; or why there is none."""
        channel = self.channel
        try:
            if self.site.stopping:
                return self.site.going()
            if channel.admission.refusal is not None:
                return channel.admission.refusal
            channel.admission.belongs_to(channel.source.key)
            return await upgrade.enter()
        except ChatError as reason:
            return reason
        except Exception:  # noqa: BLE001 - whatever it is, the client is told
            self._log.failure("A handshake met a bug.")
            return internal()

    async def _answer(self, response: Response) -> None:
        body = response.body
        self._start(response, len(body) if isinstance(body, bytes) else None)
        if isinstance(body, bytes):
            if body and self.method != b"HEAD":
                self.send(body)
        elif not isinstance(body, AsyncGenerator):
            await self._feed(body)
        elif self.method != b"HEAD":
            await self._stream(body, response.end)
        if not self.gone:
            self.finish()

    def _start(self, response: Response, length: int | None) -> None:
        """
        Begin an endpoint's answer: its head goes out with the body, or with what is first of it.

        Twisted would look at each header several times.

        @param length: the body's, if it is known.
        """
        self.setResponseCode(response.status, PHRASES[response.status])
        self._end_with_answer()
        if response.status in NO_BODY_CODES:
            framing = b""
        elif length is not None:
            framing = b"Content-Length: %d\r\n" % length
        else:
            self.chunked = self.clientproto == b"HTTP/1.1" and self.method != b"HEAD"
            framing = b"Transfer-Encoding: chunked\r\n" if self.chunked else b""
        self.startedWriting = 1
        self.channel.begin_answer(
            b"%b %d %b\r\nDate: %b\r\n%b%b%b\r\n"
            % (
                self.clientproto,
                response.status,
                self.code_message,
                _date(int(time())),
                b"" if self.channel.persistent else b"Connection: close\r\n",
                response.head(),
                framing,
            )
        )

    def _end_with_answer(self) -> None:
        """
        Close the connection behind the answer, where it must.  A client whose handshake is refused
        waits for nothing else on it, and would hold it as long as HTTP keeps one.
        """
        handshake = b"websocket" in (self.getHeader(b"upgrade") or b"").lower()
        if handshake or self.site.stopping or not self.channel.persistent:
            self.channel.persistent = False
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    async def _feed(self, feed: Feed) -> None:
        """Let *feed* write until it, or the connection, ends."""
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
        """Write the pieces as fast as the client reads them, and not faster."""
        pace = _Pace()
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

    def lend(self) -> None:
        """Let a mounted resource answer."""
        self._lent = True
        self.setHeader(b"Date", _date(int(time())))
        for name, value in (*BASICS, *self.site.rules.promises()):
            self.setHeader(name.encode(), value.encode())
        self._end_with_answer()

    def encode_with(self, encoder: Any) -> None:
        """Let *encoder*, if it is one, change what a mounted resource writes."""
        self._encoder = encoder

    def _take_back(self) -> None:
        """Forget what a mounted resource wanted to answer."""
        if self.producer is not None:
            self.unregisterProducer()
        self.responseHeaders = Headers()
        self.cookies = []
        self.etag = self.lastModified = self._encoder = None
        # Twisted asks for GET where HEAD is not known.
        self._inFakeHead = False
        self.method = self.call.method.encode("latin-1")

    def send(self, data: bytes) -> None:
        """Write a part of an endpoint's answer."""
        HttpRequest.write(self, data)

    def write(self, data: bytes) -> None:
        """Write a part of a mounted resource's answer."""
        if self._unread > MOST_UNREAD:
            # It was cut off, of which its resource is told when the connection is gone.
            return
        if not self.startedWriting:
            self.channel.begin_stream()
        super().write(data)
        if self.gone or self.producer is not None or not self.channel.stalled:
            self._unread = 0
            return
        self._unread += len(data)
        if self._unread > MOST_UNREAD:
            self._log.warn("{path} was cut off: its client does not read.", path=self.path)
            self.channel.transport.abortConnection()

    def isSecure(self) -> bool:
        """Tell whether the client asked with https, as far as proxies tell."""
        return self.call.asked.scheme == "https"

    def end(self) -> None:
        """End an answer that would go on."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def broken(self, failure: Failure) -> None:
        """Answer with 500 after a bug; an answer that was begun is cut off, which says so too."""
        method, path = self.method.decode("latin-1"), bare(self.path.decode("latin-1"))
        self._log.failure("{method} {path} met a bug.", failure, method=method, path=path)
        if self.gone:
            return
        if self.startedWriting or self._has_failed:
            self.channel.transport.abortConnection()
            return
        if self._lent:
            self._take_back()
        self._has_failed = True
        self.channel.persistent = False
        self.responseHeaders = Headers()
        answer = self._refusal(internal())
        Deferred.fromCoroutine(self._answer(answer)).addErrback(self.broken)


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
