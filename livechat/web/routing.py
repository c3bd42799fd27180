"""
From a request to the function that answers it.

A `Route` is a row of a table: a path, a function for each method, and whether
pages of other origins may ask.  What holds for every row is decided here, in
this order: one valid ``Host``, a known path, an allowed origin, a known method.

Who is cross-origin?  Browsers say so in ``Origin``; clients that are no browsers
send none and are welcome.  A foreign origin is refused even where the browser
would let the request through unseen (a form, a "simple" fetch), because by then
its message would be in the room.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

from msgspec import Struct
from twisted.logger import Logger

from livechat.chat import Sender, Window
from livechat.errors import ChatError, Kind, internal
from livechat.names import is_among, is_host, origin
from livechat.web.response import Headers, Response, Upgrade, problem

#: The media type of forms.
FORM: Final = "application/x-www-form-urlencoded"
#: Most fields that a query or a form may have.
_FIELDS: Final = 100
#: Seconds that a browser may remember the answer to a preflight.
_PREFLIGHT_AGE: Final = 600
#: Below 2^53, so that JavaScript can hold it.
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Call(Struct, frozen=True):
    """
    A request, whole and within its limits.

    @ivar path: as it was sent, still percent-encoded, without the query.
    @ivar query: as it was sent, without the question mark.
    @ivar headers: all values by lower-case name.
    @ivar sender: the connection it came on.
    @ivar names: what the route's path calls by name, decoded.
    @ivar old: of HTTP/1.0, which knows no ``Host``.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    sender: Sender
    names: Mapping[str, str] = {}
    old: bool = False

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
    """

    path: str
    answers: Mapping[str, Answer]
    origins: Literal["own", "allowed", "any"] = "allowed"
    hostless: bool = False

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


class Tree:
    """All routes, and the origins whose pages may ask."""

    _log = Logger()

    def __init__(
        self,
        routes: tuple[Route, ...],
        origins: frozenset[str],
        promises: Callable[[], Headers] = tuple,
        names: Callable[[], tuple[str, ...]] = lambda: ("*",),
    ) -> None:
        """
        @param origins: allowed besides the server's own.
        @param promises: headers for every answer.
        @param names: what the server is called just now (`livechat.names.is_among`).
        """
        # By how many segments their paths have.
        self._routes: dict[int, list[tuple[list[str], Route]]] = {}
        for route in routes:
            segments = _segments(route.path)
            self._routes.setdefault(len(segments), []).append((segments, route))
        self._origins = origins
        self._names = names
        self._promises = promises

    async def answer(self, call: Call) -> Response | Upgrade:
        """The answer to *call*, whatever happens."""
        shared_with: str | None = None
        try:
            host = self._host(call)
            route, names = self._find(call.path)
            if route.origins != "any":
                allowed = self._origins if route.origins == "allowed" else frozenset[str]()
                asking = _origin(call, host, allowed)
                shared_with = asking if route.origins == "allowed" else None
            answer = await self._answer(route, _named(call, names))
        except ChatError as error:
            answer = problem(error)
        except Exception:  # noqa: BLE001 - logged, and answered without a word of it
            self._log.failure("{method} {path} failed.", method=call.method, path=call.path)
            answer = problem(internal())
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

    def refusal(self, error: ChatError) -> Response:
        """The answer to what did not even become a call."""
        return problem(error).plus(*self._promises())

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

    def _find(self, path: str) -> tuple[Route, dict[str, str]]:
        asked = _segments(path)
        for segments, route in self._routes.get(len(asked), ()):
            names = _match(segments, asked)
            if names is not None:
                return route, names
        raise ChatError(Kind.NOT_FOUND, "There is nothing at this address.")

    def _host(self, call: Call) -> str:
        hosts = call.headers.get("host", ())
        if not hosts and call.old and self._find(call.path)[0].hostless:
            return ""
        if len(hosts) != 1 or not is_host(hosts[0]):
            raise ChatError(Kind.BAD_HOST, "Exactly one valid Host header is needed.")
        if not is_among(hosts[0], self._names()):
            raise ChatError(
                Kind.MISDIRECTED,
                "This server has no such name; see its certificate, and its option --host.",
            )
        return hosts[0]


def _origin(call: Call, host: str, allowed: frozenset[str]) -> str | None:
    """
    The origin of the page that asks; None if no page does.

    @param allowed: those that may, besides the server's own.
    @raise ChatError: it is none of them.
    """
    given = call.headers.get("origin", ())
    if not given:
        # A browser without Origin: it sends one with all that changes something,
        # unless it was told to hide it.
        if call.method not in _SAFE and "cross-site" in call.headers.get("sec-fetch-site", ()):
            raise ChatError(Kind.BAD_ORIGIN, "Requests from other sites are refused.")
        return None
    if given == ("null",) and call.headers.get("sec-fetch-site") == ("same-origin",):
        # A form of a page of ours: its Referrer-Policy makes browsers hide where it is from.
        return None
    try:
        (asked,) = map(origin, given)
        if asked in allowed or asked == origin(f"https://{host}"):
            return asked
    except ValueError:
        pass
    raise ChatError(
        Kind.BAD_ORIGIN,
        "Pages of that origin may not do that here; see the server's option --origin.",
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


def _named(call: Call, names: dict[str, str]) -> Call:
    return Call(
        call.method, call.path, call.query, call.headers, call.body, call.sender, names, call.old
    )
