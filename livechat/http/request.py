"""
A request, on a `livechat.http.connection.Channel`, from its head to the resource that answers.

It is Twisted's, with a body that stays in memory, within the channel's bound.  Endpoints are
given a `Call` and return a `Response`; mounted resources use it as any resource does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable
from http import HTTPStatus
from io import BytesIO
from typing import Any, ClassVar, Final, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from livechat.errors import ChatError, Kind, internal
from livechat.http import call
from livechat.http.access_log import bare
from livechat.http.answering import Answering, date
from livechat.http.call import Call
from livechat.http.origins import Asked
from livechat.http.response import BASICS, Response, Successor, Upgrade
from livechat.http.site import Site
from livechat.http.tree import NOTHING, Place
from livechat.limits.source import Source
from livechat.protocol.origins import is_host
from livechat.system.coroutines import start

# A target in absolute form, as clients send it to proxies: an authority, and the rest.  Servers
# must accept it (RFC 9112, section 3.2.2).
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)(.*)", re.ASCII | re.DOTALL | re.IGNORECASE)
#: Bytes that a mounted resource may write while its client reads none.
MOST_UNREAD: Final = 1 << 26


class Request(Answering):
    """
    A request of an endpoint, or of a mounted resource.

    @ivar call: the request as endpoints see it; known once it may be answered.
    @ivar names: the names in its path, decoded.
    """

    _log = Logger()
    content: BytesIO
    call: Call
    prepath: list[bytes]
    postpath: list[bytes]
    # Only mounted resources have sessions, and all share them.
    sitepath: ClassVar[list[bytes]] = []
    _lent = False
    _has_failed = False
    _shared_with: str | None = None
    _source: Source | None = None
    _asked: Asked | None = None
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
        self._headers = headers = self._received_headers()
        path, query = self._target()
        self._source = source = self.channel.source_by(headers.get("x-forwarded-for", ()))
        proxied = self.channel.peer is not None
        self.names: dict[str, str] = {}
        inside = self.site.inside(path)
        place = NOTHING if inside is None else self._place(inside)
        path = path if inside is None else inside
        rules = self.site.rules
        audience, asked = rules.address(
            place.audience,
            headers,
            old=self.clientproto == b"HTTP/1.0",
            proxied=proxied,
            ended=self.channel.plain,
        )
        self._asked = asked
        if asked.scheme != "https":
            # Without TLS others on the way can read cookies and set them, so they do not count.
            headers.pop("cookie", None)
        method = self.method.decode("latin-1")
        self._shared_with = rules.asking(audience, method, headers, asked)
        body = self._received_body()
        self.call = Call(
            method,
            path,
            query,
            headers,
            body,
            source,
            self.names,
            proxied=proxied,
            by_file=self.channel.peer == "",
            asked=asked,
        )
        place.render(self)

    def _received_headers(self) -> dict[str, tuple[str, ...]]:
        return call.headers(self.requestHeaders)

    def _received_body(self) -> bytes:
        return self.content.getvalue()

    def _place(self, path: str) -> Place:
        """
        @raise ChatError: a name in the path is not UTF-8.
        """
        first, *segments = path.encode("latin-1").removesuffix(b"/").split(b"/")
        self.prepath = self.site.prefix.encode().split(b"/")[1:]
        self.postpath = segments
        return NOTHING if first else self.site.getResourceFor(self)

    def _target(self) -> tuple[str, str]:
        """Split the target into path and query; a host before them replaces ``Host``."""
        target = self.uri.decode("latin-1")
        whole = None if target[:1] == "/" else _ABSOLUTE.fullmatch(target)
        if whole is not None:
            authority, target = whole[1], whole[2] if whole[2][:1] == "/" else f"/{whole[2]}"
            hosts = self._headers.get("host", ())
            # The target's host counts, but an invalid Host is refused as well.
            if len(hosts) == 1 and is_host(hosts[0]):
                self._headers["host"] = (authority,)
        path, _, query = target.partition("?")
        return path, query

    def serve(self, answering: Awaitable[Response | Upgrade]) -> None:
        """Answer with what *answering* returns or raises."""
        start(self._serve(answering), self.broken)

    def refuse(self, error: ChatError) -> None:
        """Answer with *error*."""
        answer = self.site.rules.refusal(error, self._headers, self._shared_with, self._asked)
        start(self.answer(answer), self.broken)

    async def _serve(self, answering: Awaitable[Response | Upgrade]) -> None:
        rules = self.site.rules
        answer: Response | None
        try:
            found = await answering
        except ChatError as error:
            answer = rules.refusal(error, self._headers, self._shared_with, self._asked)
        except Exception:  # noqa: BLE001 - logged, and answered without a word of it
            method, path = self.call.method, self.call.path
            self._log.failure("{method} {path} failed.", method=method, path=path)
            answer = rules.refusal(internal(), self._headers, self._shared_with, self._asked)
        else:
            if isinstance(found, Upgrade):
                answer = await self._upgrade(found)
            else:
                answer = self._admitted(rules.complete(found, self._shared_with, self._asked))
        if answer is not None and not self.gone:
            await self.answer(answer)

    def _admitted(self, answer: Response) -> Response | None:
        """Return *answer*; for a feed None if its client has gone, or the error that refuses it."""
        if isinstance(answer.body, (bytes, AsyncGenerator)):
            return answer
        # The connection has no other purpose now, so it counts as its client's.
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
        return self.site.rules.refusal(error, self._headers, None, self._asked)

    def getClientAddress(self) -> IAddress:
        peer: IAddress = super().getClientAddress()
        if self._source is None or not self._source.address:
            return peer
        kind = IPv6Address if ":" in self._source.address else IPv4Address
        return kind("TCP", self._source.address, getattr(peer, "port", 0))

    async def _upgrade(self, upgrade: Upgrade) -> Response | None:
        """Hand the connection over; return None, or an answer if that failed."""
        site = self.site
        if self.clientproto != b"HTTP/1.1":
            error = ChatError(Kind.BAD_HANDSHAKE, "A handshake needs HTTP/1.1.")
            return self._refusal(error)
        found = await self._entered(upgrade)
        # The port may have begun to stop, and said its goodbyes, during the join.
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
        """Return the protocol that takes over, or the error that refuses it."""
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

    def lend(self) -> None:
        """Hand the request to a mounted resource."""
        self._lent = True
        self.setHeader(b"Date", date())
        if not self.isSecure():
            self.requestHeaders.removeHeader(b"cookie")
            self.received_cookies = {}
        for name, value in (*BASICS, *self.site.rules.promises(self._asked)):
            self.setHeader(name.encode(), value.encode())
        self.close_behind()
        if not self.channel.persistent:
            self.setHeader(b"Connection", b"close")

    def encode_with(self, encoder: Any) -> None:
        """Pass what a mounted resource writes through *encoder*, if that is one."""
        self._encoder = encoder

    def _take_back(self) -> None:
        """Drop the answer that a mounted resource has begun."""
        if self.producer is not None:
            self.unregisterProducer()
        self.responseHeaders = Headers()
        self.cookies = []
        self.etag = self.lastModified = self._encoder = None
        # Twisted sets this while it renders GET for a resource without HEAD.
        self._inFakeHead = False
        self.method = self.call.method.encode("latin-1")

    def write(self, data: bytes) -> None:
        """Write a part of a mounted resource's answer."""
        if self.gone or self._unread > MOST_UNREAD:
            # The resource learns of the lost connection by `notifyFinish`.
            return
        if not self.startedWriting:
            self.channel.begin_stream()
        super().write(data)
        if self.producer is not None or not self.channel.stalled:
            self._unread = 0
            return
        self._unread += len(data)
        if self._unread > MOST_UNREAD:
            self._log.warn("{path} was cut off: its client does not read.", path=self.path)
            self.channel.transport.abortConnection()

    def addCookie(self, *cookie: Any, **attributes: Any) -> None:
        """Set a cookie for a mounted resource; no-op where the client did not ask with https."""
        if self.isSecure():
            super().addCookie(*cookie, **attributes)

    def isSecure(self) -> bool:
        """Tell whether the client asked with https, as far as proxies tell."""
        return self.call.asked.scheme == "https"

    def broken(self, failure: Failure) -> None:
        """Answer with 500 after a bug; an answer that was begun is cut off, which says so too."""
        method, path = self.method.decode("latin-1"), bare(self.path.decode("latin-1"))
        self._log.failure("{method} {path} met a bug.", failure, method=method, path=path)
        if self.gone or self.finished:
            return
        if self.startedWriting or self._has_failed:
            self.channel.transport.abortConnection()
            return
        if self._lent:
            self._take_back()
        self._has_failed = True
        self.channel.persistent = False
        self.responseHeaders = Headers()
        start(self.answer(self._refusal(internal())), self.broken)
