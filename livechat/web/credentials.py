"""
The token of a request: in ``Authorization``, in a subprotocol of a WebSocket, or in a cookie;
the first that is there counts.

A query is no place for it: queries are in histories, logs and bookmarks.
"""

from __future__ import annotations

from typing import Final

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.origins import Origins

#: Prefix of a subprotocol that is a token: a page cannot set headers of a WebSocket.
OFFERED: Final = "livechat.token."


class CredentialFinder:
    """Finds the token of a request."""

    def __init__(self, origins: Origins, cookie: str | None = None) -> None:
        """
        @param cookie: the name of the cookie that may have a token; None if no cookie may.
        """
        self._origins = origins
        self._cookie = cookie

    def find(self, call: Call) -> str | None:
        """
        The token, as it was sent; None without one.

        @raise ChatError: there are several, so it is unclear whose request it is.
        """
        found = call.bearer
        if found is None and "sec-websocket-protocol" in call.headers:
            found = _of_subprotocols(call)
        if found is None and self._cookie is not None and self.lends(call):
            found = _of_cookies(call, self._cookie)
        return found

    def lends(self, call: Call) -> bool:
        """
        Tell whether a page sent the request that may use the visitor's cookies.

        A browser adds them to the requests of any page.
        """
        if "origin" in call.headers:
            return self._origins.lends(call.headers, call.asked)
        return call.headers.get("sec-fetch-site") == ("same-origin",)


def _of_subprotocols(call: Call) -> str | None:
    offered = call.tokens("sec-websocket-protocol")
    return _only(
        "subprotocols",
        [each.removeprefix(OFFERED) for each in offered if each.startswith(OFFERED)],
    )


def _of_cookies(call: Call, name: str) -> str | None:
    pairs = (
        pair.partition("=") for line in call.headers.get("cookie", ()) for pair in line.split(";")
    )
    # A site beside this one can add a cookie of the same name, to make its token the visitor's.
    return _only(
        "cookies", [value.strip().strip('"') for key, _, value in pairs if key.strip() == name]
    )


def _only(places: str, found: list[str]) -> str | None:
    """
    @raise ChatError: there are several.
    """
    if len(found) > 1:
        raise ChatError(Kind.BAD_REQUEST, f"There are {len(found)} tokens in the {places}.")
    return found[0] or None if found else None
