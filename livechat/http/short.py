"""
The short way in: whole, plain requests are taken apart here, past Twisted's parser.

Twisted reads a request line by line, into objects of which an endpoint needs little.  But most
of what a chat is sent over HTTP comes whole, in one piece, and has nothing unusual in it:

    head    GET or POST of HTTP/1.1, in printable ASCII, within `LONGEST_HEAD` and `MOST_FIELDS`
    body    none of a GET; of a POST as long as its one Content-Length says, and all of it there
    paths   those that the port's owner names, at which endpoints answer

Everything else is Twisted's, untouched.  `tests/http/test_short.py` compares both ways, over
anything that can be sent, cut anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from twisted.web import http

#: Bytes of a head, and fields in it; both are less than the parser's own bounds.
LONGEST_HEAD: Final = 8_192
MOST_FIELDS: Final = 64
#: Digits of a body's length.
_LONGEST_LENGTH: Final = 9
_HEAD: Final = (
    rb"(?=%b)(GET|POST) ([!-~]++) HTTP/1\.1\r\n((?:[A-Za-z0-9_-]++:[\t -~]*+\r\n){1,%d}+)\r\n"
)
_FIELD: Final = re.compile(r"([^:]++):[\t ]*+([^\r]*+)\r\n")
#: Fields that change how a request is read.
_UNUSUAL: Final = frozenset({"transfer-encoding", "expect"})


class Whole(Struct, frozen=True):
    """
    A request, all of which is there.

    @ivar headers: all values by lower-case name.
    @ivar rest: the bytes behind it.
    """

    method: bytes
    target: bytes
    headers: dict[str, tuple[str, ...]]
    body: bytes
    rest: bytes


class ShortWay:
    """
    Finds the requests that may go it.

    @ivar make: makes a connection's request from the parsed head and body.
    """

    def __init__(self, beginnings: bytes, make: Callable[[Any, Whole], http.Request]) -> None:
        """
        @param beginnings: a regular expression for the beginnings of these requests; only
            endpoints may be at their paths.
        """
        self._head = re.compile(_HEAD % (beginnings, MOST_FIELDS))
        self.make = make

    def find(self, data: bytes, max_body: int) -> Whole | None:
        """The request that *data* begins with; None if it is Twisted's to read."""
        found = self._head.match(data, 0, LONGEST_HEAD)
        if found is None:
            return None
        headers = _headers(found[3].decode("ascii"))
        if not _UNUSUAL.isdisjoint(headers) or _closes(headers):
            return None
        start = found.end()
        stop = start + _length(found[1], headers)
        if not start <= stop <= len(data) or stop - start > max_body:
            return None
        return Whole(found[1], found[2], headers, data[start:stop], data[stop:])


def _headers(lines: str) -> dict[str, tuple[str, ...]]:
    """Parse well-formed lines into all values by lower-case name."""
    fields = _FIELD.findall(lines)
    found: dict[str, tuple[str, ...]] = {name.lower(): (value,) for name, value in fields}
    if len(found) < len(fields) or " \r" in lines or "\t\r" in lines:
        # The slower way, for repeated fields and for blanks behind values.
        found = {}
        for name, value in fields:
            key = name.lower()
            found[key] = (*found.get(key, ()), value.rstrip("\t "))
    return found


def _closes(headers: dict[str, tuple[str, ...]]) -> bool:
    """Return True if the connection may have to close behind the answer."""
    return "connection" in headers and "close" in ",".join(headers["connection"]).lower()


def _length(method: bytes, headers: dict[str, tuple[str, ...]]) -> int:
    """Return the length of the body; negative if Twisted must find it."""
    given = headers.get("content-length")
    if given is None:
        return 0 if method == b"GET" else -1
    if method == b"GET" or len(given) != 1 or not 0 < len(given[0]) <= _LONGEST_LENGTH:
        return -1
    return int(given[0]) if given[0].isdigit() else -1
