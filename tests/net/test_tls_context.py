"""`livechat.net.tls_context`."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from OpenSSL import SSL

from livechat.net import certificates, tls_context
from tests.support.certificates import issue


@pytest.fixture
def context(tmp_path: Path) -> SSL.Context:
    certificate = certificates.load_or_make(tmp_path)
    return tls_context.context(certificate.chain, certificate.key)


def handshake(server_context: SSL.Context, client: ssl.SSLContext) -> ssl.SSLObject:
    """Python's TLS and ours shake hands in memory."""
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(there, back, server_hostname="localhost")
    answering = SSL.Connection(server_context, None)
    answering.set_accept_state()
    for _ in range(10):
        try:
            asking.do_handshake()
        except ssl.SSLWantReadError:
            answering.bio_write(back.read())
            try:
                answering.do_handshake()
            except SSL.WantReadError:
                pass
            finally:
                there.write(answering.bio_read(100_000))
        else:
            return asking
    raise AssertionError("no handshake")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_two_versions_of_tls_are_spoken(context: SSL.Context, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3 are spoken, with forward secrecy and authenticated encryption."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.minimum_version = client.maximum_version = version
    cipher = handshake(context, client).cipher()
    assert cipher is not None
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    assert cipher[0].startswith(("ECDHE", "TLS_"))


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA"])
def test_weak_ciphers_are_refused(context: SSL.Context, ciphers: str) -> None:
    """Without forward secrecy, or without authenticated encryption, there is no handshake."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    with pytest.raises(SSL.Error):
        handshake(context, client)


def test_an_old_version_is_refused(context: SSL.Context) -> None:
    """TLS 1.1 is not spoken."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        client.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    # Not for want of ciphers that it could be spoken with.
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    with pytest.raises(SSL.Error):
        handshake(context, client)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)],
)
def test_only_http1_is_chosen(context: SSL.Context, offered: list[str], chosen: str | None) -> None:
    """Only HTTP/1.1 is ever chosen, which WebSockets need."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if offered:
        client.set_alpn_protocols(offered)
    assert handshake(context, client).selected_alpn_protocol() == chosen


def test_a_certificate_openssl_refuses(tmp_path: Path) -> None:
    """A key that is another certificate's is refused."""
    chain, _ = issue(tmp_path)
    _, key = issue(tmp_path, name="other.example")
    with pytest.raises(SSL.Error):
        tls_context.context(chain, key)
