"""
Clients' addresses behind load balancers.

A proxy appends its peer's address to ``X-Forwarded-For``, whose former content may be forged.  So
the header is read from its end, over the addresses of trusted proxies; the first other address is
the client's.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from livechat.errors import ChatError, Kind
from livechat.protocol.origins import unmapped

Network = IPv4Network | IPv6Network

#: Addresses of version 4 in the form of version 6.
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


class Proxies:
    """The proxies that are trusted."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(map(_unmapped, networks))

    def trusts(self, address: str) -> bool:
        """True if *address*, as text, is believed about other addresses."""
        if not self._networks:
            return False
        try:
            found = ip_address(unmapped(address))
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """
        The client's address.

        @param peer: that of the connection.
        @param forwarded: the values of ``X-Forwarded-For``, in their order.
        """
        return (self.said(forwarded) or peer) if self.trusts(peer) else peer

    def said(self, forwarded: Iterable[str]) -> str | None:
        """
        The client's address, as a peer that is trusted says; None if it says none.

        @param forwarded: the values of ``X-Forwarded-For``, in their order.
        """
        client: str | None = None
        named = [each.strip() for value in forwarded for each in value.split(",")]
        while named and (client is None or self.trusts(client)):
            address = _address(named.pop())
            if address is None:
                break
            client = address
        return client


def _address(text: str) -> str | None:
    """An address as proxies write it: some add the port, and then brackets too, or a zone."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # The text behind a percent sign is a name of the proxy's, and may be anything.
        return unmapped(text.partition("%")[0])
    except ValueError:
        return None


def not_a_proxy() -> ChatError:
    """Describe why a peer may not connect where only proxies may."""
    return ChatError(
        Kind.FORBIDDEN, "Only proxies may connect here, without TLS; see the option --trust-proxy."
    )


def unsaid() -> ChatError:
    """Describe why a request is refused whose proxy does not name its client."""
    return ChatError(
        Kind.BAD_REQUEST, "The proxy must say whom this request is from, in X-Forwarded-For."
    )


def _unmapped(network: Network) -> Network:
    """Unmap a network like `unmapped` an address: ``::ffff:10.0.0.0/104`` is ``10.0.0.0/8``."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        first = network.network_address.ipv4_mapped
        return IPv4Network((int(first or 0), network.prefixlen - _MAPPED.prefixlen))
    return network
