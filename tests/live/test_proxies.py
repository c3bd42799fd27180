"""The daemon behind nginx and Caddy, with the files of deploy/ and with their default settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from tests.live.daemon import CHEAP, PASSWORD, Daemon, eventually
from tests.live.front import FRONTS, NAME, Front

EVIL = "https://evil.example"
#: The address of clients that send no header; proxies are at 127.0.0.1.
CLIENT = "127.0.0.2"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon for proxies, to which each address may say one thing."""
    with Daemon(
        tmp_path_factory.mktemp("behind"),
        "--trust-proxy=127.0.0.1",
        f"--host={NAME}",
        "--access-log=access.log",
        "--rate-per-ip=0.001",
        environment=CHEAP,
    ) as running:
        yield running


@pytest.fixture(scope="module", params=FRONTS)
def front(
    request: pytest.FixtureRequest, behind: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("front") / "files"
    with Front(request.param, behind, directory) as running:
        yield running


def logged(daemon: Daemon, path: str) -> str:
    """The line of the daemon's access log about the request for *path*."""
    log = daemon.directory / "access.log"
    found: list[str] = []

    def there() -> bool:
        found[:] = [line for line in log.read_text().splitlines() if path in line]
        return bool(found)

    eventually(there)
    return found[0]


def test_pages_show_the_address_that_was_asked_for(front: Front) -> None:
    """The pages and what they load are there, and show the address that was asked for."""
    assert "Join" in front.curl(CLIENT, "/")
    page = front.curl(CLIENT, "/developers/")
    assert "--no-check" not in page
    assert front.bare or f"wss://{NAME}:{front.port}/ws/chat/" in page
    assert "connect" in front.curl(CLIENT, "/static/livechat.js")
    assert "/rooms/den/" in front.curl(CLIENT, "/rooms/?room=den", "-D-")


def test_only_the_own_origin_sends(front: Front) -> None:
    """Pages of the server's own origin send, those of others do not."""
    send, by = ("/chat/send/r/", "-d", "message=hi", "-H"), front.address(1)
    assert json.loads(front.curl(by, *send, f"Origin: {EVIL}"))["code"] == "bad_origin"
    assert json.loads(front.curl(by, *send, f"Origin: {front.url}")) == {"message": "Message sent!"}
    # The limits are the client's own; without its address all share the proxy's.
    assert json.loads(front.curl(by, *send, f"Origin: {front.url}"))["code"] == "rate_limited"
    other = json.loads(front.curl(front.address(2), *send, f"Origin: {front.url}"))
    assert other.get("code") == ("rate_limited" if front.bare else None)


def test_events_come_at_once(front: Front) -> None:
    """Events come at once, and are not kept until there are more."""
    with front.stream(CLIENT, "/chat/events/r/", "-H", f"Origin: {front.url}") as events:
        events.wait_for('"type":"hello"')


def test_the_own_origin_opens_sockets(front: Front) -> None:
    """Pages of the server's own origin chat by a WebSocket, where the proxy passes it on."""

    def status(origin: str) -> int:
        with pytest.raises(InvalidStatus) as refused:
            front.socket(CLIENT, "/ws/chat/den/", origin)
        return refused.value.response.status_code

    assert status(EVIL) == 403
    if front.bare:
        assert status(front.url) == 426
    else:
        with front.socket(front.address(3), "/ws/chat/den/", front.url) as member:
            member.send('{"message": "hi"}')
            assert json.loads(member.recv()) == {"message": "hi"}


def test_operators_sign_in_by_the_form(front: Front) -> None:
    """Operators sign in by the form, with Origin hidden or not; other sites' forms do nothing."""
    jar = ("-b", str(front.directory / "jar"), "-c", str(front.directory / "jar"))
    page = front.curl(CLIENT, "/admin/sign-in/", *jar)
    (token,) = re.findall(r'name="token" value="(\w+)"', page)
    form = ["-d", f"token={token}", "--data-urlencode", f"password={PASSWORD}", *jar]
    status = ("-o", "/dev/null", "-w", "%{http_code}")

    def post(path: str, *headers: str) -> str:
        return front.curl(CLIENT, path, *form, *status, *(w for h in headers for w in ("-H", h)))

    assert post("/admin/sign-in/", f"Origin: {EVIL}") == "403"
    assert post("/admin/sign-in/", "Origin: null", "Sec-Fetch-Site: cross-site") == "403"
    assert post("/admin/sign-in/", "Origin: null", "Sec-Fetch-Site: same-origin") == "303"
    page = front.curl(CLIENT, "/admin/", *jar)
    assert "Sign out" in page
    form = ["-d", "token=" + re.findall(r'name="token" value="(\w+)"', page)[0], *jar]
    assert post("/admin/sign-out/", f"Origin: {front.url}") == "303"


def test_logs_have_addresses_and_no_queries(front: Front, behind: Daemon) -> None:
    """The client's address is logged, and neither log has what a query holds."""
    path = f"/rooms/logged{front.number}/"
    front.curl(CLIENT, f"{path}?%63lient=KEY", "-e", "https://app.example/x?token=KEY")
    line = logged(behind, path)
    assert line.startswith('"127.0.0.1"' if front.bare else f'"{CLIENT}"')
    assert f'"GET {path}?%63lient=- HTTP/1.' in line
    assert '"https://app.example/x"' in line
    if front.kind.startswith("deploy/"):
        eventually(lambda: path in front.log.read_text())
        assert "https://app.example/x" in front.log.read_text()
        assert "KEY" not in front.log.read_text()


def test_metrics_cannot_be_read_through_a_proxy(front: Front) -> None:
    """Metrics cannot be read through a proxy on the same machine, whatever it adds."""
    status = front.curl(CLIENT, "/metrics/", "-o", "/dev/null", "-w", "%{http_code}")
    assert status == ("404" if front.kind.startswith("deploy/") else "403")


def test_what_clients_make_up(front: Front) -> None:
    """Proxies replace the forwarded names that clients send."""
    made_up = (
        "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: ftp", "X-Forwarded-For: 192.0.2.7",
        "Forwarded: host=evil.example",
    )  # fmt: skip
    answer = front.curl(CLIENT, "/healthz", *(w for each in made_up for w in ("-H", each)))
    if front.kind.startswith("deploy/"):
        assert json.loads(answer)["status"] == "ok"
    else:
        # A forged host harms only the client itself.
        assert json.loads(answer)["code"] == "bad_host"


def test_plain_http_is_led_to_https(front: Front) -> None:
    """Nginx leads from http to https."""
    if front.kind == "deploy/nginx.conf":
        head = front.curl(CLIENT, f"http://{NAME}/rooms/den/?x=1", "-D-")
        assert "308" in head
        assert f"https://{NAME}/rooms/den/?x=1" in head
