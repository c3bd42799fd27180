"""
Operators by name, for programs: list, add, change, drop.

These need the right ``manage`` everywhere.  Nobody gives an operator more than their own rights.
"""

from __future__ import annotations

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from livechat.identity.accounts import account_grants, account_name, rooms_of
from livechat.identity.actor import Actor
from livechat.identity.door import Door
from livechat.identity.operators import Operators
from livechat.identity.rights import EVERYWHERE, within
from livechat.protocol.audit import Action, Recorded
from livechat.protocol.bodies import (
    OperatorDropped,
    OperatorKept,
    OperatorList,
    OperatorSet,
    decode_operator,
)
from livechat.rooms.chat import Chat
from livechat.web import operations as told
from livechat.web.queries import claim, json_body


class OperatorsApi:
    """The endpoints."""

    def __init__(self, chat: Chat, door: Door, operators: Operators) -> None:
        self._chat = chat
        self._door = door
        self._operators = operators

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {
            "/chat/operators/": Endpoint(
                {"GET": self.list, "POST": self.put},
                None,
                {"GET": told.operators(), "POST": told.set_operator(self._chat)},
            ),
            "/chat/operators/{name}/": Endpoint({"DELETE": self.drop}, None, told.drop_operator()),
        }

    async def list(self, call: Call) -> Response:
        """All operators, by name."""
        await self._manager(call)
        found = self._operators.accounts.all()
        return json(
            OperatorList([OperatorKept(each.name, rooms_of(each.grants)) for each in found])
        )

    async def put(self, call: Call) -> Response:
        """Make an operator, or change one."""
        asked = decode_operator(json_body(call))
        actor = await self._manager(call)
        name, grants = account_name(asked.name), account_grants(asked.rooms)
        if not within(grants, actor.grants or {}):
            raise ChatError(Kind.FORBIDDEN, "You cannot give an operator rights that you lack.")
        self._chat.audit.check()
        new, made = await self._operators.put(name, grants, asked.password)
        await self._record(actor, "operator_add" if new else "operator_change", name)
        return json(OperatorSet(name, rooms_of(grants), new, made))

    async def drop(self, call: Call) -> Response:
        """Drop an operator, and end their sessions."""
        actor = await self._manager(call)
        name = account_name(call.names["name"])
        self._chat.audit.check()
        await self._operators.accounts.drop(name)
        await self._record(actor, "operator_drop", name)
        return json(OperatorDropped(name))

    async def _manager(self, call: Call) -> Actor:
        """
        @raise ChatError: the caller manages less than everything.
        """
        actor = await self._door.caller(call.source, claim(call, {}, call.bearer))
        self._chat.require(actor, EVERYWHERE, "manage")
        return actor

    async def _record(self, actor: Actor, done: Recorded, name: str) -> None:
        await self._chat.audit.record(actor, Action(done, name=name))
