"""Tells the bearer of a token whose it is, or why it is refused."""

from __future__ import annotations

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from livechat.identity.accounts import rooms_of
from livechat.identity.door import Door
from livechat.identity.keys import PREFIX
from livechat.protocol.back_ends import TokenFound
from livechat.web.operations import KNOWN, Document, answer, operation, parameter, reference
from livechat.web.queries import claim


class TokenCheck:
    """The endpoint."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {"/chat/token/check/": Endpoint({"GET": self.check}, None, _described())}

    async def check(self, call: Call) -> Response:
        """Tell whose the token of the request is."""
        token = call.bearer
        if token is None:
            raise ChatError(Kind.UNAUTHORIZED, "Send the token as Authorization: Bearer.")
        if token.startswith(PREFIX):
            raise ChatError(Kind.BAD_REQUEST, "This is a key, and no token.")
        actor = await self._door.caller(call.source, claim(call, {}, token))
        if actor.kind != "user" or actor.user is None:
            raise ChatError(
                Kind.UNAUTHORIZED,
                "Nobody here knows its issuer: it is none of livechat's own, and --token-keys has"
                " no key for it.",
            )
        expires = None if actor.lease is None else actor.lease.ends
        rooms = None if actor.grants is None else rooms_of(actor.grants)
        return json(TokenFound(actor.user, expires, rooms))


def _described() -> Document:
    found = answer("It counts.", reference("TokenFound"))
    token = parameter("header", "Authorization", {"type": "string"}, "`Bearer` and the token.")
    kinds = (*KNOWN, Kind.BAD_ORIGIN, Kind.FORBIDDEN, Kind.UNAVAILABLE)
    return operation(
        "checkToken", "Tells whose a token is, or why it is refused.", found, kinds, [token]
    )
