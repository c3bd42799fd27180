"""
The ways to a daemon through proxies: with the files of deploy/, under a host name, under a path,
over a socket file, and by the PROXY protocol.

Two daemons are enough for them: one has a name of its own, the other a path of somebody else's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from tests.live.browser import Tab
from tests.live.daemon import CHEAP, ROOT, TWISTD, Daemon, eventually, refused, tool
from tests.live.front import NAME, SOCKET, Front, by_file
from tests.live.visitor import Visitor

BELOW: Final = "/chat-app"
CLIENT: Final = "127.0.0.2"


def sample(name: str) -> str:
    return (ROOT / "deploy" / name).read_text()


def changed(text: str, *changes: tuple[str, str]) -> str:
    """*text* as its comments say that it may be changed."""
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return text


NGINX: Final = sample("nginx.conf")
HAPROXY: Final = sample("haproxy.cfg")
CADDY: Final = sample("Caddyfile")
NGINX_FILE: Final = changed(
    NGINX,
    ("server 127.0.0.1:10443;", ""),
    ("#server unix:", "server unix:"),
    ("proxy_pass https://", "proxy_pass http://"),
)
NGINX_BELOW: Final = (
    ("location / {", f"location {BELOW}/ {{"),
    ("^/metrics", f"^{BELOW}/metrics"),
)
HAPROXY_FILE: Final = changed(
    re.sub(r"    server livechat 127.* ssl .*\n", "", HAPROXY), ("#server", "server")
)
HAPROXY_BELOW: Final = (
    ("#use_backend", "use_backend"),
    ("default_backend livechat\n\nbackend", "\n\nbackend"),
    ("/metrics /metrics/", f"{BELOW}/metrics {BELOW}/metrics/"),
    ("uri /readyz", f"uri {BELOW}/readyz"),
)
_LAST: Final = HAPROXY.index("#defaults")
HAPROXY_THROUGH: Final = HAPROXY[: HAPROXY.index("defaults")] + re.sub(
    "(?m)^#", "", HAPROXY[_LAST:]
)
CADDY_FILE: Final = changed(
    CADDY,
    ("reverse_proxy https://127.0.0.1:10443", "reverse_proxy unix//run/livechat/http.sock"),
    ("\t\t\ttls_insecure_skip_verify\n", ""),
)
CADDY_BELOW: Final = (
    ("\treverse_proxy ", f"\treverse_proxy {BELOW}/* "),
    ("path /metrics /metrics/", f"path {BELOW}/metrics {BELOW}/metrics/"),
)
#: Ways, with their files; those below a path have it in their names.
WAYS: Final = {
    "nginx, socket file": ("nginx", NGINX_FILE),
    "nginx, path": ("nginx", changed(NGINX, *NGINX_BELOW)),
    "nginx, path, socket file": ("nginx", changed(NGINX_FILE, *NGINX_BELOW)),
    "HAProxy, socket file": ("haproxy", HAPROXY_FILE),
    "HAProxy, path": ("haproxy", changed(HAPROXY, *HAPROXY_BELOW)),
    "HAProxy, path, socket file": ("haproxy", changed(HAPROXY_FILE, *HAPROXY_BELOW)),
    "HAProxy, PROXY protocol": ("haproxy", HAPROXY_THROUGH),
    "Caddy, path, socket file": ("caddy", changed(CADDY_FILE, *CADDY_BELOW)),
}
#: Ways for which pages are viewed: a browser sees only the name and the path of its way.
WITH_PAGES: Final = (
    "nginx, path, socket file", "HAProxy, socket file", "Caddy, path, socket file",
)  # fmt: skip
#: A proxy that takes the path away.
STRIPS: Final = {
    "nginx": (
        "nginx",
        changed(
            NGINX_FILE, *NGINX_BELOW, ("proxy_pass http://livechat", "proxy_pass http://livechat/")
        ),
    )
}
OPTIONS: Final = (
    "--listen=tls:127.0.0.1:0", f"--listen=unix:{SOCKET}", "--trust-proxy=127.0.0.1",
    f"--host={NAME}", "--access-log=access.log", "--rate=0", "--rate-per-ip=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a name of its own, to which TLS comes by the PROXY protocol."""
    options = (*OPTIONS, "--proxy-protocol=on", "--listen=http:127.0.0.1:0")
    with Daemon(tmp_path_factory.mktemp("named"), *options, environment=CHEAP) as running:
        yield running


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon below a path."""
    options = (*OPTIONS, f"--prefix={BELOW}", "--origin=null")
    with Daemon(tmp_path_factory.mktemp("below"), *options, environment=CHEAP) as running:
        yield running


@pytest.fixture(scope="module", params=WAYS)
def way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    daemon: Daemon = request.getfixturevalue("below" if "path" in request.param else "named")
    directory = tmp_path_factory.mktemp("way") / "files"
    with Front(request.param, daemon, directory, WAYS) as running:
        yield running


def path_of(way: Front) -> str:
    return BELOW if "path" in way.kind else ""


def test_curl_reads_and_sends_by_every_way(way: Front) -> None:
    """Sending, the history and its links, the description, redirects, and what is not there."""
    base, room = path_of(way), f"curl{way.number}"
    send = ("-d", "message=hi", "-H", f"Origin: {way.url}")
    for _ in range(2):
        sent = way.curl(CLIENT, f"{base}/chat/send/{room}/", *send)
        assert json.loads(sent) == {"message": "Message sent!"}
    assert json.loads(way.curl(CLIENT, f"{base}/chat/send/{room}/", "-d", "message=x", "-H",
                               "Origin: https://evil.example"))["code"] == "bad_origin"  # fmt: skip
    history = way.curl(CLIENT, f"{base}/chat/history/{room}/?limit=1", "-D-")
    assert f"<{base}/chat/history/{room}/?" in history
    described = json.loads(way.curl(CLIENT, f"{base}/openapi.json"))
    assert described["servers"] == [{"url": base or "/"}]
    told = json.loads(way.curl(CLIENT, f"{base}/asyncapi.json"))
    assert told["channels"]["plain"]["address"] == f"{base}/ws/chat/{{room}}/"
    assert (
        f"location: {base}/rooms/den/" in way.curl(CLIENT, f"{base}/rooms/?room=den", "-D-").lower()
    )
    assert f"wss://{NAME}:{way.port}{base}/ws/chat/" in way.curl(CLIENT, f"{base}/developers/")
    if "PROXY" not in way.kind:
        status = ("-o", "/dev/null", "-w", "%{http_code}")
        assert way.curl(CLIENT, f"{base}/metrics/", *status) == "404"


def test_two_people_talk_by_every_way(way: Front) -> None:
    """Two people talk."""
    path = f"{path_of(way)}/ws/chat/socket{way.number}/"
    with way.socket(CLIENT, path, way.url) as ann, way.socket(CLIENT, path, way.url) as bob:
        ann.send('{"message": "hello"}')
        assert json.loads(bob.recv()) == json.loads(ann.recv()) == {"message": "hello"}


@pytest.mark.parametrize("way", WITH_PAGES, indirect=True)
def test_a_visitor_talks_by_every_way(way: Front, tab: Callable[..., Tab]) -> None:
    """A visitor goes from the front page into a room and says a word there."""
    base = path_of(way)
    made = tab(SimpleNamespace(url=f"{way.url}{base}"))
    made.page.goto(f"{way.url}{base}/")
    made.page.get_by_label("Your name").fill("Ann")
    made.page.get_by_label("Room").fill(f"page{way.number}")
    made.page.keyboard.press("Enter")
    made.page.wait_for_url(f"**{base}/rooms/page{way.number}/")
    ann = Visitor(made)
    ann.is_in()
    ann.composer.fill("by a proxy")
    made.page.keyboard.press("Enter")
    made.page.locator(".said .message p", has_text="by a proxy").wait_for()


@pytest.mark.parametrize("way", WITH_PAGES, indirect=True)
def test_operators_work_by_every_way(way: Front, tab: Callable[..., Tab]) -> None:
    """Operators sign in, see a room live, and sign out."""
    base = path_of(way)
    made = tab(SimpleNamespace(url=f"{way.url}{base}"))
    made.sign_in()
    (cookie,) = made.context.cookies()
    assert cookie["path"] == f"{base}/"
    assert cookie["name"].startswith("__Secure-livechat" if base else "__Host-livechat")
    assert (cookie["secure"], cookie["httpOnly"]) == (True, True)
    made.live()
    made.open("/admin/rooms/admin/")
    made.live()
    made.page.get_by_label("Message", exact=True).fill(f"from above {way.number}")
    made.page.get_by_role("button", name="Send").click()
    made.page.get_by_text(f"from above {way.number}").first.wait_for()
    made.page.get_by_role("button", name="Sign out").click()
    made.page.wait_for_url(f"**{base}/admin/sign-in/?out=1")


def test_requests_are_of_the_client_by_every_way(way: Front, named: Daemon, below: Daemon) -> None:
    """Requests are the client's, in the log as everywhere."""
    base, daemon = path_of(way), below if path_of(way) else named
    way.curl(CLIENT, f"{base}/rooms/whose{way.number}/")
    log = daemon.directory / "access.log"
    asked = f"GET {base}/rooms/whose{way.number}/ "
    eventually(lambda: asked in log.read_text())
    (line,) = (line for line in log.read_text().splitlines() if asked in line)
    assert line.startswith(f'"{CLIENT}"')


def test_embedded_in_a_page_without_an_origin(below: Daemon, tab: Callable[..., Tab]) -> None:
    """The library and the chat in somebody's page find the server below its path."""
    made = tab(below)
    script = f"{below.url}{BELOW}/static/embed.js"
    made.page.set_content(
        f'<div data-livechat="null"></div><script type="module" src="{script}"></script>'
    )
    ann = Visitor(made)
    ann.introduce("Ann")
    ann.says("from nowhere")
    ann.hears("from nowhere")
    assert "from nowhere" in below.curl(f"{below.url}{BELOW}/chat/history/null/")
    below.log.wait_for("--origin null lets pages of all sites")


def test_a_path_that_is_taken_away(below: Daemon, tmp_path: Path) -> None:
    """Behind a proxy that takes the path away nothing is there, and the answer says why."""
    with Front("nginx", below, tmp_path / "files", STRIPS) as front:
        answer = json.loads(front.curl(CLIENT, f"{BELOW}/healthz"))
        assert (answer["code"], f"below {BELOW}/" in answer["detail"]) == ("not_found", True)


def plain(daemon: Daemon, *options: str, path: str = "/healthz") -> str:
    """Run curl on the socket file, as a proxy would."""
    return tool(*by_file(daemon, f"http://{NAME}{path}", *options))


def test_a_proxy_that_says_too_little(named: Daemon) -> None:
    """Without the client's address nothing is told; without https there is no admin page."""
    whose, secure = ("-H", "X-Forwarded-For: 127.0.0.1"), ("-H", "X-Forwarded-Proto: https")
    assert json.loads(plain(named))["code"] == "bad_request"
    assert json.loads(plain(named, *whose))["status"] == "ok"
    assert json.loads(plain(named, *whose, path="/admin/"))["code"] == "forbidden"
    headers = plain(named, "-D-", *whose, *secure, path="/admin/sign-in/")
    assert "Strict-Transport-Security" in headers
    assert "Secure" in headers
    # A forged header does not make the client one of this machine.
    assert json.loads(plain(named, *whose, *secure, path="/metrics"))["code"] == "forbidden"


def test_the_wrong_protocol_is_led_or_cut(named: Daemon, below: Daemon) -> None:
    """TLS where there is none is cut off, and plain HTTP on the TLS port is led to https."""
    port = re.findall(r"http:127\.0\.0\.1:(\d+)", named.log.text)[0]
    with pytest.raises(AssertionError):
        tool("curl", "-sSk", "--max-time", "20", f"https://127.0.0.1:{port}/")
    named.log.wait_for("it speaks TLS, and this is no tls: address")
    answer = tool("curl", "-sS", "-D-", f"http://localhost:{below.port}{BELOW}/rooms/den/")
    assert f"https://localhost:{below.port}{BELOW}/rooms/den/" in answer


def test_the_command_works_by_every_way(below: Daemon) -> None:
    """The command finds the server below its path."""
    state = ("--state", str(below.directory / "state"))
    command = str(Path(TWISTD).with_name("livechat"))
    assert tool(command, *state, "say", "command", "hello").startswith("#")
    tool(command, *state, "check", "--alive")
    assert "hello" in tool("curl", "-sSk", f"{below.url}{BELOW}/chat/history/command/")


def test_a_socket_file_in_use_stays(below: Daemon, tmp_path: Path) -> None:
    """A file on which somebody listens stays; one that a dead daemon has left is replaced."""
    file = below.directory / SOCKET
    (line,) = refused(tmp_path, f"--listen=unix:{file}")
    assert "is taken" in line
    dead = Daemon(tmp_path, "--listen=tls:0", f"--listen=unix:{SOCKET}:mode=600", environment=CHEAP)
    dead.kill()
    assert (tmp_path / SOCKET).is_socket()
    options = ("--listen=tls:0", f"--listen=unix:{SOCKET}:mode=660")
    with Daemon(tmp_path, *options, environment=CHEAP) as daemon:
        assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o660
        assert json.loads(plain(daemon))["code"] == "bad_request"
    assert not (tmp_path / SOCKET).exists()
