"""
The PROXY protocol, versions 1 and 2, before TLS: a load balancer that passes bytes on
says whom they are from (haproxy.org, "The PROXY protocol").

A connection of a proxy that is trusted must begin with such a header, and all others
must not: theirs would be garbage to TLS.  Twisted parses it.  Its own wrapper cannot be
used, because TLS is on the socket here (`livechat.net.tls`): of what has arrived just the
header is taken, and OpenSSL reads what follows it.
"""

from __future__ import annotations

import socket
from struct import error as StructError  # noqa: N812 - it is one
from typing import Any, Final, Protocol

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.main import CONNECTION_LOST
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

from livechat.net.opening import Opening, Plain
from livechat.net.proxies import Proxies
from livechat.net.tls import Connection
from livechat.net.tls_port import TLSPort
from livechat.protocol.origins import unmapped

#: The most bytes of a header of version 1, with its line's end.
_LONGEST_LINE: Final = 107
#: Those that version 2 begins with; two more, and the length of the rest in two bytes.
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED: Final = len(_SIGNATURE) + 4
#: The most bytes that version 2 may have besides: proxies add what they know of TLS.
_LONGEST_REST: Final = 4_096

_Source = IPv4Address | IPv6Address


class Preceded(Protocol):
    """A protocol whose peer turns out to be another one."""

    def comes_from(self, address: str) -> None:
        """Take the IP address *address* as the peer's.  Called once, before any data."""


class _Invalid(Exception):
    """The data are no header."""


class PrefacedPort(TLSPort):
    """A port where connections of *proxies* begin with a header; its protocols are `Preceded`."""

    def __init__(
        self,
        reactor: Any,
        factory: IProtocolFactory,
        context: SSL.Context,
        proxies: Proxies,
        plain: Plain | None = None,
    ) -> None:
        super().__init__(reactor, factory, context, plain)
        self._proxies = proxies

    def _accepted(self, *accepted: Any) -> Connection:
        made = PrefacedConnection(self, *accepted)
        made.waits = self._proxies.trusts(str(made.hostname))
        return made


class PrefacedConnection(Opening):
    """
    @ivar waits: the header has not come yet.
    """

    waits = False
    _header = b""

    def doRead(self) -> Exception | None:  # type: ignore[override]
        if self.waits:
            try:
                self._take()
            except BlockingIOError:
                return None
            except (OSError, EOFError):
                return CONNECTION_LOST
            except _Invalid:
                self._port.handshake_failed(self, "it is a proxy, and sends no PROXY header")
                return CONNECTION_LOST
            if self.waits:
                return None
        return super().doRead()

    def _take(self) -> None:
        """
        Take the header's bytes from the arrived data.

        @raise _Invalid: it is none.
        @raise EOFError: nothing more will come.
        """
        arrived = self.socket.recv(_FIXED + _LONGEST_REST, socket.MSG_PEEK)
        if not arrived:
            raise EOFError
        had = len(self._header)
        self._header += arrived
        end = _end(self._header)
        # Data left in the socket would be reported again and again, without pause.
        self.socket.recv(len(arrived) if end is None else end - had)
        if end is not None:
            header, self._header = self._header[:end], b""
            self.waits = False
            source = _source(header)
            if source is not None:
                self.peer = source
                self.hostname = source.host
                protocol: Any = self.protocol
                protocol.comes_from(source.host)


def _end(data: bytes) -> int | None:
    """Find the end of the header that *data* begins with; None if more must come."""
    if data[: len(_SIGNATURE)] == _SIGNATURE:
        if len(data) < _FIXED:
            return None
        rest = int.from_bytes(data[_FIXED - 2 : _FIXED], "big")
        if rest > _LONGEST_REST:
            raise _Invalid
        return _FIXED + rest if len(data) >= _FIXED + rest else None
    if _SIGNATURE.startswith(data):
        return None
    if not data.startswith(b"PROXY "[: len(data)]):
        raise _Invalid
    found = data.find(b"\r\n", 0, _LONGEST_LINE)
    if found >= 0:
        return found + 2
    if len(data) >= _LONGEST_LINE:
        raise _Invalid
    return None


def _source(header: bytes) -> _Source | None:
    """The source that a header names; None if the proxy speaks for itself, or does not know."""
    try:
        if header.startswith(_SIGNATURE):
            source = V2Parser.parse(header).source
        else:
            # Twisted requires a blank behind UNKNOWN, which the protocol does not.
            source = V1Parser.parse(header[:-2] + b" ").source
        if not isinstance(source, _Source):
            return None
        # Twisted does not check the addresses.
        host = unmapped(source.host)
        kind = IPv6Address if ":" in host else IPv4Address
        return kind("TCP", host, source.port)
    except (InvalidProxyHeader, ValueError, LookupError, StructError):
        raise _Invalid from None
