"""`livechat.command.client`, on a real TLS server that answers as the tests say."""

from __future__ import annotations

import os
import socket
import ssl
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from livechat.command import client as module
from livechat.command.client import Client, RefusedError, UnreachableError
from livechat.command.finding import Server, find
from livechat.command.output import CommandError
from livechat.members.base import HEARTBEAT
from tests.command.fake import Fake, Said, problem

#: The user that has no rights.
NOBODY = 65_534


def client_of(fake: Fake) -> Client:
    return Client(find(None, str(fake.state), {}))


def test_a_request_says_who_asks_and_brings_json(fake: Fake) -> None:
    """A request says who asks, and brings JSON."""
    fake.answers = [Said({"a": 1}, headers={"X-Y": "z"})]
    answer = client_of(fake).ask("POST", "/x/", {"é": 1}, Idempotency_Key="k")
    assert answer.value == {"a": 1}
    assert answer.headers["x-y"] == "z"
    (asked,) = fake.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/x/", b'{"\\u00e9": 1}')
    assert asked.headers["authorization"] == f"Bearer {fake.key}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == "k"
    assert asked.headers["host"] == f"127.0.0.1:{fake.port}"


def test_a_server_with_another_certificate_is_not_sent_the_key(fake: Fake) -> None:
    """A server with another certificate is asked nothing, and so is not sent the key."""
    fake.show(fingerprint="00" * 32)
    with pytest.raises(CommandError, match="another certificate"):
        client_of(fake).ask("GET", "/")
    assert fake.asked == []


def test_a_certificate_that_nobody_vouches_for(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a fingerprint the system decides; one may add to what it trusts."""
    with pytest.raises(CommandError, match="is not trusted") as caught:
        Client(Server("127.0.0.1", fake.port, None, "lck_a_b")).ask("GET", "/")
    assert "SSL_CERT_FILE" in str(caught.value)
    assert fake.asked == []
    monkeypatch.setenv("SSL_CERT_FILE", str(fake.certificate.chain))
    assert Client(Server("127.0.0.1", fake.port, None, "lck_a_b")).ask("GET", "/").value == {}
    assert fake.asked[0].headers["authorization"] == "Bearer lck_a_b"
    # The name must be the certificate's, even of a trusted one.
    with pytest.raises(CommandError, match="is not trusted"):
        Client(Server("127.0.0.2", fake.port, None)).ask("GET", "/")


def test_no_server_listens(fake: Fake) -> None:
    fake.show(port=1)
    with pytest.raises(UnreachableError, match=r"nobody answers at https://127\.0\.0\.1:1/"):
        client_of(fake).ask("GET", "/")


def test_a_server_that_hangs(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts the connection and does not answer is given up in time."""
    monkeypatch.setattr(module, "WITHIN", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fake.show(port=silent.getsockname()[1])
        with pytest.raises(UnreachableError, match="takes too long"):
            client_of(fake).ask("GET", "/")


def test_a_refusal_is_told_in_one_line(fake: Fake) -> None:
    """A refusal is told in the server's own words, which are made one line."""
    fake.answers = [problem(403, "forbidden", "No.\n\x1b[2J", Retry_After="7")]
    with pytest.raises(RefusedError) as caught:
        client_of(fake).ask("GET", "/")
    assert str(caught.value) == "No. ⏎ \ufffd[2J"
    assert (caught.value.status, caught.value.code, caught.value.again) == (403, "forbidden", 7.0)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (Said(b"<html>", 502), "answers 502 Bad Gateway"),
        (Said(b"", 301, {"Location": "https://other/"}), "which leads to https://other/"),
        (Said(b"x", 400, {"Content-Type": "application/problem+json"}), "answers 400 Bad Request"),
        (Said(b"[]", 400, {"Content-Type": "application/problem+json"}), "answers 400"),
        (Said(b"", 204), "answers 204"),
        (Said(b"", 429, {"Retry-After": "soon"}), "answers 429"),
    ],
)
def test_answers_of_other_servers_are_errors(fake: Fake, said: Said, shown: str) -> None:
    """An answer that is not the server's is an error too, and no redirect is followed."""
    fake.answers = [said]
    with pytest.raises(RefusedError) as caught:
        client_of(fake).ask("GET", "/")
    assert shown in str(caught.value)
    assert len(fake.asked) == 1


def test_an_answer_that_is_no_json_is_an_error(fake: Fake) -> None:
    fake.answers = [Said(b"<html>")]
    with pytest.raises(CommandError, match="no JSON"):
        _ = client_of(fake).ask("GET", "/").value


def test_an_answer_without_end(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 10)
    fake.answers = [Said(b"x" * 11)]
    with pytest.raises(CommandError, match="too long"):
        client_of(fake).ask("GET", "/")


def test_lines_come_one_by_one(fake: Fake) -> None:
    """Lines come one by one, and their end is told as an outage."""
    fake.answers = [Said(b"a\r\nb\n\n\xff")]
    lines = client_of(fake).lines("/")
    assert [next(lines) for _ in range(4)] == ["a", "b", "", "\ufffd"]
    with pytest.raises(UnreachableError, match="ended"):
        next(lines)


def test_a_quiet_stream_is_kept(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may be silent for longer than any other answer, and than between two comments."""
    waits: list[object] = []
    request = HTTPSConnection.request

    def seen(connection: HTTPSConnection, *given: object) -> None:
        waits.append(connection.sock.gettimeout())
        request(connection, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(HTTPSConnection, "request", seen)
    client_of(fake).ask("GET", "/")
    next(client_of(fake).lines("/"))
    assert waits == [module.WITHIN, module.QUIET]
    assert module.QUIET > 2 * HEARTBEAT


def test_tls_is_not_weakened(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context is Python's own, with no TLS before 1.2, wherever Python comes from."""
    made: list[ssl.SSLContext] = []
    own = ssl.create_default_context

    def make() -> ssl.SSLContext:
        made.append(own())
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", make)
    client_of(fake).ask("GET", "/")
    assert [each.minimum_version for each in made] == [ssl.TLSVersion.TLSv1_2]


def test_a_socket_file_of_another_user(tmp_path: Path) -> None:
    """Only livechat's own user, or a service manager, is sent the key."""
    path = tmp_path / "chat.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        ours = os.geteuid()
        if ours == 0:
            # Root may be a service manager.
            os.seteuid(NOBODY)
        listening.listen()
        os.seteuid(ours)
        theirs = Server("", 0, key="lck_a_b", file=str(path), is_plain=True, user=NOBODY - 1)
        with pytest.raises(CommandError, match="and livechat runs as"):
            Client(theirs).ask("GET", "/")
        listening.setblocking(False)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(1) == b""
