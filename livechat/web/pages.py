"""
The files that all pages use, here and on other sites.

The files are read, and compressed, once, at start.  What is not among them does not exist:
no path of a request ever reaches the file system.  They are sent whole, whatever ranges are
asked for (RFC 9110, section 14.2, leaves that to the server).
"""

from __future__ import annotations

import gzip
import mimetypes
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.negotiation import weights
from livechat.http.response import Headers, Response
from livechat.web.html import folder

#: To Python, .ts is a video.
_MEDIA_TYPES: Final = {".ts": "text/plain"}


class _Form(Struct, frozen=True):
    """The bytes of a file, as they are or compressed."""

    body: bytes
    tag: str
    headers: Headers = ()


class _File(Struct, frozen=True):
    media_type: str
    plain: _Form
    compressed: _Form


class Pages:
    """The static files."""

    def __init__(self) -> None:
        self._files = _files(folder("static"))

    async def static(self, call: Call) -> Response:
        """A file of the pages."""
        # Another address would lead what a script imports astray.
        file = None if call.path.endswith("/") else self._files.get(call.names["name"])
        if file is None:
            raise ChatError(Kind.NOT_FOUND, "There is no such file.")
        form = file.compressed if _takes_gzip(call.joined("accept-encoding")) else file.plain
        headers = (
            ("ETag", form.tag),
            ("Cache-Control", "no-cache"),
            ("Vary", "Accept-Encoding"),
            # They are no secrets, and other sites put the chat into their pages.
            ("Access-Control-Allow-Origin", "*"),
        )
        if form.tag in call.joined("if-none-match"):
            return Response(304, headers=headers)
        media_type = ("Content-Type", file.media_type)
        return Response(200, form.body, (media_type, *form.headers, *headers))


@cache
def _files(directory: Path) -> Mapping[str, _File]:
    """
    Read the files in the folders of *directory*, by their names, which are unique.

    A link that leads out of its folder is left out.
    """
    return {
        path.name: _read(path)
        for path in directory.glob("*/*")
        if path.is_file() and path.resolve().parent == path.parent.resolve()
    }


def _read(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    media_type = media_type or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    tag = urlsafe_b64encode(sha256(body).digest()[:12]).decode()
    plain = _Form(body, f'"{tag}"')
    smaller = gzip.compress(body, mtime=0)
    if len(smaller) >= len(body):
        return _File(media_type, plain, plain)
    gzipped = _Form(smaller, f'"{tag}-gzip"', (("Content-Encoding", "gzip"),))
    return _File(media_type, plain, gzipped)


def _takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` does (RFC 9110, section 12.5.3)."""
    found = weights(accepted)
    return found.get("gzip", found.get("*", 0.0)) > 0
