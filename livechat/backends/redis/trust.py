"""The check of a Redis's certificate: a trusted authority, and the name of the host."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final
from weakref import ref

from cryptography.x509 import Certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

# OpenSSL's numbers (x509_vfy.h) of the most frequent errors.
_WRONG: Final = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "nobody vouches for it who is trusted",
    19: "nobody vouches for it who is trusted",
    20: "nobody vouches for it who is trusted",
    21: "nobody vouches for it who is trusted",
}


class MistrustError(Exception):
    """A certificate that is not accepted, and why."""


@implementer(IOpenSSLClientConnectionCreator)
class Trust:
    """
    TLS to a host of which the certificate must have the name, or the address.

    Twisted's own check refuses a certificate of other names.  One of no names at all, or of
    names that cannot be read, it logs with a traceback, and accepts.
    """

    def __init__(self, host: str, options: Callable[[str], Any] = optionsForClientTLS) -> None:
        """
        @param options: makes Twisted's connection creator for a host, anew for each connection.
        """
        self._host = host
        self._options = options

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        creator: IOpenSSLClientConnectionCreator = self._options(self._host)
        connection: SSL.Connection = creator.clientConnectionForTLS(protocol)
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        connection.set_verify(mode, self._verifier(protocol))
        return connection

    def _verifier(self, protocol: TLSMemoryBIOProtocol) -> Callable[..., bool]:
        # The connection has the callback, so a reference to the protocol would be a cycle.
        of = ref(protocol)

        def verify(_: object, certificate: X509, error: int, depth: int, fine: int) -> bool:
            try:
                if not fine:
                    raise MistrustError(_WRONG.get(error, f"OpenSSL's error {error}"))
                if depth == 0:
                    check_names(certificate.to_cryptography(), self._host)
            except Exception as reason:  # noqa: BLE001 - pyOpenSSL swallows what is raised here
                why = MistrustError(f"certificate verify failed: {reason}")
                there = of()
                if there is not None:
                    there.failVerification(Failure(why))
                return False
            return True

        return verify


def check_names(certificate: Certificate, host: str) -> None:
    """
    @raise MistrustError: it is for others, or for nobody.
    @raise Exception: its names cannot be read.
    """
    try:
        ip_address(host)
        verify: Callable[[Certificate, str], None] = verify_certificate_ip_address
    except ValueError:
        verify = verify_certificate_hostname
    try:
        verify(certificate, host)
    except VerificationError:
        raise MistrustError(f"it is not for {host}") from None
    except CertificateError as reason:
        # The subjectAltName is missing, or no host can have it.
        raise MistrustError(f"it names no host: {reason}") from None
