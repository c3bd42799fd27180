"""
The way into the admin page: signing in and out, and what every page asks first.

A browser is known by one cookie, a random token.  Before it has signed in the
token means nothing but ties the sign-in form to the browser; signing in gives
it a new one, whose session `livechat.identity.operators` keeps.

A cookie proves who asks, not that they want to: other sites can make a browser
send it.  `SameSite=Strict` and the check of origins stop that, and since both
lean on the browser, every form also carries a token that follows from the
cookie.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from hashlib import blake2b
from secrets import compare_digest
from typing import Any, Final, Literal
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.interfaces import IReactorTime

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Answer
from livechat.http.response import Headers, Response, see
from livechat.identity.actor import Actor, operator
from livechat.identity.operators import Operators, new_token
from livechat.identity.rights import EVERYWHERE
from livechat.identity.sessions import TOKEN
from livechat.protocol.audit import Action
from livechat.protocol.credentials import COOKIE, COOKIE_BELOW
from livechat.protocol.v1 import Can
from livechat.rooms.chat import Chat
from livechat.web.admin.events import EventStream
from livechat.web.admin.notices import Notice, notice_of, see_notice
from livechat.web.admin.paths import SIGN_IN, here, is_room, page_of, safe
from livechat.web.html import Templates

# A cookie's name ends with the port, as browsers share cookies between ports.
_PORT: Final = re.compile(r":(\d+)$", re.ASCII)
_ATTRIBUTES: Final = "Secure; HttpOnly; SameSite=Strict"


class OperatorCall(Struct, frozen=True):
    """
    A request of a signed-in operator.

    @ivar actor: the operator.
    @ivar token: their session's.
    @ivar can: their rights outside rooms.
    @ivar form: the fields of the form that they sent.
    """

    call: Call
    actor: Actor
    token: str
    can: Can
    form: Mapping[str, str] = {}

    @property
    def frame(self) -> dict[str, Any]:
        """The values that the templates of all pages need."""
        return {
            "token": form_token(self.token),
            "operator": self.actor.name,
            "audits": "moderate" in self.can,
            "manages": "manage" in self.can,
            "reviews": self.moderates_somewhere,
            "told": self._told(),
            "here": self.here,
        }

    def _told(self) -> Notice | None:
        try:
            return notice_of(self.call.query, self.token)
        except ChatError:
            # Such a query is refused by the page that it is for.
            return None

    @property
    def here(self) -> str:
        """The address of the page that was asked for, or of the form's."""
        return here(self.call)

    @property
    def back(self) -> str:
        """The page that the form is of, as it says."""
        return safe(self.form["back"]) if "back" in self.form else self.here

    @property
    def moderates_somewhere(self) -> bool:
        """True if the operator moderates some room, or pattern of rooms."""
        return any("moderate" in each for each in (self.actor.grants or {}).values())

    def see(self, target: str, text: str, *, failed: bool = False) -> Response:
        """Redirect to the page *target*, which shows *text*: what was done, or why nothing was."""
        return see_notice(target, text, self.token, failed=failed)


Page = Callable[[OperatorCall], Awaitable[Response]]
Refused = Callable[[OperatorCall, ChatError], Awaitable[Response]]
Events = Callable[[OperatorCall, EventStream], Awaitable[AsyncGenerator[bytes, None]]]


class Gate:
    """Lets operators in, and nobody else."""

    def __init__(
        self, operators: Operators, chat: Chat, templates: Templates, clock: IReactorTime
    ) -> None:
        self._operators = operators
        self._chat = chat
        self._clock = clock
        self._templates = templates
        self._cookies = Cookies(templates.base)

    def page(self, page: Page) -> Answer:
        """A page that signed-in operators get; others are asked to sign in."""

        async def answer(call: Call) -> Response:
            asked = await self._asked(call)
            if asked is None:
                return see(f"{SIGN_IN}?{urlencode({'next': page_of(call)})}")
            return await self._or_error_page(asked, page(asked))

        return answer

    def form(self, done: Page, refused: Refused | None = None) -> Answer:
        """
        Do what a form of a page asks for.

        @param done: does it, and is called only for forms of this server's pages.
        @param refused: the answer for other ones, and for what *done* raises;
            without it, the error page.
        """

        async def answer(call: Call) -> Response:
            given, asked = call.form, await self._asked(call)
            if asked is None:
                error = ChatError(Kind.NOT_SIGNED_IN, "Your session has ended.")
                return self._sign_in_page(call, page_of(call), given.get("message", ""), error)
            asked = replace(asked, form=given)
            return await self._or_error_page(asked, self._done(asked, done, refused))

        return answer

    def events(self, begun: Events) -> Answer:
        """Events for an operator, until their session ends."""

        async def answer(call: Call) -> Response:
            asked = await self._asked(call)
            if asked is None:
                raise ChatError(Kind.NOT_SIGNED_IN, "Sign in first.")
            stream = EventStream(self._clock, self._operators.sessions.lasting(asked.token))
            events = await begun(asked, stream)
            return stream.answer(self._while_signed_in(asked.token, stream, events))

        return answer

    async def ask(self, call: Call) -> Response:
        """The page that asks for the password."""
        asked = call.query
        wanted = safe(asked.get("next", ""))
        if await self._asked(call) is not None:
            return see(wanted)
        notice = "You are signed out." if "out" in asked else ""
        return self._sign_in_page(call, wanted, notice=notice)

    async def sign_in(self, call: Call) -> Response:
        """Sign in, or say why not."""
        given, token = call.form, self._cookies.token(call)
        wanted = safe(given.get("next", ""))
        draft = given.get("message", "") if is_room(wanted) else ""
        if (asked := await self._asked(call)) is not None:
            # The operator signed in in another tab, whose new cookie made this form's token stale.
            return self._back(asked, wanted, draft)
        try:
            _check(given, token)
            new = await self._operators.sign_in(
                call.source.address,
                given.get("password", ""),
                given.get("username", "").strip().lower(),
            )
        except ChatError as error:
            username = given.get("username", "")
            return self._sign_in_page(call, wanted, draft, error, username=username)
        asked = self._of_session(call, new)
        if asked is None:
            # The operator was changed just now.
            return see(SIGN_IN)
        await self._record(asked.actor, "sign_in")
        return self._back(
            asked, wanted, draft, self._cookies.set(call, new, self._operators.sessions.lasts)
        )

    async def sign_out(self, asked: OperatorCall) -> Response:
        """Sign out this browser."""
        await self._operators.sessions.end(asked.token)
        await self._record(asked.actor, "sign_out")
        return see(f"{SIGN_IN}?out=1", self._cookies.set(asked.call, "", 0))

    async def _record(self, actor: Actor, done: Literal["sign_in", "sign_out"]) -> None:
        """
        Record an act, now or as soon as possible.

        An operator needs the page most when nothing can be stored, so it is not refused then.
        """
        with suppress(ChatError):
            self._chat.audit.check()
            await self._chat.audit.record(actor, Action(done))

    async def _asked(self, call: Call) -> OperatorCall | None:
        """Return *call* with its session, or None without one."""
        token = self._cookies.token(call)
        if token is None or await self._operators.sessions.look_up(token) is None:
            return None
        return self._of_session(call, token)

    def _of_session(self, call: Call, token: str) -> OperatorCall | None:
        session = self._operators.sessions.find(token)
        if session is None:
            return None
        actor = operator(call.source)
        if session.operator is not None:
            account = self._operators.accounts.get(session.operator)
            if account is None:
                return None
            actor = operator(call.source, account.grants, account.name)
        return OperatorCall(call, actor, token, self._chat.can(actor, EVERYWHERE))

    def _back(
        self, asked: OperatorCall, wanted: str, draft: str, *headers: tuple[str, str]
    ) -> Response:
        """Lead back to the page that the operator wanted, with the text typed there."""
        if not draft:
            return see(wanted, *headers)
        return self._templates.page(
            "admin/resume.html", headers=headers, room=wanted, draft=draft, **asked.frame
        )

    def _sign_in_page(
        self,
        call: Call,
        wanted: str,
        draft: str = "",
        error: ChatError | None = None,
        *,
        notice: str = "",
        username: str = "",
    ) -> Response:
        """Make the sign-in page, with a token for a browser that has none yet."""
        token = self._cookies.token(call)
        headers: Headers = ()
        if token is None:
            token = new_token()
            headers = (self._cookies.set(call, token),)
        return self._templates.page(
            "admin/sign_in.html",
            error=error,
            headers=headers,
            token=form_token(token),
            next=wanted,
            draft=draft,
            notice=notice,
            username=username,
        )

    async def _done(self, asked: OperatorCall, done: Page, refused: Refused | None) -> Response:
        try:
            _check(asked.form, asked.token)
            return await done(asked)
        except ChatError as error:
            if refused is None:
                raise
            return await refused(asked, error)

    async def _or_error_page(self, asked: OperatorCall, page: Awaitable[Response]) -> Response:
        try:
            return await page
        except ChatError as error:
            return self._templates.page("admin/error.html", error=error, **asked.frame)

    async def _while_signed_in(
        self, token: str, stream: EventStream, events: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        with self._operators.sessions.during(token, stream.end):
            if self._operators.sessions.find(token) is None:
                # The session ended before its end could be told.
                stream.end()
            async with aclosing(events):
                async for each in events:
                    yield each


def form_token(cookie: str) -> str:
    """
    The token that a form of a page must carry to be believed, if *cookie* is what the page
    was asked with: another site can make a browser send the cookie, but knows
    neither it nor what follows from it (OWASP calls this a signed double submit).
    """
    return blake2b(cookie.encode(), person=b"livechat form", digest_size=24).hexdigest()


def _check(given: Mapping[str, str], token: str | None) -> None:
    """
    @raise ChatError: the form is not from a page that this browser got.
    """
    if token is None:
        raise ChatError(Kind.BAD_TOKEN, "Your browser sent no cookie; allow it, and try again.")
    if not compare_digest(given.get("token", "").encode(), form_token(token).encode()):
        raise ChatError(Kind.BAD_TOKEN, "The form was out of date. Nothing was done; try again.")


class Cookies:
    """The cookies of a server that is below *base*."""

    def __init__(self, base: str) -> None:
        self._name = COOKIE_BELOW if base else COOKIE
        self._path = f"{base}/"

    def token(self, call: Call) -> str | None:
        """The browser's token, if it is one of ours."""
        for pair in (call.header("Cookie") or "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self._name_for(call) and TOKEN.fullmatch(value):
                return value
        return None

    def set(self, call: Call, value: str, seconds: int | None = None) -> tuple[str, str]:
        """
        Make the header that sets the token.

        @param seconds: how long the browser keeps it; None for until it is closed.
        """
        age = "" if seconds is None else f"; Max-Age={seconds}"
        value = f"{self._name_for(call)}={value}; Path={self._path}; {_ATTRIBUTES}{age}"
        return ("Set-Cookie", value)

    def _name_for(self, call: Call) -> str:
        port = _PORT.search(call.asked.host)
        return f"{self._name}-{port[1]}" if port else self._name
