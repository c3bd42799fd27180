"""The load generator resumes TLS by tickets, and reports only what was resumed."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from livechat.net.certificates import load_or_make
from tests.bench.loadgen.running import RUN, run
from tests.bench.loadgen.server import MEMBERS, MESSAGES, Server


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS context."""
    certificate = load_or_make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@pytest.mark.parametrize("version", [(), ("--tls12",)], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("close", [(), ("--hard-close",)], ids=["", "reset"])
def test_handshakes_resumed(
    tls: ssl.SSLContext, version: tuple[str, ...], close: tuple[str, ...]
) -> None:
    options = (
        *("--url", "wss://localhost:PORT/room{r}/{i}", "--mode", "connect", "--conns", "8"),
        *("--conc", "4", "--warmup", "0", "--duration", "0.3", *version, *close),
    )
    result = asyncio.run(run(Server(), *options, "--resume", tls=tls))
    assert result.says()
    assert result.report["tls"].startswith("TLSv1.2" if version else "TLSv1.3")
    assert result.report["hs_resumed"] == result.report["conns_open"] > 0
    assert result.code == 0

    result = asyncio.run(run(Server(), *options, tls=tls))
    assert result.says(hs_resumed=0)
    assert result.report["conns_open"] > 0


def test_members_resume_too(tls: ssl.SSLContext) -> None:
    url = "wss://localhost:PORT/room{r}/{i}"
    result = asyncio.run(run(Server(), "--url", url, *RUN, "--resume", tls=tls))
    assert result.says(hs_resumed=MEMBERS, delivered=MESSAGES * MEMBERS)


def test_no_ticket_to_resume_by(tls: ssl.SSLContext) -> None:
    """Full handshakes are not counted as resumed."""
    tls.num_tickets = 0
    url = "wss://localhost:PORT/room{r}/{i}"
    result = asyncio.run(run(Server(), "--url", url, *RUN, "--resume", tls=tls))
    assert result.says(hs_resumed=0, delivered=MESSAGES * MEMBERS)
