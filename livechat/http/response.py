"""
Responses of HTTP.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred

from livechat import metrics
from livechat.errors import ChatError
from livechat.limits.connections import Admission
from livechat.protocol.bodies import Problem
from livechat.protocol.wire import encode

Headers = tuple[tuple[str, str], ...]

#: Reason phrases, by status.
PHRASES: Final = {int(status): status.phrase.encode() for status in HTTPStatus}
#: Headers of every answer; mounted resources may replace them.
BASICS: Final[Headers] = (("X-Content-Type-Options", "nosniff"),)
#: Headers of every answer of endpoints; a page replaces the policy by its own.
SAFETY: Final[Headers] = (
    *BASICS,
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
_SAFETY_NAMES: Final = frozenset(name.lower() for name, _ in SAFETY)
_SAFETY_LINES: Final = "".join(f"{name}: {value}\r\n" for name, value in SAFETY)
_JSON: Final = ("Content-Type", "application/json")
_PROBLEM: Final = ("Content-Type", "application/problem+json")
_NO_STORE: Final = ("Cache-Control", "no-store")


class Feed(Protocol):
    """
    A body that writes itself, as a push producer, for as long as its client is there.

    `begin` or `end` follows where it was returned.
    """

    def begin(self, send: Callable[[bytes], None], cut: Callable[[], None]) -> Deferred[None]:
        """
        Go on until the end, at which the Deferred fires.

        @param send: writes to the connection.
        @param cut: ends the connection, and drops the bytes that wait in it.
        """

    def end(self) -> None:
        """End it.  No-op if it has ended."""

    def pauseProducing(self) -> None:
        """The client does not read; keep further writes."""

    def resumeProducing(self) -> None:
        """The client reads again."""

    def stopProducing(self) -> None:
        """The connection is being lost."""


class Response(Struct, frozen=True):
    """
    An answer.

    @ivar body: all of it; or its pieces, which are asked for as the client reads; or a feed.
    @ivar headers: besides `SAFETY`, which they override.
    @ivar end: where the pieces would go on until somebody ends them: ends them.
    """

    status: int = HTTPStatus.OK
    body: bytes | AsyncGenerator[bytes, None] | Feed = b""
    headers: Headers = ()
    end: Callable[[], None] | None = None

    def head(self) -> bytes:
        """
        Render the headers as lines, with those that every answer has.

        @raise ValueError: a header has a line break.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        if not lines.count("\n") == lines.count("\r") == len(self.headers):
            raise ValueError(f"A header has a line break: {self.headers!r}")
        own = {name.lower() for name, _ in self.headers}
        if own.isdisjoint(_SAFETY_NAMES):
            return (lines + _SAFETY_LINES).encode()
        others = (f"{name}: {value}\r\n" for name, value in SAFETY if name.lower() not in own)
        return "".join((lines, *others)).encode()

    def below(self, prefix: str) -> Response:
        """The same, leading to addresses below *prefix* where it leads to some of this server."""
        if all(name not in _LEADING for name, _ in self.headers):
            return self
        headers = tuple((name, _below(name, value, prefix)) for name, value in self.headers)
        return Response(self.status, self.body, headers, self.end)

    def plus(self, *headers: tuple[str, str]) -> Response:
        """Return the response with more headers."""
        return Response(self.status, self.body, self.headers + headers, self.end)

    def as_last(self, *, with_body: bool = True) -> bytes:
        """Encode the response as HTTP/1.1 with ``Connection: close``; its body must be bytes."""
        assert isinstance(self.body, bytes)
        return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
            self.status,
            PHRASES[self.status],
            self.head(),
            len(self.body),
            self.body if with_body else b"",
        )


#: Headers whose values are addresses.
_LEADING: Final = frozenset({"Location", "Link"})


def _below(name: str, value: str, prefix: str) -> str:
    if name == "Location" and value.startswith("/"):
        return f"{prefix}{value}"
    return value.replace("</", f"<{prefix}/") if name == "Link" else value


class Successor(Protocol):
    """Another protocol, which takes a connection over from HTTP."""

    admission: Admission | None

    def open(self, transport: Any, key: str, subprotocol: str | None = None) -> None:
        """
        Answer the handshake, and go on.

        @param transport: the connection.
        @param key: the client's ``Sec-WebSocket-Key``.
        """

    def dataReceived(self, data: bytes) -> None:
        """Bytes came on the connection."""

    def abandon(self) -> None:
        """The client has gone before its handshake was answered."""


class Upgrade(Struct, frozen=True):
    """
    The answer to a valid WebSocket handshake: another protocol goes on.

    @ivar enter: makes that protocol, or raises `ChatError`.
    @ivar key: the client's ``Sec-WebSocket-Key``.
    @ivar subprotocol: the accepted one, if the client offered it.
    @ivar refused: makes a protocol that only tells an error; None where that is told by HTTP.
    @ivar going: the same, for a port that stops.
    """

    enter: Callable[[], Awaitable[Successor]]
    key: str
    subprotocol: str | None = None
    refused: Callable[[ChatError], Successor] | None = None
    going: Callable[[], Successor] | None = None


def json(value: Any, *, status: int = HTTPStatus.OK, headers: Headers = ()) -> Response:
    """A struct or plain data as JSON, which is not to be cached."""
    return Response(status, encode(value), (_JSON, _NO_STORE, *headers))


def streamed_json(body: AsyncGenerator[bytes, None], headers: Headers = ()) -> Response:
    """Return JSON as a response whose body is written while it is read."""
    return Response(HTTPStatus.OK, body, (_JSON, _NO_STORE, *headers))


def streamed(media: str, body: AsyncGenerator[bytes, None], headers: Headers = ()) -> Response:
    """Return a response whose body is written while it is read."""
    return Response(HTTPStatus.OK, body, (("Content-Type", media), _NO_STORE, *headers))


def problem(error: ChatError) -> Response:
    """Return an error as ``application/problem+json`` (RFC 9457)."""
    kind = error.kind
    metrics.refused(kind.code)
    title = HTTPStatus(kind.status).phrase
    told = Problem(title, kind.status, kind.code, error.detail, error.reason or None, error.case)
    return Response(kind.status, encode(told), (_PROBLEM, _NO_STORE, *belonging(error)))


def belonging(error: ChatError) -> Headers:
    """The headers that belong to an error, whatever its body looks like."""
    if error.retry_after is None:
        return error.headers
    return (*error.headers, ("Retry-After", str(math.ceil(error.retry_after))))


def see(location: str, *headers: tuple[str, str]) -> Response:
    """Redirect to the result of a completed request (303)."""
    return Response(HTTPStatus.SEE_OTHER, b"", (("Location", location), _NO_STORE, *headers))
