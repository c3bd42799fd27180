"""The named cases of attacks through browsers and paths, with a real daemon."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.browser import Tab
from tests.live.daemon import Daemon
from tests.live.siege import Raw, answer, siege, statuses
from tests.live.visitor import site
from tests.live.wscat import Wscat
from tests.support import HANDSHAKE, client_frame, request

pytestmark = pytest.mark.alone

CLOSE = {"Connection": "close"}
JSON = {"Content_Type": "application/json"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def under_siege(daemon: Daemon) -> Iterator[None]:
    with siege(daemon):
        yield


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403), ("null", 403), ("https://localhost:1", 403),
        ("http://localhost:{port}", 403), ("https://localhost.evil:{port}", 403),
        ("garbage", 403), ("https://localhost:{port}, https://evil.example", 403),
        ("https://localhost:{port}", 101), ("", 101),
    ],
)  # fmt: skip
def test_cross_site_websocket_s1(daemon: Daemon, origin: str, status: int) -> None:
    """S-1: pages of other origins open no WebSocket, and read no events and no history."""
    given = {"Host": f"localhost:{daemon.port}", "Origin": origin.format(port=daemon.port)}
    for data in (
        request("GET", "/ws/chat/r/", **HANDSHAKE, **given),
        request("GET", "/ws/chat/r/", **HANDSHAKE, **given, Sec_WebSocket_Protocol="livechat.v1"),
        request("GET", "/chat/events/r/", **given),
        request("GET", "/chat/history/r/", **given),
        request("POST", "/chat/send/s1/", b'{"message":"x"}', **JSON, **given),
        request("POST", "/chat/send/s1/", b"message=x", **FORM, **given),
    ):
        connection = daemon.raw(data)
        found = statuses(connection.recv(65_536))[0]
        assert found == (status if status == 403 or b"/ws/" in data else 200)
        connection.close()


def test_two_origins_s1(daemon: Daemon) -> None:
    """S-1: two origins are none."""
    own = f"https://localhost:{daemon.port}"
    given = {"Host": f"localhost:{daemon.port}", "Origin": own, "origin": own}
    for asked in (
        request("GET", "/chat/history/r/", **given, **CLOSE),
        request("GET", "/ws/chat/r/", **given, **HANDSHAKE),
    ):
        connection = daemon.raw(asked)
        assert statuses(connection.recv(65_536)) == [403]
        connection.close()


@pytest.mark.parametrize("media", ["text/plain", "", "text/plain; application/json"])
def test_simple_requests_s2(daemon: Daemon, media: str) -> None:
    """S-2: what a page may send without asking is refused for what it is, whoever sends it."""
    for origin in ("https://evil.example", "null", ""):
        given = {"Content_Type": media, "Origin": origin, **CLOSE}
        data = answer(daemon, request("POST", "/chat/send/s2/", b'{"message":"x"}', **given))
        assert statuses(data) == [403 if origin else 415]
    assert daemon.history("s2/") == []


ATTACKS = """
    const said = [];
    const socket = new WebSocket("wss://localhost:PORT/ws/chat/stolen/");
    socket.onopen = () => { said.push("open"); socket.send('{"message": "stolen"}'); };
    const body = JSON.stringify({ message: "stolen" });
    const to = "https://localhost:PORT/chat/send/stolen/";
    const from = "https://localhost:PORT/chat/history/secret/";
    const fields = new URLSearchParams({ message: "stolen" });
    const ways = [
        () => fetch(to, { method: "POST", mode: "no-cors", body }),
        () => fetch(to, { method: "POST", mode: "no-cors", body: fields }),
        () => fetch(to, { method: "POST", headers: { "Content-Type": "application/json" }, body }),
        () => fetch(from).then((got) => said.push(got.status)),
        () => new Promise((done) => { navigator.sendBeacon(to, body); done(); }),
    ];
    for (const way of ways) await way().catch(() => {});
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action: to, target: "frame" });
    const input = document.createElement("input");
    form.append(Object.assign(input, { name: "message", value: "stolen" }));
    const frame = Object.assign(document.createElement("iframe"), { name: "frame" });
    document.body.append(frame, form);
    const loaded = new Promise((done) => (frame.onload = done));
    form.submit();
    await loaded;
    if (socket.readyState === 0) await new Promise((done) => (socket.onerror = done));
    return said;
"""


def test_csrf_send_s2(daemon: Daemon, tab: Callable[..., Tab]) -> None:
    """S-1, S-2: a page of another origin, in a real browser, stores nothing and reads nothing."""
    daemon.curl("-d", "message=secret", f"{daemon.url}/chat/send/secret/")
    page = "<!doctype html><html lang=en><title>x</title><body>"
    with site(page) as url:
        evil = tab()
        evil.page.goto(url)
        script = ATTACKS.replace("PORT", str(daemon.port))
        said = evil.page.evaluate(f"(async () => {{ {script} }})()")
        assert said == []
        evil.complaints.clear()
    assert daemon.history("stolen/") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 200), ("GET", "/rooms/r/", b"", 200),
        ("GET", "/admin/sign-in/", b"", 200),
        ("GET", "/rooms/a%20b/", b"", 400), ("GET", "/nowhere", b"", 404),
        ("GET", "/static/chat.js", b"", 200), ("GET", "/static/none", b"", 404),
        ("DELETE", "/", b"", 405), ("POST", "/chat/send/", b"x" * 200_000, 413),
        ("GET", "/chat/history/", b"", 200), ("GET", "/healthz", b"", 200),
        ("GET", "/openapi.json", b"", 200), ("GET", "/metrics", b"", 403),
    ],
)  # fmt: skip
def test_security_headers_s7(
    daemon: Daemon, method: str, path: str, body: bytes, status: int
) -> None:
    """S-7: every answer has the headers that browsers want, and none says what the server is."""
    given = {"Host": "127.0.0.1", "Via": "1.1 x", **CLOSE}
    safe(answer(daemon, request(method, path, body, **given)), status)


def test_early_refusals_s7(daemon: Daemon) -> None:
    """S-7: so have those of requests that were not read to their end."""
    for data, status in (
        (b"nonsense\r\n\r\n", 400),
        (request("GET", "/", Host="evil.example", **CLOSE), 421),
        (request("POST", "/", Content_Length="999999999"), 413),
    ):
        safe(answer(daemon, data), status)


def safe(data: bytes, status: int) -> None:
    """The answer has what browsers are to be told, and no more."""
    assert statuses(data)[0] == status
    head = data.partition(b"\r\n\r\n")[0].decode().lower()
    found = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert "unsafe" not in found["content-security-policy"]
    assert "default-src 'none'" in found["content-security-policy"]
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert found["x-content-type-options"] == "nosniff"
    assert found["x-frame-options"] == "deny"
    assert found["referrer-policy"] == "no-referrer"
    # The certificate is self-signed: a browser that was told to use nothing but HTTPS could not
    # be told to accept it.
    assert "strict-transport-security" not in found
    assert not {"server", "x-powered-by"} & found.keys()
    assert not re.search(r"twisted|autobahn|python", head)


@pytest.mark.parametrize(
    "path",
    ["/static/../setup.py", "/static/%2e%2e%2fsetup.py", "/static/..%2fstate%2flivechat.sqlite3",
     "/static/%00", "/static/chat.js%00", "/static/..\\setup.py", "/static/", "/static",
     "/static/./chat.js", "/static//chat.js", "/static/chat.js/", "/../../etc/passwd",
     "/static/%252e%252e/x", "/state/admin-password", "/.git/config"],
)  # fmt: skip
def test_traversal_s10(daemon: Daemon, path: str) -> None:
    """S-10: no path leads to a file that is not the pages', and none to a listing."""
    data = answer(daemon, request("GET", path, **CLOSE))
    assert statuses(data)[0] in (400, 404)
    assert b"application/problem+json" in data


def test_range_bomb_s11(daemon: Daemon) -> None:
    """S-11: ranges in masses give one file, once."""
    many = "bytes=" + ",".join(["0-"] * 2_500)
    data = answer(daemon, request("GET", "/static/livechat.css", Range=many, **CLOSE))
    assert statuses(data) == [200]
    size = len((Path(__file__).parents[2] / "static/chat/livechat.css").read_bytes())
    assert len(data) < size + 2_000


def test_log_injection_s12(start: Callable[..., Daemon]) -> None:
    """S-12: what clients choose is a line of its own in no log, and texts and keys in none."""
    daemon = start("--access-log=access.log")
    secret, key = "a-secret-text", "k" * 20
    for path in (
        "/x%0d%0aINJECTED",
        "/x%1b[31m",
        "/x%22",
        '/x"y',
        f"/chat/history/?room={key}%0aINJECTED",
        "/ws/chat/r/?name=%0aINJECTED",
    ):
        answer(daemon, request("GET", path, **CLOSE))
    refused = daemon.raw(request("GET", "/ws/chat/r%0d%0aINJECTED/", **HANDSHAKE))
    assert statuses(refused.recv(65_536)) == [400]
    refused.close()
    quoted = {"User_Agent": 'a"b\\', "Referer": 'c"d\\', **CLOSE}
    assert statuses(answer(daemon, request("GET", "/healthz", **quoted))) == [200]
    for odd in ("\x1b[31m", "a\x00b", "a\x0bINJECTED"):
        data = answer(daemon, request("GET", "/healthz", User_Agent=odd, **CLOSE))
        assert statuses(data) == [400]
    answer(daemon, request("GET", "/healthz", Host="localhost", Origin='x"\\\t', **CLOSE))
    body = json.dumps({"message": secret}).encode()
    given = {"Content_Type": "application/json", **CLOSE}
    answer(daemon, request("POST", f"/chat/send/r/?client={key}&name=Ann", body, **given))
    raw = Raw(daemon, f"r/?client={key}&name=%22Ann")
    raw.send(client_frame(b"\x0f\xa0a\nINJECTED", opcode=8))
    assert raw.end() == 4000
    with Wscat(daemon, "r") as client:
        client.says(json.dumps({"message": secret}))
        client.hears(1)
    daemon.stop()
    access = (daemon.directory / "access.log").read_text()
    for text in (access, daemon.log.text):
        assert secret not in text
        assert not re.search(r"^INJECTE", text, re.MULTILINE)
        assert "\x1b" not in text
        assert key not in text
    assert "/chat/send/r/?client=-&name=-" in access
    assert r'"c\"d\\" "a\"b\\"' in access
    for line in access.splitlines():
        assert re.fullmatch(r'\S+ - - \[[^]]+\] "[^"]*(?:\\"[^"]*)*" \d{3} \S+ ".*" ".*"', line), (
            line
        )
