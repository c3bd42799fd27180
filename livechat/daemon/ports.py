"""The ports of a daemon: one for connections with TLS, one for those of proxies without."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from OpenSSL import SSL
from twisted.internet.interfaces import IListeningPort

from livechat.config import Config
from livechat.http.plain import Redirects
from livechat.http.proxied import ProxiedSite
from livechat.http.site import Site
from livechat.net.listening import Listening
from livechat.net.plain_port import PlainPort
from livechat.net.proxies import Proxies
from livechat.net.proxy_protocol import PrefacedPort
from livechat.net.tls_port import TLSPort

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


class Ports:
    """
    Accept connections for *http*.

    @ivar tls: None if no address has TLS.
    """

    def __init__(
        self,
        config: Config,
        reactor: PosixReactorBase,
        http: Site,
        secured: SSL.Context | None,
        *,
        proxies: Proxies,
        names: Callable[[], tuple[str, ...]],
    ) -> None:
        """
        @param secured: None if no address has TLS.
        @param names: returns the server's present names.
        """
        self.tls: TLSPort | None = None
        self._plain = PlainPort(reactor, ProxiedSite(http))
        if secured is not None:
            redirects = Redirects(names)
            if config.proxy_protocol:
                self.tls = PrefacedPort(reactor, http, secured, proxies, redirects)
            else:
                self.tls = TLSPort(reactor, http, secured, redirects)

    def accept(self, listening: Listening) -> IListeningPort:
        """Accept connections on a socket, which may be closed afterwards."""
        if listening.address.is_plain or self.tls is None:
            return self._plain.listen(listening.socket)
        return self.tls.listen(listening.socket)
