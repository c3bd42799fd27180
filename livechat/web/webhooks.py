"""
Receivers of webhooks, for programs: how it goes with them, and telling one anew.

These need the right ``manage`` everywhere.
"""

from __future__ import annotations

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from livechat.identity.actor import Actor
from livechat.identity.door import Door
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.audit import Action
from livechat.protocol.receivers import (
    ReceiverList,
    RewoundList,
    RewoundReceiver,
    decode_rewind,
)
from livechat.rooms.chat import Chat
from livechat.web.operations import (
    MANAGING,
    Document,
    answer,
    operation,
    reference,
    request_body,
)
from livechat.web.queries import claim, json_body
from livechat.webhooks.board import Board

_REWINDING = (
    *MANAGING, Kind.UNKNOWN, Kind.NOT_FOUND, Kind.BAD_JSON, Kind.BAD_MESSAGE,
    Kind.UNSUPPORTED_MEDIA_TYPE, Kind.RATE_LIMITED,
)  # fmt: skip
#: A time in milliseconds beyond which there is no date (the year 9999).
_LATEST = 253_402_300_799_999


class WebhooksApi:
    """The endpoints."""

    def __init__(self, chat: Chat, door: Door, board: Board) -> None:
        self._chat = chat
        self._door = door
        self._board = board

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {
            "/chat/webhooks/": Endpoint({"GET": self.show}, None, _listed()),
            "/chat/webhooks/rewind/": Endpoint({"POST": self.rewind}, None, _rewinding(self._chat)),
        }

    async def show(self, call: Call) -> Response:
        """States of all receivers."""
        await self._manager(call)
        return json(ReceiverList(self._board.states()))

    async def rewind(self, call: Call) -> Response:
        """Send receivers the entries stored since a time again."""
        asked = decode_rewind(json_body(call))
        actor = await self._manager(call)
        if not 0 <= asked.since <= _LATEST:
            raise ChatError(Kind.BAD_REQUEST, "'since' is a time in milliseconds since 1970.")
        names = self._names(asked.receiver)
        self._chat.audit.check()
        for name in names:
            await self._chat.audit.record(actor, Action("rewind", name=name))
        found = await self._board.rewind(names, asked.since)
        return json(RewoundList([RewoundReceiver(*each) for each in found.items()]))

    def _names(self, given: str | None) -> list[str]:
        """
        @raise ChatError: the receiver is unknown.
        """
        found = [name for name, url in self._board.receivers.items() if given in (None, name, url)]
        if not found:
            raise ChatError(Kind.NOT_FOUND, "There is no such receiver.")
        return found

    async def _manager(self, call: Call) -> Actor:
        """
        @raise ChatError: they manage less than everything.
        """
        actor = await self._door.caller(call.source, claim(call, {}, call.bearer))
        self._chat.admit(actor)
        self._chat.require(actor, EVERYWHERE, "manage")
        return actor


def _listed() -> Document:
    listed = answer("All of them.", reference("ReceiverList"))
    summary = "How it goes with the receivers of webhooks."
    kinds = (*MANAGING, Kind.RATE_LIMITED)
    return operation("webhooks", summary, listed, kinds) | {"security": [{"bearer": []}]}


def _rewinding(chat: Chat) -> Document:
    done = answer("They are told anew.", reference("RewoundList"))
    summary = "Send receivers of webhooks the entries since a time again, as far as they are kept."
    described = operation("rewindWebhooks", summary, done, _REWINDING)
    body = {"application/json": {"schema": reference("RewindRequest")}}
    return described | {"security": [{"bearer": []}]} | request_body(chat, body)
