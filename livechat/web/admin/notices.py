"""
Notices: the outcome of a form, shown by the page to which the browser goes next.

The text is in that page's address, with a mark that follows from the session.  So a link from
elsewhere cannot make the page say anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from secrets import compare_digest
from typing import Final, Literal
from urllib.parse import urlencode

from msgspec import Struct

from livechat.http.response import Response, see

#: Characters of a text; more is cut off.
LONGEST_NOTICE: Final = 300

_Field = Literal["done", "failed"]


class Notice(Struct, frozen=True):
    """
    @ivar failed: nothing was done, and the text says why.
    """

    text: str
    failed: bool = False


def see_notice(target: str, text: str, token: str, *, failed: bool = False) -> Response:
    """
    Go to *target*, which says *text*.

    @param target: a page of the admin page, perhaps with a query.
    @param token: the session's.
    """
    name: _Field = "failed" if failed else "done"
    text = text[:LONGEST_NOTICE]
    given = urlencode({name: text, "mark": _mark(name, text, token)}, errors="replace")
    return see(f"{target}{'&' if '?' in target else '?'}{given}")


def notice_of(asked: Mapping[str, str], token: str) -> Notice | None:
    """The notice in a query; None if there is none, or it is not of this session."""
    names: tuple[_Field, ...] = ("done", "failed")
    for name in names:
        text, mark = asked.get(name), asked.get("mark", "").encode(errors="replace")
        if text and compare_digest(_mark(name, text, token), mark):
            return Notice(text, name == "failed")
    return None


def _mark(name: _Field, text: str, token: str) -> bytes:
    key = blake2b(token.encode(), person=b"livechat notice").digest()
    said = f"{name} {text}".encode(errors="replace")
    return blake2b(said, key=key, digest_size=12).hexdigest().encode()
