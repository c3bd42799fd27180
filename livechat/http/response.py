"""
What HTTP is answered.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct, structs

from livechat import metrics
from livechat.errors import ChatError
from livechat.members.event_stream import Feed
from livechat.members.session import Visit
from livechat.protocol.bodies import Problem
from livechat.protocol.wire import encode

Headers = tuple[tuple[str, str], ...]

#: Sent with every answer; a page replaces the policy by its own.
SAFETY: Final[Headers] = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
_JSON: Final = ("Content-Type", "application/json")
_PROBLEM: Final = ("Content-Type", "application/problem+json")
_NO_STORE: Final = ("Cache-Control", "no-store")


class Response(Struct, frozen=True):
    """
    An answer.

    @ivar body: all of it; or its pieces, which are asked for as the client reads; or a room,
        of which it is told.
    @ivar headers: besides `SAFETY`, which they override.
    @ivar end: where the pieces would go on until somebody ends them: ends them.
    """

    status: int = HTTPStatus.OK
    body: bytes | AsyncGenerator[bytes, None] | Feed = b""
    headers: Headers = ()
    end: Callable[[], None] | None = None

    def all_headers(self) -> Headers:
        """Its headers, with those that every answer has."""
        own = {name.lower() for name, _ in self.headers}
        return self.headers + tuple(each for each in SAFETY if each[0].lower() not in own)

    def plus(self, *headers: tuple[str, str]) -> Response:
        """The same with more headers."""
        return structs.replace(self, headers=self.headers + headers)

    def as_last(self, *, with_body: bool = True) -> bytes:
        """All of it as HTTP/1.1, after which the connection closes; its body must be bytes."""
        assert isinstance(self.body, bytes)
        lines = [f"HTTP/1.1 {self.status:d} {HTTPStatus(self.status).phrase}"]
        lines += (f"{name}: {value}" for name, value in self.all_headers())
        lines += (f"Content-Length: {len(self.body)}", "Connection: close", "", "")
        return "\r\n".join(lines).encode() + (self.body if with_body else b"")


class Upgrade(Struct, frozen=True):
    """
    The answer to a valid WebSocket handshake: go on as a member of a room.

    @ivar visit: of which room, and how; or why not, for those who would not see that in an
        answer to their handshake.
    @ivar key: what the client's ``Sec-WebSocket-Key`` said.
    @ivar subprotocol: what is spoken; None in plain mode.
    """

    visit: Visit | ChatError
    key: str
    subprotocol: str | None = None


def json(value: Any, *, status: int = HTTPStatus.OK, headers: Headers = ()) -> Response:
    """A struct or plain data as JSON, which is not to be cached."""
    return Response(status, encode(value), (_JSON, _NO_STORE, *headers))


def streamed_json(body: AsyncGenerator[bytes, None], headers: Headers = ()) -> Response:
    """JSON that is written while it is read."""
    return Response(HTTPStatus.OK, body, (_JSON, _NO_STORE, *headers))


def problem(error: ChatError) -> Response:
    """An error as ``application/problem+json`` (RFC 9457)."""
    kind = error.kind
    metrics.refused(kind.code)
    title = HTTPStatus(kind.status).phrase
    body = encode(Problem(title, kind.status, kind.code, error.detail))
    return Response(kind.status, body, (_PROBLEM, _NO_STORE, *belonging(error)))


def belonging(error: ChatError) -> Headers:
    """The headers that belong to an error, whatever its body looks like."""
    if error.retry_after is None:
        return error.headers
    return (*error.headers, ("Retry-After", str(math.ceil(error.retry_after))))


def see(location: str, *headers: tuple[str, str]) -> Response:
    """Done: go and look there (303)."""
    return Response(HTTPStatus.SEE_OTHER, b"", (("Location", location), _NO_STORE, *headers))
