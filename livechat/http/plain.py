"""
Plain HTTP on the TLS port: an address that was typed without ``https``.

The answer is a redirect to the same address with ``https``, or the reason why there is none.
Nothing else is ever said without TLS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from livechat.errors import ChatError, Kind
from livechat.http.response import Response, problem
from livechat.protocol.origins import is_among, is_host

_LINE: Final = re.compile(rb"([A-Z]{1,16}) ([!-~]+) HTTP/1\.[01]")
_BEGINNING: Final = re.compile(rb"[A-Z]{1,16}(?: |\Z)")
# Line ends and bytes in lines that HTTP does not allow.
_WRONG: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TARGET: Final = re.compile(r"(?:https?://([^/?#]*))?(/.*)?", re.ASCII | re.IGNORECASE)
_HOST: Final = re.compile(r"host:[ \t]*(.*?)[ \t]*", re.ASCII | re.IGNORECASE)


class Redirects:
    """The answers of a server with certain names."""

    def __init__(self, names: Callable[[], tuple[str, ...]]) -> None:
        """
        @param names: returns the server's present names (`livechat.protocol.origins.is_among`).
        """
        self._names = names

    def begins(self, data: bytes) -> bool:
        """Tell whether a request may begin with *data*; other protocols need not wait."""
        line, end, _ = data.partition(b"\r\n")
        known = _LINE.fullmatch(line) if end else _BEGINNING.match(line)
        return known is not None and _WRONG.search(data) is None

    def answer(self, head: bytes) -> bytes:
        """
        The answer to a request.

        @param head: its lines, of which `begins` has seen the first.
        """
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        try:
            response = self._redirect(target, lines)
        except ChatError as error:
            response = problem(error)
        return response.as_last(with_body=method != "HEAD")

    def _redirect(self, target: str, lines: list[str]) -> Response:
        asked = _TARGET.fullmatch(target)
        if asked is None or asked[0] == "":
            raise ChatError(Kind.BAD_REQUEST, "This is not a valid HTTP/1.1 request.")
        hosts = [found[1] for found in map(_HOST.fullmatch, lines) if found]
        # The authority of a whole URL counts, whatever Host says (RFC 9112, section 3.2.2).
        host = "".join(hosts) if asked[1] is None else asked[1]
        if len(hosts) != 1 or not is_host(hosts[0]) or not is_host(host):
            raise ChatError(Kind.BAD_HOST, "Exactly one valid Host header is needed.")
        if not is_among(host, self._names()):
            raise ChatError(
                Kind.MISDIRECTED,
                "This server has no such name; see its certificate, and its option --host.",
            )
        # Not cached, as another server may have the port one day.
        headers = (("Location", f"https://{host}{asked[2] or '/'}"), ("Cache-Control", "no-store"))
        return Response(HTTPStatus.PERMANENT_REDIRECT, headers=headers)
