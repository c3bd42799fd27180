"""The page of back ends' keys: list, make and drop them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.identity.guests import LONGEST_NAME
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.back_ends import KeyRequest
from livechat.rooms.chat import Chat
from livechat.system.time import Time
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.listing import Lines
from livechat.web.html import Templates
from livechat.web.key_office import KeyOffice

_PAGE: Final = "/admin/keys/"
#: Lifetimes of a key that the form offers, in seconds.
LASTING: Final = (
    ("", "until it is dropped"), ("86400", "1 day"), ("2592000", "30 days"),
    ("7776000", "90 days"), ("31536000", "1 year"),
)  # fmt: skip


class KeyPages:
    """The page, and its forms."""

    def __init__(self, chat: Chat, office: KeyOffice, templates: Templates, time: Time) -> None:
        self._chat = chat
        self._office = office
        self._templates = templates
        self._time = time

    async def page(self, asked: OperatorCall) -> Response:
        """Render all keys, and a form for another one."""
        return self._page(asked)

    async def make(self, asked: OperatorCall) -> Response:
        """
        Make a key, and show its secret in this answer only: there is no address where it stays.
        """
        self._chat.require(asked.actor, EVERYWHERE, "manage")
        made = await self._office.make(asked.actor, _request(asked.form))
        return self._page(asked, made=made[1])

    async def not_made(self, asked: OperatorCall, error: ChatError) -> Response:
        """The page with the typed fields, and the reason why there is no key."""
        return self._page(asked, error=error)

    async def drop(self, asked: OperatorCall) -> Response:
        """Drop a key."""
        self._chat.require(asked.actor, EVERYWHERE, "manage")
        try:
            key = await self._office.drop(asked.actor, asked.form.get("key", ""))
        except ChatError as error:
            return asked.see(_PAGE, error.detail, failed=True)
        return asked.see(_PAGE, f"The key {key.record.name} ({key.id}) is dropped.")

    def _page(
        self, asked: OperatorCall, *, made: str = "", error: ChatError | None = None
    ) -> Response:
        self._chat.require(asked.actor, EVERYWHERE, "manage")
        return self._templates.page(
            "admin/keys.html",
            error=error,
            made=made,
            typed=asked.form if error is not None else {},
            lines=Lines(self._office.all(), asked.call.query),
            lasting=LASTING,
            longest_name=LONGEST_NAME,
            now=self._time.wall(),
            **asked.frame,
        )


def _request(form: Mapping[str, str]) -> KeyRequest:
    """
    @raise ChatError: the form makes no sense.
    """
    given = {
        "name": form.get("name", "").strip(),
        "rooms": _rooms(form.get("rooms", "")),
        "as": "as" in form,
        "scope": "metrics" if "metrics" in form else None,
    }
    if form.get("rate", "").strip():
        given["rate"] = form["rate"].strip()
    if form.get("seconds"):
        given["seconds"] = form["seconds"]
    try:
        return msgspec.convert(given, KeyRequest, strict=False)
    except msgspec.ValidationError as reason:
        raise ChatError(Kind.BAD_FORM, f"There is no such key: {reason}.") from None


def _rooms(text: str) -> object:
    """
    Read rights by room: JSON, or lines such as ``lobby: join send``.

    @raise ChatError: it is neither.
    """
    if text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as reason:
            raise ChatError(Kind.BAD_FORM, f"The rooms are no JSON: {reason}.") from None
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        pattern, colon, words = line.partition(":")
        if not colon or pattern.strip() in found:
            raise ChatError(Kind.BAD_FORM, "Each line is a room, a colon, and rights; once a room.")
        found[pattern.strip()] = words.replace(",", " ").split()
    if not found:
        raise ChatError(Kind.BAD_FORM, "The key has no rooms: say which, and with which rights.")
    return found
