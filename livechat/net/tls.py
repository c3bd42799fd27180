"""
TLS as the port speaks it: 1.2 and 1.3, only ciphers with forward secrecy and
authenticated encryption, resumption by ticket, and HTTP/1.1 as the only
protocol, because a WebSocket cannot be opened on the others.
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from livechat.certificates import Certificate
from livechat.errors import StartError

_CIPHERS: Final = (
    "TLS13-AES-256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES-128-GCM-SHA256:"
    "ECDHE+AESGCM:ECDHE+CHACHA20"
)
_PROTOCOL: Final = b"http/1.1"


def context(certificate: Certificate) -> SSL.Context:
    """
    What OpenSSL needs to serve *certificate*.

    @raise StartError: OpenSSL does not take it.
    """
    # Without its own key and certificate arguments: they are pyOpenSSL objects,
    # which pyOpenSSL has deprecated, and they know no chain in one file.
    made: SSL.Context = CertificateOptions(
        raiseMinimumTo=TLSVersion.TLSv1_2,
        acceptableCiphers=AcceptableCiphers.fromOpenSSLCipherString(_CIPHERS),
        enableSessionTickets=True,
    ).getContext()
    made.set_alpn_select_callback(_select_protocol)
    try:
        made.use_certificate_chain_file(str(certificate.chain))
        made.use_privatekey_file(str(certificate.key))
        made.check_privatekey()
    except SSL.Error as reason:
        raise StartError(f"--certificate: OpenSSL refuses {certificate.chain}: {reason}") from None
    return made


def _select_protocol(_: SSL.Connection, offered: list[bytes]) -> Any:
    return _PROTOCOL if _PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS


@implementer(IOpenSSLServerConnectionCreator)
class _Connections:
    def __init__(self, made: SSL.Context) -> None:
        self._made = made

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._made)


class _Factory(TLSMemoryBIOFactory):
    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]
        # Twisted's would put TLS around the None of a factory that lets nobody in.
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


def wrap(factory: IProtocolFactory, made: SSL.Context, clock: IReactorTime) -> IProtocolFactory:
    """*factory*, with its connections inside TLS."""
    return _Factory(_Connections(made), False, factory, clock)
