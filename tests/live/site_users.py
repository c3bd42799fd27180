"""Users of a site, who bring its tokens."""

from __future__ import annotations

import time

import jwt

from tests.live.visitor import Visitor

#: Options of a daemon that knows them.
KNOWS_THEM = ("--token-keys=secret", "--rate-per-user=0")
SECRET = "a secret that the site and the chat share"


def token(user: str, seconds: int = 3_600, **claims: object) -> str:
    """A token of the site's."""
    now = int(time.time())
    known = {"sub": user, "iat": min(now, now + seconds - 60), "exp": now + seconds}
    return jwt.encode(known | claims, SECRET, "HS256")


def enter(visitor: Visitor, room: str, brought: str) -> Visitor:
    """Open a room's page by an address with a token."""
    visitor.page.goto(f"{visitor.tab.url}/rooms/{room}/#token={brought}")
    return visitor
