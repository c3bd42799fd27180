"""
Connections without TLS, which only proxies may open: `livechat.net.plain_port` accepts them.

Proxies are at the loopback, at the other end of a socket file, or among those that are trusted.
A request must say whom it is from, and is as secure as its proxy says: see `Channel.plain`.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, IProtocolFactory
from zope.interface import implementer

from livechat.http.connection import Channel
from livechat.http.site import Site
from livechat.net.proxies import not_a_proxy


@implementer(IProtocolFactory)
class ProxiedSite:
    """Makes the connections of a site that come without TLS."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def doStart(self) -> None:
        self._site.doStart()

    def doStop(self) -> None:
        self._site.doStop()

    def buildProtocol(self, address: IAddress) -> Channel | None:
        """Make the protocol of a connection; None to close it at once."""
        channel = self._site.channel_of(address, self._is_proxy(address))
        if channel is not None:
            channel.plain = True
            if channel.peer is None:
                channel.admission.refuse(not_a_proxy())
        return channel

    def _is_proxy(self, address: IAddress) -> bool:
        if isinstance(address, UNIXAddress):
            return True
        host: str = getattr(address, "host", "")
        return ip_address(host).is_loopback or self._site.proxies.trusts(host)
