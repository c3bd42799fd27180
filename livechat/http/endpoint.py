"""
From a request to the function that answers it.

A `Route` is a row of a table: a path, a function for each method, and whether
pages of other origins may ask.  What holds for every row is decided here, in
this order: one valid ``Host``, a known path, an allowed origin, a known method.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

from msgspec import Struct
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, internal
from livechat.http.forwarded import forwarded
from livechat.http.origins import Asked, Origins
from livechat.http.response import Headers, Response, Upgrade, problem
from livechat.limits.source import Source
from livechat.protocol.origins import is_among, is_host, without_port
from livechat.rooms.chat import Window

#: The media type of forms.
FORM: Final = "application/x-www-form-urlencoded"
#: Most fields that a query or a form may have.
_FIELDS: Final = 100
#: Seconds that a browser may remember the answer to a preflight.
_PREFLIGHT_AGE: Final = 600
#: Below 2^53, so that JavaScript can hold it.
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
#: Names of the server that a refusal lists.
_LISTED: Final = 8
#: Characters of a name that a refusal repeats (RFC 1035, section 2.3.4).
LONGEST_HOST: Final = 253


class Call(Struct, frozen=True):
    """
    A request, whole and within its limits.

    @ivar path: as it was sent, still percent-encoded, without the query.
    @ivar query: as it was sent, without the question mark.
    @ivar headers: all values by lower-case name.
    @ivar source: the connection it came on.
    @ivar names: what the route's path calls by name, decoded.
    @ivar old: of HTTP/1.0, which knows no ``Host``.
    @ivar proxied: whether a trusted proxy passes it on.
    @ivar asked: the address that the client asked for; known where an endpoint answers.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    source: Source
    names: Mapping[str, str] = {}
    old: bool = False
    proxied: bool = False
    asked: Asked = Asked("")

    def header(self, name: str) -> str | None:
        """
        The value of a header that must not be repeated.

        @raise ChatError: it is.
        """
        values = self.headers.get(name.lower(), ())
        if len(values) > 1:
            raise ChatError(Kind.BAD_REQUEST, f"The header {name} was sent {len(values)} times.")
        return values[0] if values else None


Answer = Callable[[Call], Awaitable[Response | Upgrade]]


class Route(Struct, frozen=True):
    """
    A row of the URL tree.

    @ivar path: such as ``/chat/send/{room}/``; the last slash may be left out
        by who asks.
    @ivar answers: the function for each method; HEAD comes with GET.
    @ivar origins: the pages that may ask: the server's own; those and the ones of
        allowed origins; or all, as if there were no origins.
    @ivar hostless: requests of HTTP/1.0 need no ``Host``, which monitors do not send.
    @ivar any_name: whether clients may ask by a name that is not the server's: the page
        that says so needs its style.
    """

    path: str
    answers: Mapping[str, Answer]
    origins: Literal["own", "allowed", "any"] = "allowed"
    hostless: bool = False
    any_name: bool = False

    def methods(self) -> str:
        """What ``Allow`` says."""
        heads = ("HEAD",) if "GET" in self.answers else ()
        return ", ".join((*self.answers, *heads, "OPTIONS"))


def fields(text: str) -> dict[str, str]:
    """
    The fields of a query or a form.

    @raise ValueError: a field is repeated or not UTF-8, or they are too many;
        the text is a sentence that says so.
    """
    if text.count("&") >= _FIELDS:
        raise ValueError(f"There are more than {_FIELDS} fields.")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("It is not UTF-8.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A field is repeated.")
    return found


def media_type(call: Call) -> str:
    """What the body is, if its text is UTF-8; empty if it is not, or nothing was said."""
    media, _, parameters = (call.header("Content-Type") or "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    return media.strip() if charset in ("", "charset=utf-8") else ""


def form_fields(call: Call) -> dict[str, str]:
    """
    The fields of a form.

    @raise ChatError: the body is none, or cannot be read.
    """
    if media_type(call) != FORM:
        raise ChatError(
            Kind.UNSUPPORTED_MEDIA_TYPE, f"Send {FORM}, in UTF-8.", headers=(("Accept", FORM),)
        )
    try:
        return fields(call.body.decode())
    except UnicodeDecodeError:
        raise ChatError(Kind.BAD_FORM, "The form is not UTF-8.") from None
    except ValueError as reason:
        raise ChatError(Kind.BAD_FORM, f"The form cannot be read: {reason}") from None


def query(call: Call) -> dict[str, str]:
    """
    The fields of the request's query.

    @raise ChatError: it has none that can be read.
    """
    try:
        return fields(call.query)
    except ValueError as reason:
        raise ChatError(Kind.BAD_QUERY, f"The query cannot be read: {reason}") from None


def number(asked: Mapping[str, str], name: str) -> int | None:
    """
    A field that is a whole number; None if it is missing.

    @raise ChatError: it is something else.
    """
    text = asked.get(name)
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise ChatError(Kind.BAD_QUERY, f"'{name}' must be a whole number, 0 or more.")
    return int(text)


def window(asked: Mapping[str, str], usual: int) -> Window:
    """
    The part of a history that a query's fields ask for.

    @param usual: how many messages, unless ``limit`` says.
    @raise ChatError: there is no such part.
    """
    limit = number(asked, "limit")
    before, after = number(asked, "before"), number(asked, "after")
    if before is not None and after is not None:
        raise ChatError(Kind.BAD_QUERY, "Give 'before' or 'after', not both.")
    return Window(usual if limit is None else limit, before, after)


#: Renders an error for a request with these headers.
Render = Callable[[ChatError, Mapping[str, tuple[str, ...]]], Response]


class Tree:
    """All routes, and what holds for all of them."""

    _log = Logger()

    def __init__(
        self,
        routes: tuple[Route, ...],
        origins: Origins,
        promises: Callable[[], Headers] = tuple,
        names: Callable[[], tuple[str, ...]] = lambda: ("*",),
        render: Render = lambda error, _: problem(error),
    ) -> None:
        """
        @param origins: decides which pages may ask.
        @param promises: headers for every answer.
        @param names: what the server is called just now (`livechat.protocol.origins.is_among`).
        """
        # By how many segments their paths have.
        self._routes: dict[int, list[tuple[list[str], Route]]] = {}
        for route in routes:
            segments = _segments(route.path)
            self._routes.setdefault(len(segments), []).append((segments, route))
        self._origins = origins
        self._names = names
        self._promises = promises
        self._render = render

    async def answer(self, call: Call) -> Response | Upgrade:
        """The answer to *call*, whatever happens."""
        shared_with: str | None = None
        try:
            found = self._match(call.path)
            asked = _asked(call, hostless=found is not None and found[0].hostless)
            route, names = self._found(found, asked)
            if route.origins != "any":
                shared = route.origins == "allowed"
                asking = self._origins.check(call.method, call.headers, asked, shared=shared)
                shared_with = asking if shared else None
            answer = await self._answer(route, _named(call, names, asked))
        except ChatError as error:
            answer = self._render(error, call.headers)
        except Exception:  # noqa: BLE001 - logged, and answered without a word of it
            self._log.failure("{method} {path} failed.", method=call.method, path=call.path)
            answer = self._render(internal(), call.headers)
        if isinstance(answer, Upgrade):
            return answer
        if shared_with is not None:
            answer = answer.plus(
                ("Access-Control-Allow-Origin", shared_with),
                (
                    "Access-Control-Expose-Headers",
                    "Livechat-Epoch, Livechat-Seq, Livechat-Time, Link, Retry-After",
                ),
                ("Vary", "Origin"),
            )
        return answer.plus(*self._promises())

    def refusal(self, error: ChatError, headers: Mapping[str, tuple[str, ...]]) -> Response:
        """The answer to what did not even become a call, with those headers, as far as known."""
        return self._render(error, headers).plus(*self._promises())

    async def _answer(self, route: Route, call: Call) -> Response | Upgrade:
        method = "GET" if call.method == "HEAD" else call.method
        if method in route.answers:
            return await route.answers[method](call)
        if method != "OPTIONS":
            raise ChatError(
                Kind.METHOD_NOT_ALLOWED,
                f"Use {route.methods()} here.",
                headers=(("Allow", route.methods()),),
            )
        allowed: Headers = (("Allow", route.methods()),)
        if route.origins == "allowed" and call.header("Access-Control-Request-Method") is not None:
            allowed += (
                ("Access-Control-Allow-Methods", route.methods()),
                ("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key, Last-Event-ID"),
                ("Access-Control-Max-Age", str(_PREFLIGHT_AGE)),
            )
        return Response(204, headers=allowed)

    def _found(
        self, found: tuple[Route, dict[str, str]] | None, asked: Asked
    ) -> tuple[Route, dict[str, str]]:
        """
        @raise ChatError: there is no such route, or none at the name that was asked for.
        """
        if asked.host and (found is None or not found[0].any_name):
            names = self._names()
            if not is_among(asked.host, names):
                raise _misdirected(asked.host, names)
        if found is None:
            raise ChatError(Kind.NOT_FOUND, "There is nothing at this address.")
        return found

    def _match(self, path: str) -> tuple[Route, dict[str, str]] | None:
        asked = _segments(path)
        for segments, route in self._routes.get(len(asked), ()):
            names = _match(segments, asked)
            if names is not None:
                return route, names
        return None


def _asked(call: Call, *, hostless: bool) -> Asked:
    """
    The address that the client asked for; empty where it need not say.

    @param hostless: whether the route is for clients of HTTP/1.0 without a ``Host`` too.
    @raise ChatError: it cannot be understood.
    """
    hosts = call.headers.get("host", ())
    if not hosts and call.old and hostless:
        return Asked("")
    if len(hosts) != 1 or not is_host(hosts[0]):
        raise ChatError(Kind.BAD_HOST, "Exactly one valid Host header is needed.")
    if not call.proxied:
        return Asked(hosts[0])
    told = forwarded(call.headers)
    return Asked(told.host or hosts[0], told.scheme or "https", certain=told.host is not None)


def _misdirected(host: str, names: tuple[str, ...]) -> ChatError:
    listed = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    name = without_port(host)[:LONGEST_HOST]
    return ChatError(
        Kind.MISDIRECTED,
        f"This server is not called {name}. Its names are {listed or 'none'}{more}; "
        f"the option --host {name} would add this one.",
    )


def _segments(path: str) -> list[str]:
    return path.removesuffix("/").split("/")


def _match(own: list[str], asked: list[str]) -> dict[str, str] | None:
    """What the segments *asked* for give the names of a route's *own*; None if they are others."""
    names = {}
    for mine, theirs in zip(own, asked, strict=True):
        if mine.startswith("{"):
            names[mine[1:-1]] = _decoded(theirs)
        elif mine != theirs:
            return None
    return names


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise ChatError(Kind.BAD_REQUEST, "The path is not UTF-8.") from None


def _named(call: Call, names: dict[str, str], asked: Asked) -> Call:
    return Call(
        call.method,
        call.path,
        call.query,
        call.headers,
        call.body,
        call.source,
        names,
        call.old,
        call.proxied,
        asked,
    )
