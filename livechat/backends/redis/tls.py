"""
TLS to Redis and to Sentinel: trusted authorities, and livechat's own certificate.

The files are read again for each connection: certificates of a day are renewed in place.  What
cannot be used then is logged, and the connection is made with what was read before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate as X509Certificate
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.logger import Logger

from livechat.backends.redis.trust import Trust
from livechat.errors import StartError

_T = TypeVar("_T")


@dataclass(frozen=True)
class TLSFiles:
    """
    PEM files of TLS to Redis.

    @ivar authorities: certificates trusted to sign its own; None: those of the system.
    @ivar certificate: livechat's own, with its chain; None: it sends none.
    @ivar key: that certificate's; None: it is in the same file.
    """

    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class TLS:
    """The common part of connections with TLS."""

    _log = Logger()

    def __init__(self, files: TLSFiles) -> None:
        """
        @raise StartError: a file is unusable.
        """
        self._files = files
        self._said = ""
        self._given = self._read()

    def to(self, host: str, plain: IStreamClientEndpoint) -> IStreamClientEndpoint:
        """Return *plain* with TLS to *host*."""
        secured: IStreamClientEndpoint = wrapClientTLS(Trust(host, self.options), plain)
        return secured

    def options(self, host: str) -> Any:
        """Return Twisted's connection creator for *host*, as the files are now."""
        try:
            self._given, self._said = self._read(), ""
        except StartError as reason:
            if self._said != str(reason):
                self._said = str(reason)
                self._log.error(
                    "{reason}; the file as it was before stays in use.", reason=self._said
                )
        return _options(host, *self._given)

    def _read(self) -> tuple[Any, dict[str, Any] | None]:
        files = self._files
        roots = None
        if files.authorities is not None:
            found = _certificates("--redis-ca", files.authorities)
            roots = trustRootFromCertificates(
                [Certificate(X509.from_cryptography(each)) for each in found]
            )
        if files.certificate is None:
            return roots, None
        shown, *chain = _certificates("--redis-certificate", files.certificate)
        key_file, option = files.key, "--redis-key"
        if key_file is None:
            key_file, option = files.certificate, "--redis-certificate"
        key: Any = _used(option, key_file, lambda data: load_pem_private_key(data, None))
        if key.public_key() != shown.public_key():
            _refuse(option, key_file, "it is not the key of the certificate")
        shows = {"certificate": shown, "privateKey": key, "extraCertChain": chain or None}
        return roots, shows


def _options(host: str, roots: Any, shows: dict[str, Any] | None) -> Any:
    return optionsForClientTLS(host, roots, extraCertificateOptions=shows)


def _certificates(option: str, path: Path) -> list[X509Certificate]:
    return _used(option, path, load_pem_x509_certificates)


def _used(option: str, path: Path, load: Callable[[bytes], _T]) -> _T:
    try:
        return load(path.read_bytes())
    except (OSError, ValueError, TypeError) as reason:
        # A TypeError means that the key has a password.
        _refuse(option, path, str(reason))


def _refuse(option: str, path: Path, reason: str) -> NoReturn:
    raise StartError(f"{option}: {path} cannot be used: {reason}")
