"""Settings of TLS: versions, ciphers and the protocol above it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion

#: Only ciphers with forward secrecy and authenticated encryption.
_CIPHERS: Final = (
    "TLS13-AES-256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES-128-GCM-SHA256:"
    "ECDHE+AESGCM:ECDHE+CHACHA20"
)
#: The only protocol that is ever agreed on: a WebSocket cannot be opened on HTTP/2.
_PROTOCOL: Final = b"http/1.1"


def context(chain: Path, key: Path) -> SSL.Context:
    """
    Load a certificate into a context of OpenSSL: TLS 1.2 and 1.3, our ciphers in our order,
    resumption by ticket and not by memory, no compression, no renegotiation.

    @param chain: PEM, the certificate and those that vouch for it.
    @param key: PEM, its private key.
    @raise OpenSSL.SSL.Error: OpenSSL refuses the files.
    """
    # Without its own key and certificate arguments: they are pyOpenSSL objects,
    # which pyOpenSSL has deprecated, and they know no chain in one file.
    made: SSL.Context = CertificateOptions(
        raiseMinimumTo=TLSVersion.TLSv1_2,
        acceptableCiphers=AcceptableCiphers.fromOpenSSLCipherString(_CIPHERS),
        enableSessionTickets=True,
    ).getContext()
    # Buffers of 34 KiB would otherwise stay with each idle connection.
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)
    made.set_options(SSL.OP_NO_RENEGOTIATION)
    made.set_alpn_select_callback(_select_protocol)
    made.use_certificate_chain_file(str(chain))
    made.use_privatekey_file(str(key))
    made.check_privatekey()
    return made


def _select_protocol(_: SSL.Connection, offered: list[bytes]) -> Any:
    return _PROTOCOL if _PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS
