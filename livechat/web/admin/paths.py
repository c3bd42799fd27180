"""The addresses of the admin page, and which of them a browser may be sent to."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from livechat.errors import ChatError
from livechat.http.call import Call, fields
from livechat.protocol.names import room_name

OVERVIEW: Final = "/admin/"
SIGN_IN: Final = "/admin/sign-in/"
_OTHERS: Final = frozenset(
    {
        OVERVIEW,
        "/admin/audit/",
        "/admin/cases/",
        "/admin/forget/",
        "/admin/health/",
        "/admin/keys/",
        "/admin/settings/",
    }
)
_ROOM: Final = re.compile(r"/admin/rooms/([^/?]*)/(members/|restrictions/|settings/)?", re.ASCII)
#: A query that is kept: printable characters, none of which ends it.
_QUERY: Final = re.compile(r"[!$-\[\]-~]{1,500}", re.ASCII)
#: Fields of a query that belong to a notice, which is shown once.
_PASSING: Final = frozenset({"sent", "removed", "done", "failed", "mark"})


def of_room(name: str, page: str = "") -> str:
    """The address of a room's page, or of another one below it."""
    return f"/admin/rooms/{name}/{page and f'{page}/'}"


def query(**given: object) -> str:
    """A query with its question mark, of all that is not None or empty; or nothing."""
    text = urlencode({key: str(value) for key, value in given.items() if value not in (None, "")})
    return f"?{text}" if text else ""


def is_room(wanted: str) -> bool:
    """Tell whether *wanted* is the page of a room, which has a form for messages."""
    found = _ROOM.fullmatch(wanted.partition("?")[0])
    return found is not None and found[2] is None


def safe(wanted: str) -> str:
    """Return *wanted* if it is a page of the admin site: no other site, and no loop."""
    path, _, asked = wanted.partition("?")
    if not _is_page(path):
        return OVERVIEW
    return f"{path}?{asked}" if _QUERY.fullmatch(asked) else path


def page_of(call: Call) -> str:
    """The page that was asked for, or the one of the form that was sent."""
    path = f"{call.path.rstrip('/')}/"
    if not _is_page(path) and "room" in call.names:
        path = of_room(call.names["room"])
    return safe(f"{path}?{call.query_text}")


def here(call: Call) -> str:
    """Return the address without the notice of an earlier answer."""
    path, _, text = page_of(call).partition("?")
    try:
        asked = fields(text)
    except ValueError:
        return path
    kept = {name: value for name, value in asked.items() if name not in _PASSING}
    return f"{path}?{urlencode(kept)}" if kept else path


def _is_page(path: str) -> bool:
    if path in _OTHERS:
        return True
    found = _ROOM.fullmatch(path)
    try:
        return found is not None and room_name(found[1]) == found[1]
    except ChatError:
        return False
