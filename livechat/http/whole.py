"""A request that came the short way (`livechat.http.short`)."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress

from livechat.http.connection import Channel
from livechat.http.request import Request
from livechat.http.short import Whole


class WholeRequest(Request):
    """
    A request of an endpoint, which was never taken apart by Twisted.

    All that it has of Twisted's request is what it takes to be answered: only mounted resources
    need the rest.
    """

    clientproto = b"HTTP/1.1"

    def __init__(self, channel: Channel, whole: Whole) -> None:
        # Twisted's own initialiser is skipped: it makes objects that are not needed here.
        self.channel = channel
        self.method = whole.method
        self.uri = whole.target
        self.queued = False
        self.notifications = []
        self._whole = whole

    @property
    def client(self) -> IAddress:
        """The address at the other end of the connection."""
        peer: IAddress = self.channel.getPeer()
        return peer

    @property
    def path(self) -> bytes:  # type: ignore[override]
        """The target without its query."""
        return self.uri.partition(b"?")[0]

    def _received_headers(self) -> dict[str, tuple[str, ...]]:
        return self._whole.headers

    def _received_body(self) -> bytes:
        return self._whole.body

    def getHeader(self, key: bytes) -> bytes | None:  # type: ignore[override]
        """The last value of a header."""
        values = self._whole.headers.get(key.decode("latin-1").lower())
        return None if values is None else values[-1].encode("latin-1")
