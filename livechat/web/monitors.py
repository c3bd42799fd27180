"""
Resources for monitors: liveness, readiness and metrics.

Metrics say how much is going on, so access is restricted. By default they are for requests from
this machine, by one of its addresses or as localhost, and not through a proxy; and for requests
with the operator's token, or with a key of scope ``metrics``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from secrets import compare_digest
from typing import Literal

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.response import Response, json
from livechat.identity.keys import PREFIX, Keys
from livechat.net.fast import WHY_PURE
from livechat.rooms.chat import Chat


class Access(Struct, frozen=True):
    """
    The rule of access to the figures.

    @ivar to: clients on this machine; everybody; nobody.
    @ivar token: lets its bearer read from anywhere, unless *to* is "off".
    """

    to: Literal["loopback", "open", "off"] = "loopback"
    token: str | None = None


class Monitors:
    """The endpoints of monitors."""

    def __init__(
        self,
        chat: Chat,
        access: Access,
        keys: Keys,
        trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        """
        @param trouble: returns the reason why some clients cannot come in, or None.
        """
        self._chat = chat
        self._keys = keys
        self._access = access
        self._trouble = trouble

    async def healthy(self, call: Call) -> Response:
        """The process is alive and answers."""
        return json({"status": "ok", "fast_path": "native" if WHY_PURE is None else "pure"})

    async def ready(self, call: Call) -> Response:
        """Return True if the process accepts messages from every client with the right to send."""
        trouble = self._chat.trouble() or self._trouble()
        if trouble is not None:
            raise ChatError(Kind.UNAVAILABLE, f"Not ready: {trouble}.")
        return json({"status": "ready"})

    async def figures(self, call: Call) -> Response:
        """Render the figures for Prometheus."""
        if self._access.to == "off":
            raise ChatError(Kind.NOT_FOUND, "There is nothing at this address.")
        if self._access.to != "open" and not call.is_local and not self._has_token(call):
            raise ChatError(
                Kind.FORBIDDEN,
                "Only this machine, or a request with the token, may read metrics; "
                "see the server's option --metrics.",
            )
        headers = (("Content-Type", CONTENT_TYPE_LATEST), ("Cache-Control", "no-store"))
        return Response(200, metrics.text(), headers)

    def _has_token(self, call: Call) -> bool:
        given = call.bearer
        if given is None:
            return False
        token = self._access.token
        # An operator's token may look like a key.
        if token is not None and compare_digest(given.encode(), token.encode()):
            return True
        if given.startswith(PREFIX):
            with suppress(ChatError):
                return self._keys.find(given, here=False).record.scope == "metrics"
        return False
