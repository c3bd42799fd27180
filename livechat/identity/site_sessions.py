"""
Asks the site about clients that want to join a room: may they, and who are they?

A client that nobody else vouches for is shown to the site by the cookies and the ``Authorization``
of its request.  So a session of the site is an identity here.  Browsers add cookies to the requests
of any page, so only those of pages that may use them are shown.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, internal
from livechat.identity.actor import Actor
from livechat.identity.keys import PREFIX
from livechat.identity.known import Known, known
from livechat.identity.site import Site, owner_of
from livechat.interfaces import Identity
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.asking import Question, Ruling
from livechat.protocol.credentials import OWN_COOKIES, Headers
from livechat.system.time import Time

#: Seconds between two lines of the log.
LOG_EVERY: Final = 10.0
#: Browsers send these, and other clients do not.
_BY_BROWSERS: Final = frozenset({"origin", "sec-fetch-site"})

_log = Logger(namespace="livechat")


class Joining(Struct, frozen=True):
    """
    A request to join a room.

    @ivar headers: its request's, all values by lower-case name.
    @ivar ours: a page sent it that may use the visitor's cookies.
    @ivar credential: a token, as it was sent.
    """

    room: str
    headers: Headers
    ours: bool
    credential: str | None = None


class SiteSessions:
    """Asks about clients that join."""

    def __init__(self, site: Site, time: Time, token_cookie: str | None = None) -> None:
        """
        @param token_cookie: the cookie that has livechat's own tokens.
        """
        self._site = site
        self._time = time
        self._token_cookie = token_cookie
        self._lines = LogLimit(Rate(1 / LOG_EVERY, 1))

    async def known(self, actor: Actor, joining: Joining) -> Known | None:
        """
        Ask the site who *actor* is; None if the actor stays who it is.

        @raise ChatError: the site turns it away, cannot be asked, or names an impossible identity.
        """
        question = Question("join", joining.room, actor.kind, actor.user)
        headers = self._shown(actor, joining)
        ruling = await self._site.ask("join", question, owner_of(actor), headers=headers)
        if ruling.verdict == "reject":
            reason = ruling.reason
            detail = f"The site turns you away: {reason}" if reason else "The site turns you away."
            raise ChatError(Kind.FORBIDDEN, detail, reason=reason)
        # Where something else vouches for the client, that counts.
        if ruling.user is None or actor.kind != "guest":
            return None
        return self._checked(ruling)

    def _checked(self, ruling: Ruling) -> Known:
        user = ruling.user
        assert user is not None
        ends = None if ruling.expires is None else int(ruling.expires)
        identity = Identity(user.id, user.name, user.role, ruling.rooms, ends)
        try:
            return known(identity, self._time.wall())
        except ValueError as reason:
            # As a guest the client might be where its user may not.
            if (more := self._lines.due(self._time.seconds())) is not None:
                _log.error(
                    "The site (--ask) says that a client is {user}: {reason}.{more}",
                    user=user,
                    reason=str(reason),
                    more=more,
                )
            raise internal() from None

    def _shown(self, actor: Actor, joining: Joining) -> dict[str, str]:
        """The headers that the site is shown."""
        found: dict[str, str] = {}
        if joining.ours:
            cookies = self._cookies(joining.headers.get("cookie", ()))
            if cookies:
                found["cookie"] = cookies
        if actor.kind == "guest" and (joining.ours or _BY_BROWSERS.isdisjoint(joining.headers)):
            given = _authorization(joining)
            if given is not None:
                found["authorization"] = given
        return found

    def _cookies(self, lines: tuple[str, ...]) -> str:
        """The cookies that are not livechat's own."""
        pairs = (pair.strip() for line in lines for pair in line.split(";"))
        return "; ".join(
            pair
            for pair in pairs
            if pair.isascii() and pair and not self._is_own(pair.partition("=")[0].strip())
        )

    def _is_own(self, name: str) -> bool:
        return name.startswith(OWN_COOKIES) or name == self._token_cookie


def _authorization(joining: Joining) -> str | None:
    """The client's ``Authorization``, or the token that it has sent in another way."""
    credential, lines = joining.credential, joining.headers.get("authorization", ())
    if credential is not None and credential.startswith(PREFIX):
        return None
    if not lines:
        return None if credential is None else f"Bearer {credential}"
    # Something that looks like a key is not shown to anybody.
    if len(lines) > 1 or not lines[0].isascii() or PREFIX in lines[0]:
        return None
    return lines[0]
