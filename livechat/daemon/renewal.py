"""What the daemon shows of itself, and asks operators for, as `Config` says."""

from __future__ import annotations

from OpenSSL import SSL

from livechat.config import Config
from livechat.errors import StartError
from livechat.identity.passwords import Password, find_password
from livechat.net import certificates
from livechat.net.certificates import Certificate
from livechat.net.tls_context import context


def find_certificate(config: Config) -> Certificate:
    """
    The one that *config* names, or else one that is made if it is missing.

    @raise StartError: it cannot be used.
    """
    if config.certificate is None:
        return certificates.load_or_make(config.directory / "certs")
    return certificates.load(config.certificate, config.private_key or config.certificate)


def secure(certificate: Certificate) -> SSL.Context:
    """
    What TLS needs to show *certificate*.

    @raise StartError: OpenSSL does not take it.
    """
    try:
        return context(certificate.chain, certificate.key)
    except SSL.Error as reason:
        raise StartError(f"--certificate: OpenSSL refuses {certificate.chain}: {reason}") from None


def operators_password(config: Config) -> Password:
    """
    The one that *config* gives, or else one that is made if it is missing.

    @raise StartError: its file cannot be used.
    """
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as reason:
        raise StartError(f"--state: cannot use {config.state}: {reason.strerror}") from None
    return find_password(
        config.admin_password, config.admin_password_file, config.state / "admin-password"
    )
