"""
The way into the admin page: signing in and out, and what every page asks first.

A browser is known by one cookie, a random token.  Before it has signed in the
token means nothing but ties the sign-in form to the browser; signing in gives
it a new one, whose session `livechat.operators` keeps.

A cookie proves who asks, not that he wants to: other sites can make a browser
send it.  `SameSite=Strict` and the check of origins stop that, and since both
lean on the browser, every form also carries a token that follows from the
cookie.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Final, TypeGuard
from urllib.parse import urlencode

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from livechat.errors import ChatError, Kind
from livechat.operators import Operators, form_token, same
from livechat.web.events import LASTS, Stream
from livechat.web.html import Templates
from livechat.web.response import Response, belonging, see
from livechat.web.routing import FORM, Answer, Call, Route, form, media_type, query

# The prefix makes browsers refuse it from anything but this very host, over TLS.
# The port follows, because cookies know none.
_COOKIE: Final = "__Host-livechat"
_PORT: Final = re.compile(r":(\d+)$", re.ASCII)
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SIGN_IN: Final = "/admin/sign-in/"
#: Where one can be taken after signing in: a page of the admin page, and nothing else.
_ROOM: Final = re.compile(r"/admin/rooms/[A-Za-z0-9._~-]{1,128}/", re.ASCII)
_PAGE: Final = re.compile(rf"/admin/|{_ROOM.pattern}", re.ASCII)
_QUERY: Final = re.compile(r"[!$-\[\]-~]{0,500}", re.ASCII)


class Visit(Struct, frozen=True):
    """
    A request of a signed-in operator.

    @ivar token: his session's.
    @ivar form: the fields of the form that he sent.
    """

    call: Call
    token: str
    form: Mapping[str, str] = {}

    @property
    def form_token(self) -> str:
        """What the forms of the page must carry."""
        return form_token(self.token)


class Gate:
    """Lets operators in, and nobody else."""

    def __init__(self, operators: Operators, templates: Templates, clock: IReactorTime) -> None:
        self._operators = operators
        self._clock = clock
        self._templates = templates

    def routes(self) -> tuple[Route, ...]:
        """The rows of signing in and out in the URL tree."""
        return (
            Route(_SIGN_IN, {"GET": self.ask, "POST": self.sign_in}, origins="own"),
            Route("/admin/sign-out/", {"POST": self.form(self.sign_out)}, origins="own"),
        )

    def page(self, shown: Callable[[Visit], Awaitable[Response]]) -> Answer:
        """An answer that signed-in operators get; others are asked to sign in."""

        async def answer(call: Call) -> Response:
            token = _cookie(call)
            if not self._signed_in(token):
                return see(f"{_SIGN_IN}?{urlencode({'next': _wanted(call)})}")
            return await self._shown(shown, Visit(call, token))

        return answer

    def form(self, done: Callable[[Visit, ChatError | None], Awaitable[Response]]) -> Answer:
        """
        An answer to a form of a page.

        @param done: is given, besides the form, why it must not be carried out.
        """

        async def answer(call: Call) -> Response:
            given = _form(call)
            token = _cookie(call)
            if not self._signed_in(token):
                error = ChatError(Kind.NOT_SIGNED_IN, "Your session has ended.")
                return self._asked(call, _wanted(call), given.get("message", ""), error)
            visit = Visit(call, token, given)
            return await self._shown(lambda visit: done(visit, _fault(given, token)), visit)

        return answer

    def events(
        self, begun: Callable[[Visit, Stream], Awaitable[AsyncGenerator[bytes, None]]]
    ) -> Answer:
        """Events for an operator, until his session ends."""

        async def answer(call: Call) -> Response:
            token = _cookie(call)
            if not self._signed_in(token):
                raise ChatError(Kind.NOT_SIGNED_IN, "Sign in first.")
            stream = Stream(self._clock, min(LASTS, self._operators.lasting(token)))
            events = await begun(Visit(call, token), stream)
            return stream.answer(self._while_signed_in(token, stream, events))

        return answer

    async def ask(self, call: Call) -> Response:
        """The page that asks for the password."""
        asked = query(call)
        token = _cookie(call)
        wanted = _safe(asked.get("next", ""))
        if self._signed_in(token):
            return see(wanted)
        return self._asked(call, wanted, notice="You are signed out." if "out" in asked else "")

    async def sign_in(self, call: Call) -> Response:
        """Sign in, or say why not."""
        given = _form(call)
        token = _cookie(call)
        wanted = _safe(given.get("next", ""))
        draft = given.get("message", "") if _ROOM.fullmatch(wanted) else ""
        try:
            if self._signed_in(token):
                # In another tab, whose form has made this one's out of date.
                return self._resumed(token, wanted, draft)
            fault = _fault(given, token)
            if fault is not None:
                raise fault
            new = await self._operators.sign_in(call.sender.address, given.get("password", ""))
        except ChatError as error:
            return self._asked(call, wanted, draft, error)
        return self._resumed(new, wanted, draft, _set_cookie(call, new, self._operators.lasts))

    async def sign_out(self, visit: Visit, fault: ChatError | None) -> Response:
        """Sign out this browser."""
        if fault is not None:
            raise fault
        await self._operators.sign_out(visit.token)
        return see(f"{_SIGN_IN}?out=1", _set_cookie(visit.call, "", 0))

    def _signed_in(self, token: str | None) -> TypeGuard[str]:
        return token is not None and self._operators.lasting(token) > 0

    def _resumed(self, token: str, wanted: str, draft: str, *headers: tuple[str, str]) -> Response:
        """Where the operator wanted to go, with what he had typed there."""
        if not draft:
            return see(wanted, *headers)
        return self._templates.page(
            "admin/resume.html", headers=headers, room=wanted, token=form_token(token), draft=draft
        )

    def _asked(
        self,
        call: Call,
        wanted: str,
        draft: str = "",
        error: ChatError | None = None,
        notice: str = "",
    ) -> Response:
        """The sign-in page; who has no token yet gets one."""
        headers = () if error is None else belonging(error)
        token = _cookie(call)
        if token is None:
            token = secrets.token_urlsafe(32)
            headers = (*headers, _set_cookie(call, token))
        return self._templates.page(
            "admin/sign_in.html",
            status=HTTPStatus.OK if error is None else error.kind.status,
            headers=headers,
            token=form_token(token),
            next=wanted,
            draft=draft,
            error=error,
            notice=notice,
        )

    async def _shown(self, shown: Callable[[Visit], Awaitable[Response]], visit: Visit) -> Response:
        """A page, or what went wrong as a page."""
        try:
            return await shown(visit)
        except ChatError as error:
            return self._templates.page(
                "admin/error.html",
                status=error.kind.status,
                headers=belonging(error),
                token=visit.form_token,
                error=error,
            )

    async def _while_signed_in(
        self, token: str, stream: Stream, events: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        self._operators.begin(token, stream.end)
        try:
            async with aclosing(events):
                async for each in events:
                    yield each
        finally:
            self._operators.done(token, stream.end)


def _cookie(call: Call) -> str | None:
    """The browser's token, if it is one of ours."""
    for pair in (call.header("Cookie") or "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == _cookie_name(call) and _TOKEN.fullmatch(value):
            return value
    return None


def _set_cookie(call: Call, value: str, seconds: int | None = None) -> tuple[str, str]:
    """
    @param seconds: how long the browser keeps it; None for until it is closed.
    """
    age = "" if seconds is None else f"; Max-Age={seconds}"
    return ("Set-Cookie", f"{_cookie_name(call)}={value}; {_ATTRIBUTES}{age}")


def _cookie_name(call: Call) -> str:
    port = _PORT.search(call.header("Host") or "")
    return f"{_COOKIE}-{port[1]}" if port else _COOKIE


def _form(call: Call) -> dict[str, str]:
    if media_type(call) != FORM:
        raise ChatError(Kind.UNSUPPORTED_MEDIA_TYPE, f"Send {FORM}, in UTF-8.")
    return form(call)


def _fault(given: Mapping[str, str], token: str | None) -> ChatError | None:
    """Why a form must not be carried out."""
    if token is None:
        return ChatError(Kind.BAD_TOKEN, "Your browser sent no cookie; allow it, and try again.")
    if not same(given.get("token", ""), form_token(token)):
        return ChatError(Kind.BAD_TOKEN, "The form was out of date. Nothing was done; try again.")
    return None


def _wanted(call: Call) -> str:
    """The page that was asked for, or the form's."""
    room = call.names.get("room", "")
    return _safe((f"/admin/rooms/{room}/" if room else "/admin/") + f"?{call.query}")


def _safe(wanted: str) -> str:
    """*wanted*, if it is a page of the admin page: no other site, and no loop."""
    path, _, asked = wanted.partition("?")
    if not _PAGE.fullmatch(path):
        return "/admin/"
    return f"{path}?{asked}" if asked and _QUERY.fullmatch(asked) else path
