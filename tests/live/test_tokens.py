"""Users of a site, by their tokens: from a terminal, over HTTP, with published keys."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.daemon import CHEAP, Daemon, eventually
from tests.live.wscat import Wscat
from tests.support.jwts import jwk, jwk_set, private_key, secret_file, signed
from tests.support.site import HttpsSite, answers

ANN = {"id": "42", "name": "Ann", "verified": True}


def token(seconds: int = 600, **claims: Any) -> str:
    """A token that ends in so many seconds."""
    now = int(time.time())
    return signed(now=now, exp=now + seconds, **claims)


def bearing(given: str) -> tuple[str, str]:
    return "-H", f"Authorization: Bearer {given}"


def offering(given: str, spoken: str = "livechat.v1") -> tuple[str, ...]:
    """Options of wscat."""
    return "-s", spoken, "-s", f"livechat.token.{given}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("daemon")
    secret_file(made)
    return made


@pytest.fixture(scope="module")
def daemon(directory: Path) -> Iterator[Daemon]:
    options = ("--token-keys=secret", "--access-log=access.log")
    with Daemon(directory, *options, environment=CHEAP) as running:
        yield running


@pytest.fixture(scope="module")
def lapsing(daemon: Daemon) -> Iterator[tuple[Wscat, Wscat]]:
    """Clients whose tokens end soon; other tests run meanwhile."""
    with ExitStack() as stack:
        yield (
            stack.enter_context(Wscat(daemon, "lapsing", *offering(token(62)))),
            stack.enter_context(Wscat(daemon, "lapsing", *offering(token(2, sub="7")))),
        )


def test_hello_says_who_a_token_names(daemon: Daemon, lapsing: tuple[Wscat, Wscat]) -> None:
    """A client with a token is told who it is, what it may do, and until when."""
    (hello, *_) = lapsing[0].hears(1)
    assert (hello["type"], hello["user"]) == ("hello", ANN)
    assert hello["can"] == ["join", "history", "send"]
    assert 0 < hello["expires"] - time.time() <= 62


def test_a_token_counts_by_every_way(daemon: Daemon) -> None:
    """The same token says the same by header, in a POST, on events, and in plain mode."""
    given = token()
    options = (*bearing(given), "-d", "message=hi", f"{daemon.url}/chat/send/ways/?name=Eve")
    assert json.loads(daemon.curl(*options)) == {"message": "Message sent!"}
    with Wscat(daemon, "ways", *offering(given, "livechat.plain")) as plain:
        plain.says('{"message": "ho"}')
        assert plain.hears(1) == [{"message": "ho"}]
    assert [each["user"] for each in daemon.history("ways/")] == [ANN, ANN]
    request = f"GET /chat/events/ways/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {given}"
    with daemon.raw(f"{request}\r\n\r\n".encode()) as events:
        heard = b""
        while b'"verified":true' not in heard:
            heard += (piece := events.recv(65_536))
            assert piece, heard


def test_a_refused_token_makes_no_guest(daemon: Daemon) -> None:
    """A token that does not count is said why, and no guest is made of its bearer."""
    url = f"{daemon.url}/chat/history/r/"
    for given, reason in (
        (token(-1), "expired"),
        (signed(b"x" * 32, now=time.time()), "no"),
        ("opaque", "no"),
        (signed(now=time.time() + 600), "clocks"),
        (token(rooms={"lobby": ["fly"]}), "no right"),
    ):
        answer = daemon.curl("-i", *bearing(given), url)
        assert answer.startswith("HTTP/1.1 401"), answer
        assert "www-authenticate: bearer" in answer.lower()
        assert reason in json.loads(answer.splitlines()[-1])["detail"]
    client = Wscat(daemon, "r", *offering(token(-1)))
    client.output.wait_for(r"Disconnected \(code: 4100")
    client.__exit__()


def test_a_token_replaces_rights_in_rooms(daemon: Daemon) -> None:
    """A token may say what its user may do in which rooms, which is all then."""
    given = token(rooms={"news": ["join"], "team-*": ["*"]})
    for room, status in (("news", 403), ("team-a", 200), ("lobby", 403)):
        answer = daemon.curl(
            "-i", *bearing(given), "-d", "message=hi", f"{daemon.url}/chat/send/{room}/"
        )
        assert answer.startswith(f"HTTP/1.1 {status}"), answer
    with Wscat(daemon, "news", *offering(given)) as client:
        assert client.hears(1)[0]["can"] == ["join"]


def test_guests_with_names_of_users(daemon: Daemon) -> None:
    """A guest may look like a user, and is never verified."""
    with Wscat(daemon, "looks", *offering(token())) as user:
        user.hears(1)
        with Wscat(daemon, "looks?name=Ann&client=4242424242424242", "-s", "livechat.v1") as guest:
            found = guest.hears(1)[0]["user"]
            assert found["name"] == "Ann"
            assert "verified" not in found
            assert found["id"] != "42"


def test_no_token_is_logged(daemon: Daemon, directory: Path) -> None:
    """Neither the log nor the access log has one, wherever it stood."""
    given = token(jti="logged")
    daemon.curl(*bearing(given), f"{daemon.url}/chat/history/r/?token={given}&{given}")
    with Wscat(daemon, "logged", *offering(given)) as client:
        client.hears(1)
    access = directory / "access.log"
    eventually(lambda: "/ws/chat/logged/" in access.read_text())
    for part in given.split("."):
        assert part not in access.read_text() + daemon.log.text


@pytest.mark.parametrize("guests", ["off", "read"])
def test_guests_are_kept_out_or_read_only(
    start: Callable[..., Daemon], tmp_path: Path, guests: str
) -> None:
    """Visitors without a token are kept out, or hear and cannot send."""
    secret_file(tmp_path)
    daemon = start("--token-keys=secret", f"--guests={guests}")
    with Wscat(daemon, "r", *offering(token(), "livechat.plain")) as user:
        guest = Wscat(daemon, "r")
        if guests == "off":
            guest.output.wait_for("401")
        else:
            guest.output.wait_for("Connected")
            guest.says('{"message": "hi"}')
            assert guest.hears(1)[0]["error"]["code"] == "unauthorized"
        user.says('{"message": "hello"}')
        assert user.hears(1) == [{"message": "hello"}]
        if guests == "read":
            assert guest.hears(2)[1] == {"message": "hello"}
        guest.__exit__()
    sent = daemon.curl("-i", "-d", "message=x", f"{daemon.url}/chat/send/r/")
    assert sent.startswith("HTTP/1.1 401")


def published(*kinds: str) -> Any:
    """Answers with the keys of these kinds, which have their kinds as ids."""
    return answers(jwk_set(*(jwk(kind, kind) for kind in kinds)))


def issued(kind: str, algorithm: str) -> str:
    key = private_key(kind)
    return signed(key, algorithm, now=time.time(), aud="chat", headers={"kid": kind})


def test_published_keys_change_and_go_away(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """An issuer changes its keys, and is away; the server starts while it is."""
    with HttpsSite(tmp_path / "issuer", answers(b"", "503 Not Now")) as site:
        daemon = start(
            f"--token-keys={site.url()}", "--token-audience=chat", SSL_CERT_FILE=str(site.authority)
        )
        first, second = issued("RSA", "RS256"), issued("EC", "ES256")
        url = f"{daemon.url}/chat/history/r/"

        def status(given: str) -> str:
            return daemon.curl("-o", "/dev/null", "-w", "%{http_code}", *bearing(given), url)

        daemon.log.wait_for("cannot be fetched: the answer is 503, not 200")
        assert status(first) == "503"
        assert daemon.curl("-o", "/dev/null", "-w", "%{http_code}", url) == "200"
        assert "the answer is 503" in json.loads(daemon.curl(f"{daemon.url}/readyz"))["detail"]
        site.answer = published("RSA")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.log.wait_for("Keys of tokens at https://localhost:[0-9]+/jwks.json: 1")
        assert (status(first), status(second)) == ("200", "401")
        assert json.loads(daemon.curl(f"{daemon.url}/readyz")) == {"status": "ready"}
        asked = len(site.requests)
        for number in range(20):
            given = signed(private_key("RSA"), "RS256", headers={"kid": str(number)})
            assert status(given) == "401"
        assert len(site.requests) == asked
        site.answer = published("EC")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: status(second) == "200")
        assert status(first) == "401"
    assert status(second) == "200"


def test_the_end_of_a_token_is_told_and_closes(
    daemon: Daemon, lapsing: tuple[Wscat, Wscat]
) -> None:
    """A minute before it the client is told, and ten seconds behind it closed."""
    lasting, short = lapsing
    lasting.output.wait_for(r'"type":"rights"[^\r\n]+\r?\n')
    told = [each for each in map(json.loads, lasting.heard()) if each["type"] == "rights"]
    assert [each.get("expiring") for each in told] == [True]
    short.output.wait_for(r"Disconnected \(code: 4100")
