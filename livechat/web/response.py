"""
What HTTP is answered, and the one place where errors become answers.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct

from livechat import wire
from livechat.errors import ChatError

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

    @ivar body: all of it, or its pieces, which are asked for as the client reads.
    @ivar headers: besides `SAFETY`, which they override.
    """

    status: int = HTTPStatus.OK
    body: bytes | AsyncIterator[bytes] = b""
    headers: Headers = ()

    def all_headers(self) -> Headers:
        """Its headers, with those that every answer has."""
        own = {name.lower() for name, _ in self.headers}
        return self.headers + tuple(each for each in SAFETY if each[0].lower() not in own)

    def plus(self, *headers: tuple[str, str]) -> Response:
        """The same with more headers."""
        return Response(self.status, self.body, self.headers + headers)


class Upgrade(Struct, frozen=True):
    """
    The answer to a valid WebSocket handshake: go on as a member of a room.

    @ivar key: what the client's ``Sec-WebSocket-Key`` said.
    """

    room: str
    key: str


def json(value: Any, *, status: int = HTTPStatus.OK, headers: Headers = ()) -> Response:
    """A struct or plain data as JSON, which is not to be cached."""
    return Response(status, wire.encode(value), (_JSON, _NO_STORE, *headers))


def streamed_json(body: AsyncIterator[bytes], headers: Headers = ()) -> Response:
    """JSON that is written while it is read."""
    return Response(HTTPStatus.OK, body, (_JSON, _NO_STORE, *headers))


def problem(error: ChatError) -> Response:
    """An error as ``application/problem+json`` (RFC 9457)."""
    kind = error.kind
    title = HTTPStatus(kind.status).phrase
    body = wire.encode(wire.Problem(title, kind.status, kind.code, error.detail))
    headers: Headers = (_PROBLEM, _NO_STORE, *error.headers)
    if error.retry_after is not None:
        headers += (("Retry-After", str(math.ceil(error.retry_after))),)
    return Response(kind.status, body, headers)
