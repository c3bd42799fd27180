"""`livechat.daemon.signpost`."""

from __future__ import annotations

import ssl
from hashlib import sha256
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from livechat.addresses import parse
from livechat.daemon.signpost import Signpost
from livechat.net import whereabouts
from livechat.net.certificates import Shown, load_or_make
from livechat.net.whereabouts import Whereabouts
from tests.support.certificates import issue
from tests.support.services import config


def digest(chain: Path) -> str:
    text = chain.read_text()
    first = text[: text.index("-----END") + len("-----END CERTIFICATE-----")]
    return sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


@pytest.mark.parametrize(
    ("options", "embedded"),
    [({}, True), ({"redis": "redis://x"}, False), ({"backend": "a:"}, False)],
)
def test_the_file_says_where_the_server_is(
    tmp_path: Path, options: dict[str, str], embedded: bool
) -> None:
    """The bound port, an address of this machine, and the server's own certificate."""
    found = config(tmp_path, **options)
    found.state.mkdir()
    certificate = load_or_make(tmp_path / "certs")
    Signpost(found.at([parse("tls:0.0.0.0:4711")]), Shown(certificate)).startService()
    expected = Whereabouts("127.0.0.1", 4711, digest(certificate.chain), embedded)
    assert whereabouts.read(found.state) == expected


def test_a_server_for_proxies_is_found_by_its_socket_file(tmp_path: Path) -> None:
    """Commands find a server without TLS by its socket file, or at its port."""
    found = config(tmp_path, prefix="/chat").at([parse("http:1")])
    found.state.mkdir()
    Signpost(found, Shown(None)).startService()
    plain = Whereabouts("127.0.0.1", 1, "", prefix="/chat", is_plain=True)
    assert whereabouts.read(found.state) == plain
    Signpost(found.at(map(parse, ["http:1", "unix:/run/x"])), Shown(None)).startService()
    by_file = Whereabouts("", 0, "", prefix="/chat", file="/run/x", is_plain=True)
    assert whereabouts.read(found.state) == by_file
    Signpost(found.at(map(parse, ["http:1", "tls:2"])), Shown(None)).startService()
    assert whereabouts.read(found.state) == Whereabouts("127.0.0.1", 2, "", prefix="/chat")


def test_the_first_certificate_of_a_chain_counts(tmp_path: Path) -> None:
    """The server's own certificate counts, which is the first of a chain."""
    from livechat.net import certificates  # noqa: PLC0415

    chain, key = issue(tmp_path)
    assert certificates.load(chain, key).fingerprint == digest(chain)


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """The server goes on, and says what is missed."""
    signpost = Signpost(config(tmp_path), Shown(load_or_make(tmp_path / "certs")))
    with capturedLogs() as events:
        signpost.startService()
    assert "the livechat command cannot find this server" in events[0]["log_format"]
