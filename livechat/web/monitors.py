"""
For monitors: whether the server is alive and ready, and its figures.

The figures say how much is going on, so not everybody gets them: by default who asks from this
machine does, by one of its addresses or as localhost, and not through a proxy; and whoever brings
the operator's token.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from secrets import compare_digest
from typing import Final, Literal

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.response import Response, json
from livechat.protocol.origins import is_among
from livechat.rooms.chat import Chat

#: What proxies add to what they pass on.
_BY_PROXIES: Final = (
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip",
)  # fmt: skip


class Access(Struct, frozen=True):
    """
    Who gets the figures.

    @ivar to: those on this machine; everybody; nobody.
    @ivar token: with which anybody does, unless nobody shall.
    """

    to: Literal["loopback", "open", "off"] = "loopback"
    token: str | None = None


class Monitors:
    """Their endpoints."""

    def __init__(
        self, chat: Chat, access: Access, trouble: Callable[[], str | None] = lambda: None
    ) -> None:
        """
        @param trouble: why not all who may come in can do so; None if they can.
        """
        self._chat = chat
        self._access = access
        self._trouble = trouble

    async def healthy(self, call: Call) -> Response:
        """The process is alive and answers."""
        return json({"status": "ok"})

    async def ready(self, call: Call) -> Response:
        """The process can take messages, from all who may send some."""
        trouble = self._chat.trouble() or self._trouble()
        if trouble is not None:
            raise ChatError(Kind.UNAVAILABLE, f"Not ready: {trouble}.")
        return json({"status": "ready"})

    async def figures(self, call: Call) -> Response:
        """What is counted, as Prometheus reads it."""
        if self._access.to == "off":
            raise ChatError(Kind.NOT_FOUND, "There is nothing at this address.")
        if self._access.to != "open" and not self._is_here(call) and not self._has_token(call):
            raise ChatError(
                Kind.FORBIDDEN,
                "Metrics are for this machine, and for who has the token; "
                "see the server's option --metrics.",
            )
        headers = (("Content-Type", CONTENT_TYPE_LATEST), ("Cache-Control", "no-store"))
        return Response(200, metrics.text(), headers)

    @staticmethod
    def _is_here(call: Call) -> bool:
        """Whether it is asked from this machine, by somebody who means this machine."""
        return (
            ip_address(call.source.address).is_loopback
            and is_among(call.asked.host, ())
            # nginx's bare proxy_pass adds nothing.
            and not call.proxied
            and not any(name in call.headers for name in _BY_PROXIES)
        )

    def _has_token(self, call: Call) -> bool:
        given = call.bearer
        if self._access.token is None or given is None:
            return False
        return compare_digest(given.encode(), self._access.token.encode())
