"""The address of a room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from livechat_client.entries import Place
from livechat_client.errors import BadAddress

_SCHEMES: Final = {"https": "wss", "wss": "wss", "http": "ws", "ws": "ws"}


class Address:
    """A room's WebSocket at a server, as one client asks for it."""

    def __init__(self, url: str, room: str, visitor: Mapping[str, str | None]) -> None:
        """
        @param url: the server's, as people see it in a browser.
        @param visitor: what says who asks.
        """
        try:
            parts = urlsplit(url)
            scheme, _ = _SCHEMES.get(parts.scheme), parts.port
        except ValueError as error:
            raise BadAddress(f"{url!r} is no address: {error}") from None
        if scheme is None or not parts.hostname:
            host = url.partition("://")[2] or url
            raise BadAddress(f'{url!r} is no address: use https://, as in "https://{host}".')
        path = f"{parts.path.rstrip('/')}/ws/chat/{quote(room, safe='~')}/"
        self.is_secure = scheme == "wss"
        self._base = urlunsplit((scheme, parts.netloc, path, "", ""))
        self._visitor = {name: each for name, each in visitor.items() if each is not None}

    def rename(self, name: str) -> None:
        """Ask by another *name* from now on."""
        self._visitor = {**self._visitor, "name": name}

    def socket(self, place: Place | None) -> str:
        """
        Make the address of the WebSocket.

        @param place: where to go on.
        """
        since = {"since": f"{place.epoch}:{place.seq}"} if place else {}
        query = urlencode({**self._visitor, **since}, quote_via=quote)
        return f"{self._base}?{query}" if query else self._base
