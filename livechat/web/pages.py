"""
The files that all pages use, here and on other sites.

Files are sent whole, whatever ranges are asked for (RFC 9110, section 14.2, leaves that to the
server).
"""

from __future__ import annotations

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.negotiation import weights
from livechat.http.response import Response
from livechat.web import files
from livechat.web.html import folder


class Pages:
    """The static files."""

    def __init__(self) -> None:
        self._files = files.read(folder("static"))

    async def static(self, call: Call) -> Response:
        """A file of the pages."""
        # A slash at the end would break a script's relative imports.
        file = None if call.path.endswith("/") else self._files.get(call.names["name"])
        if file is None:
            raise ChatError(Kind.NOT_FOUND, "There is no such file.")
        form = file.compressed if _takes_gzip(call.joined("accept-encoding")) else file.plain
        headers = (
            ("ETag", form.tag),
            file.caching,
            ("Vary", "Accept-Encoding"),
            # Files are public, and pages of other sites embed the chat.
            ("Access-Control-Allow-Origin", "*"),
        )
        if form.tag in call.joined("if-none-match"):
            return Response(304, headers=headers)
        media_type = ("Content-Type", file.media_type)
        return Response(200, form.body, (media_type, *form.headers, *headers))


def _takes_gzip(accepted: str) -> bool:
    """True if an ``Accept-Encoding`` takes gzip (RFC 9110, section 12.5.3)."""
    found = weights(accepted)
    return found.get("gzip", found.get("*", 0.0)) > 0
