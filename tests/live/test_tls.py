"""TLS as other programs speak it to the real port."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from livechat.net.tls_port import HANDSHAKE
from tests.live.browser import Tab
from tests.live.daemon import PATIENCE, Daemon, eventually, rest, tool, trusting
from tests.support import HANDSHAKE as UPGRADE
from tests.support import client_frame, request
from tests.support.certificates import issue

VERSIONS = ["1.2", "1.3"]


def s_client(daemon: Daemon, *options: str, said: bytes = b"") -> str:
    """Run OpenSSL's client, send *said* and the end of input, and return its output."""
    assert shutil.which("openssl"), "openssl is missing: run tests/clients/install"
    ran = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", *options],
        input=said,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return (ran.stdout + ran.stderr).decode(errors="replace")


@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_speaks_both_versions(daemon: Daemon, version: str) -> None:
    """Both versions, HTTP/1.1 agreed on, no compression."""
    option = f"-tls{version.replace('.', '_')}"
    said = s_client(daemon, option, "-alpn", "h2,http/1.1")
    assert f"TLSv{version}" in said
    assert "ALPN protocol: http/1.1" in said
    assert "Compression: NONE" in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_t1(daemon: Daemon, version: str) -> None:
    """Older ones are refused."""
    assert "Cipher is (NONE)" in s_client(daemon, version, "-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize(
    "cipher",
    ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
     "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM8", "NULL", "aNULL"],
)  # fmt: skip
def test_weak_ciphers_t2(daemon: Daemon, cipher: str) -> None:
    """T-2: without forward secrecy, or without authenticated encryption, there is no TLS 1.2."""
    said = s_client(daemon, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in said


def test_weak_ciphers_of_rsa_t2(tmp_path: Path) -> None:
    """T-2: nor where the certificate is one that older ciphers could use."""
    chain, key = tmp_path / "rsa.crt", tmp_path / "rsa.key"
    tool(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(chain)),
    )
    key.chmod(0o600)
    options = (f"--certificate={chain}", f"--private-key={key}")
    with Daemon(tmp_path / "daemon", *options) as daemon:
        good = "ECDHE-RSA-AES128-GCM-SHA256"
        assert f"Cipher is {good}" in s_client(daemon, "-tls1_2", "-cipher", good)
        for cipher in ("AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256",
                       "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384"):  # fmt: skip
            said = s_client(daemon, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
            assert "Cipher is (NONE)" in said, cipher


@pytest.mark.parametrize(
    "cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]
)
def test_strong_ciphers_t2(daemon: Daemon, cipher: str) -> None:
    """T-2: with both there is."""
    assert f"Cipher is {cipher}" in s_client(daemon, "-tls1_2", "-cipher", cipher)


@pytest.mark.parametrize("version", VERSIONS)
def test_resumption_t6(daemon: Daemon, version: str, tmp_path: Path) -> None:
    """Resumption with a ticket does not send the certificate again."""
    option, session = f"-tls{version.replace('.', '_')}", str(tmp_path / "session")
    asked = request("GET", "/healthz", Connection="close")
    first = s_client(daemon, option, "-ign_eof", "-sess_out", session, said=asked)
    assert "New, TLSv" in first
    assert "200 OK" in first
    again = s_client(daemon, option, "-ign_eof", "-sess_in", session, said=asked)
    assert "Reused, TLSv" in again


def test_no_renegotiation_t5(daemon: Daemon) -> None:
    """A client of TLS 1.2 that asks for new keys by a new handshake gets none."""
    said = s_client(daemon, "-tls1_2", said=b"R\n")
    assert "RENEGOTIATING" in said
    assert re.search("no renegotiation|handshake failure", said)


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_speaks_both_versions(daemon: Daemon, version: str) -> None:
    """Both are spoken with curl."""
    page = daemon.curl(f"--tlsv{version}", "--tls-max", version, f"{daemon.url}/healthz")
    assert json.loads(page)["status"] == "ok"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption_by_python(daemon: Daemon, version: ssl.TLSVersion) -> None:
    """The same with Python's own client, again and again."""
    context = trusting()
    context.minimum_version = context.maximum_version = version
    session: ssl.SSLSession | None = None
    for number in range(3):
        with (
            socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain,
            context.wrap_socket(plain, session=session) as secured,
        ):
            secured.sendall(request("GET", "/healthz"))
            assert b"200 OK" in secured.recv(10_000)
            assert secured.session_reused is (number > 0)
            session = secured.session


#: A member in a page: sends what it is given, and returns what it hears.
_IN_PAGE = """text => new Promise((heard, failed) => {
    const socket = new WebSocket(`wss://${location.host}/ws/chat/page/`);
    socket.onopen = () => socket.send(JSON.stringify({message: text}));
    socket.onmessage = event => { heard(event.data); socket.close(); };
    socket.onerror = () => failed("the connection broke");
})"""


def test_chromium_chats_over_tls(tab: Callable[..., Tab]) -> None:
    """A browser sees the first page, and chats on a WebSocket."""
    # The page itself has no scripts, and allows none.
    made = tab(bypass_csp=True)
    made.open("/")
    assert "livechat" in made.page.title()
    assert made.page.evaluate(_IN_PAGE, "hello") == '{"message":"hello"}'


def closed(daemon: Daemon, data: bytes, within: float = PATIENCE) -> bytes:
    """Send *data* and no more, and return everything until the server closes."""
    return rest(daemon.raw(data, tls=False), within)


@pytest.mark.parametrize(
    "data",
    [b"\x00" * 100, b"x" * 16_384, bytes(range(256)) * 64, b"\x16\x03\x01\xff\xff" + b"x" * 99],
)
def test_no_tls_t4(daemon: Daemon, data: bytes) -> None:
    """Bytes that are no TLS are closed on, with at most a line in the log."""
    closed(daemon, data, HANDSHAKE + 2)
    assert daemon.curl(f"{daemon.url}/healthz")
    assert "Traceback" not in daemon.log.text


def test_plain_http_t3(start: Callable[..., Daemon]) -> None:
    """Plain HTTP on the port is logged in plain words."""
    daemon = start()
    closed(daemon, request("GET", "/"), HANDSHAKE)
    daemon.log.wait_for(r"No TLS with 127\.0\.0\.1: it speaks plain HTTP")


def test_a_scan_is_one_line_in_the_log(start: Callable[..., Daemon]) -> None:
    """Very many at once are one line in the log, and the number of the others."""
    daemon = start()
    for _ in range(50):
        closed(daemon, b"GET / HTTP/1.0\r\n\r\n")
    eventually(lambda: _more(daemon) is not None)
    assert len(re.findall("No TLS with", daemon.log.text)) < 10


def _more(daemon: Daemon) -> re.Match[str] | None:
    closed(daemon, b"GET / HTTP/1.0\r\n\r\n")
    return re.search(
        r"No TLS with 127\.0\.0\.1: .*\(\d+ more since the last one\)", daemon.log.text
    )


def test_resets_harm_nobody(daemon: Daemon) -> None:
    """Connections that are reset, in a handshake or among messages, harm nobody."""
    with daemon.socket("resets") as other:
        for tls in (False, True):
            for _ in range(20):
                data = request("GET", "/ws/chat/resets/", **UPGRADE) + client_frame(b"{") * 3
                connection = daemon.raw(data if tls else data[:5], tls=tls)
                reset = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                connection.close()
        other.send('{"message": "still here"}')
        assert "still here" in other.recv()
    assert "Traceback" not in daemon.log.text


def shown(daemon: Daemon) -> bytes:
    """The certificate that a new connection gets."""
    with (
        socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain,
        trusting().wrap_socket(plain) as secured,
    ):
        found = secured.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_a_certificate_that_can_be_trusted(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """A certificate that is not self-signed binds browsers to HTTPS."""
    chain, key = (tmp_path / "certs" / f"livechat.{kind}" for kind in ("crt", "key"))
    daemon = start()
    assert "strict-transport-security" not in daemon.curl("-I", daemon.url).lower()
    new_chain, new_key = issue(tmp_path)
    chain.write_bytes(new_chain.read_bytes())
    key.write_bytes(new_key.read_bytes())
    daemon.process.send_signal(signal.SIGHUP)
    daemon.log.wait_for(r"The certificate of new connections is for chat\.example")
    assert "strict-transport-security" in daemon.curl("-I", daemon.url).lower()


def test_a_renewed_certificate_is_shown_to_new_connections(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """SIGHUP shows a renewed certificate to new connections only; a bad one is not taken."""
    chain, key = issue(tmp_path)
    daemon = start(f"--certificate={chain}", f"--private-key={key}")
    before = shown(daemon)
    with daemon.socket() as member:
        new_chain, new_key = issue(tmp_path, name="renewed.example")
        chain.write_bytes(new_chain.read_bytes())
        key.write_bytes(new_key.read_bytes())
        daemon.process.send_signal(signal.SIGHUP)
        daemon.log.wait_for(r"The certificate of new connections is for .*renewed\.example")
        renewed = shown(daemon)
        assert renewed != before
        assert b"renewed.example" in renewed
        chain.write_bytes(b"no certificate")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.log.wait_for(r"The certificate stays as it was: --certificate")
        assert shown(daemon) == renewed
        member.send('{"message": "still here"}')
        assert "still here" in member.recv()
