"""The admin page of a real daemon, by curl and raw connections."""

from __future__ import annotations

import json
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from livechat.backends.sqlite.backend import READERS
from tests.backends.redis.server import RedisServer
from tests.live.daemon import PASSWORD, Daemon, eventually, rest
from tests.live.operators import SET, Operator
from tests.support import request


@pytest.fixture
def operator(tmp_path: Path) -> Callable[..., Operator]:
    """Makes operators, each with cookies of his own."""
    made: list[Operator] = []

    def make(daemon: Daemon) -> Operator:
        made.append(Operator(daemon, tmp_path / f"jar{len(made)}"))
        return made[-1]

    return make


def test_the_first_start(start: Callable[..., Daemon], operator: Callable[..., Operator]) -> None:
    """The log says where the page and its password are, and the password lets in."""
    daemon = start(LIVECHAT_ADMIN_PASSWORD=None)
    found = daemon.log.wait_for(r"the admin page at (\S+) with the password in (\S+);")
    assert found[1] == f"{daemon.url}/admin/"
    file = Path(found[2])
    assert file == daemon.directory / "state" / "admin-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = file.read_text().strip()
    one, two = operator(daemon), operator(daemon)
    assert one.sign_in(password) == 303
    assert two.sign_in(password) == 303
    assert one.signed_in()
    assert two.signed_in()
    one.post("/admin/sign-out/")
    assert not one.signed_in()
    assert two.signed_in()
    assert password not in daemon.log.text
    assert two.cookie() not in daemon.log.text


def test_restarts(start: Callable[..., Daemon], operator: Callable[..., Operator]) -> None:
    """A restart signs nobody out; one with another password signs out all."""
    daemon = start(**SET)
    one = operator(daemon)
    one.sign_in()
    daemon.kill()
    one.daemon = start(f"--port={daemon.port}", **SET)
    assert one.signed_in()
    one.daemon.stop()
    one.daemon = start(f"--port={daemon.port}", LIVECHAT_ADMIN_PASSWORD="another password")
    assert not one.signed_in()
    assert one.sign_in() == 403
    assert one.sign_in("another password") == 303


def test_a_broken_database(start: Callable[..., Daemon], operator: Callable[..., Operator]) -> None:
    """Messages begin anew, and nobody is signed out; without maps a restart signs out."""
    daemon = start()
    one = operator(daemon)
    one.sign_in()
    daemon.kill()
    (daemon.directory / "state" / "livechat.sqlite3").write_bytes(b"no database" * 10_000)
    one.daemon = start(f"--port={daemon.port}")
    one.daemon.log.wait_for("The database was broken")
    assert one.signed_in()
    one.daemon.stop()
    without = f"--port={daemon.port}", "--without-maps=on"
    one.daemon = start(*without)
    assert not one.signed_in()
    assert one.sign_in() == 303
    one.daemon.stop()
    one.daemon = start(*without)
    assert not one.signed_in()


def test_redis_loses_everything(
    start: Callable[..., Daemon], operator: Callable[..., Operator], tmp_path: Path
) -> None:
    """A session survives FLUSHALL, at every process, and where only one of them is left."""
    with RedisServer(tmp_path / "redis") as redis:
        first, second = (start(f"--redis={redis.url}") for _ in range(2))
        for each in (first, second):
            each.log.wait_for(r"Redis at \S+ can be used")
        one = operator(first)
        one.sign_in()
        token = one.cookie()

        def signed_in(daemon: Daemon) -> bool:
            cookie = f"Cookie: __Host-livechat-{daemon.port}={token}"
            return "Sign out" in daemon.curl("-H", cookie, f"{daemon.url}/admin/")

        def put_back() -> bool:
            return redis.ask("EXISTS", "lc:{!}:shared:operators") == "1"

        assert signed_in(second)
        redis.ask("FLUSHALL")
        assert signed_in(first)
        assert signed_in(second)
        eventually(put_back)
        first.kill()
        redis.ask("FLUSHALL")
        eventually(put_back)
        third = start(f"--redis={redis.url}")
        third.log.wait_for(r"Redis at \S+ can be used")
        assert signed_in(third)
        assert signed_in(second)
        assert "puts them back" in second.log.text
        assert "puts them back" not in third.log.text


def test_a_new_password(
    start: Callable[..., Daemon], operator: Callable[..., Operator], tmp_path: Path
) -> None:
    """SIGHUP takes a new password, drops nobody who chats, and keeps the old one if it is bad."""
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    daemon = start(f"--admin-password-file={secret}", LIVECHAT_ADMIN_PASSWORD=None)
    one = operator(daemon)
    with daemon.socket() as member:
        assert one.sign_in() == 303
        for text, expected in (
            (PASSWORD, "is the same as before"),
            ("short", "The operators' password stays as it was"),
            ("another password", "is new, and signs all out"),
        ):
            assert one.signed_in()
            secret.write_text(text)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.log.wait_for(expected)
        assert not one.signed_in()
        assert one.sign_in("another password") == 303
        member.send('{"message": "still here"}')
        assert json.loads(member.recv()) == {"message": "still here"}


def test_csrf_admin_s3(daemon: Daemon, operator: Callable[..., Operator]) -> None:
    """S-3: forms without a token, with another session's, or from another site do nothing."""
    one, other = operator(daemon), operator(daemon)
    one.sign_in()
    other.sign_in()
    page = other.get("/admin/")
    stolen = re.findall(r'name="token" value="(\w+)"', page)[0]
    for form, options in (
        ({"token": ""}, ()),
        ({"token": stolen}, ()),
        ({}, ("-H", "Sec-Fetch-Site: cross-site")),
        ({}, ("-H", "Origin: https://evil.example")),
        ({}, ("-H", "Origin: null")),
    ):
        answer = one.post("/admin/rooms/s3/", *options, message="hi", **form)
        assert answer.split("\n")[-1].startswith("403")
        one.post("/admin/sign-out/", *options, **form)
        assert one.signed_in()
    assert daemon.history("s3") == []
    assert one.post("/admin/rooms/s3/", message="hi").split("\n")[-1].startswith("303")
    assert [each["message"] for each in daemon.history("s3")] == ["hi"]


def test_session_cookie_s4(start: Callable[..., Daemon], operator: Callable[..., Operator]) -> None:
    """S-4: the cookie is bound to the host and hidden; its session ends on the server."""
    daemon = start("--admin-session=1m")
    one = operator(daemon)
    page = one.get("/admin/sign-in/", "-i")
    before = one.cookie()
    assert "; Path=/; Secure; HttpOnly; SameSite=Strict" in page
    assert one.sign_in() == 303
    assert one.cookie() != before
    assert len(one.cookie()) == 43
    cookie = ("-b", f"__Host-livechat-{daemon.port}={one.cookie()}")
    assert "Sign out" in daemon.curl(*cookie, f"{daemon.url}/admin/")
    one.post("/admin/sign-out/")
    assert "Sign out" not in daemon.curl(*cookie, f"{daemon.url}/admin/")


@pytest.mark.alone
def test_brute_force_s5(start: Callable[..., Daemon], operator: Callable[..., Operator]) -> None:
    """S-5: only five of twenty wrong passwords are checked; bystanders are answered."""
    daemon = start(**SET)
    statuses = []
    for _ in range(20):
        statuses.append(operator(daemon).sign_in("wrong"))
        daemon.curl(f"{daemon.url}/healthz")
    assert statuses == [403] * 5 + [429] * 15
    answer = operator(daemon).post("/admin/sign-in/", "-i", password=PASSWORD)
    assert int(re.findall(r"Retry-After: (\d+)", answer)[0]) <= 30


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><script>",
        "{{7*7}}", "javascript:alert(1)", "' onmouseover='", "</textarea><b>",
    ],
)  # fmt: skip
def test_xss_s6(daemon: Daemon, tmp_path: Path, text: str) -> None:
    """S-6: what anybody types is text wherever a page shows it."""
    one, stranger = Operator(daemon, tmp_path / "jar"), Operator(daemon, tmp_path / "other")
    one.sign_in()
    daemon.curl("--data-urlencode", f"message={text}", f"{daemon.url}/chat/send/r/")
    pages = [
        one.get("/admin/rooms/r/"),
        one.get("/admin/", "-G", "--data-urlencode", f"q={text}"),
        one.get("/admin/rooms/", "-G", "--data-urlencode", f"room={text}"),
        one.post("/admin/rooms/r/", message=text, token="x"),
        stranger.post("/admin/sign-in/", message=text, next="/admin/rooms/r/", token="x"),
        stranger.post("/admin/rooms/r/", message=text),
    ]
    for page in pages:
        assert "49" not in re.findall(r">(49)<", page)
        if "<" in text or '"' in text or "'" in text:
            assert text not in page
        assert "<!doctype html>" in page


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example/", "\\evil.example", "/\\evil.example"]
)
def test_open_redirect_s9(daemon: Daemon, operator: Callable[..., Operator], wanted: str) -> None:
    """S-9: signing in never leaves the site."""
    one = operator(daemon)
    answer = one.post("/admin/sign-in/", password=PASSWORD, next=wanted)
    assert answer.split("\n")[-1] == f"303 {daemon.url}/admin/"
    page = one.get(f"/admin/sign-in/?next={wanted}", "-w", "\n%{redirect_url}")
    assert unquote(page.split("\n")[-1]) == f"{daemon.url}/admin/"


def test_streams(start: Callable[..., Daemon], operator: Callable[..., Operator]) -> None:
    """Streams come and go and leave nothing; those that are there end with the daemon."""
    daemon = start("--max-connections-per-ip=0")
    one = operator(daemon)
    one.sign_in()
    asking = {
        "Host": f"localhost:{daemon.port}",
        "Cookie": f"__Host-livechat-{daemon.port}={one.cookie()}",
    }
    targets = ("/admin/events", "/admin/rooms/r/events")

    def come_and_go(count: int) -> None:
        streams = [daemon.raw(request("GET", target, **asking)) for target in targets * count]
        for stream in streams:
            while b"event: " not in stream.recv(65_536):
                pass
            stream.close()

    before = daemon.descriptors()
    for _ in range(3):
        come_and_go(25)
    # SQLite may keep a file open for each thread that has read it.
    eventually(lambda: daemon.descriptors() <= before + READERS)
    streams = [daemon.raw(request("GET", target, **asking)) for target in targets]
    for stream in streams:
        stream.recv(65_536)
    daemon.terminate()
    for stream in streams:
        assert rest(stream).endswith(b"0\r\n\r\n")
    assert daemon.stop() == 0
