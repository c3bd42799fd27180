"""`livechat.http.access_log`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from livechat.errors import StartError
from livechat.http.access_log import AccessLog
from livechat.option_values import STANDARD_LOG
from tests.support import HANDSHAKE, Port, request


@pytest.fixture
def access(tmp_path: Path) -> Iterator[AccessLog]:
    made = AccessLog(tmp_path / "access.log")
    yield made
    made.close()


@pytest.fixture
def ask(port: Port, tmp_path: Path, access: AccessLog) -> Callable[..., list[str]]:
    """Make a function that sends a request and returns the log's lines."""
    path = tmp_path / "access.log"
    logged = Port(port.world, access=access)

    def ask(target: str, **headers: str) -> list[str]:
        logged.ask("GET", target, **headers)
        return path.read_text(encoding="utf-8").splitlines()

    return ask


def test_a_line_for_each_request(ask: Callable[..., list[str]]) -> None:
    """A request's line is in the combined log format, with today's date."""
    (line,) = ask("/healthz?x=1", User_Agent="me", Referer="https://a/")
    assert re.fullmatch(
        r'"192\.0\.2\.1" - - \[\d\d/\w{3}/20\d\d:\d\d:\d\d:\d\d \+0000\]'
        r' "GET /healthz\?x=- HTTP/1\.1" 200 \d\d "https://a/" "me"',
        line,
    )


def test_a_line_for_each_socket(port: Port, tmp_path: Path, access: AccessLog) -> None:
    """A WebSocket's handshake has its line too, with the address that was asked for."""
    Port(port.world, access=access).socket("den").hang_up()
    (line,) = (tmp_path / "access.log").read_text().splitlines()
    assert '"GET /ws/chat/den/ HTTP/1.1" 101' in line


def test_nothing_gets_out_of_its_line(ask: Callable[..., list[str]]) -> None:
    """Quotes, escapes and line breaks are shown, not written."""
    lines = ask('/no"where', User_Agent='a"b\\c', Referer="x\xc3\x85y")
    assert len(lines) == 1
    assert lines[0].isascii()
    assert lines[0].count('"') == lines[0].count('\\"') + 8


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        ("/chat/send/r/?name=Ann&client=a-secret_key&x=1", "/chat/send/r/?name=-&client=-&x=-"),
        ("/?%63lient=KEY&cl%69ent=KEY", "/?%63lient=-&cl%69ent=-"),
        ("/?access_token=KEY;b=KEY", "/?access_token=-"),
        ("/?a=b=KEY&a=&b&=KEY", "/?a=-&a=&b&=-"),
        ("/?a=1?client=KEY", "/?a=-"),
        ("/?KEY" + "k" * 40, "/?-"),
        ("/?a=1#access_token=KEY", "/?a=-"),
        ("/x#access_token=KEY", "/x"),
        ("https://user:KEY@localhost/x?b=KEY", "https://localhost/x?b=-"),
        ("/a@b", "/a@b"),
        ("/?", "/?"),
    ],
)
def test_values_of_queries_are_not_logged(
    ask: Callable[..., list[str]], target: str, logged: str
) -> None:
    """The names of parameters are told, and no value: it may be a key or a token."""
    (line,) = ask(target)
    assert f'"GET {logged} HTTP/1.1"' in line
    assert "KEY" not in line


@pytest.mark.parametrize(
    ("referer", "logged"),
    [
        ("https://app.example/a/b?access_token=KEY", "https://app.example/a/b"),
        ("https://app.example/#id_token=KEY", "https://app.example/"),
        ("https://user:KEY@app.example/a@b", "https://app.example/a@b"),
        ("user:KEY@x@app.example/", "app.example/"),
        ("//KEY@app.example", "//app.example"),
        ("?KEY", "-"),
        ("about:blank", "about:blank"),
    ],
)
def test_referers_are_logged_without_query_and_password(
    ask: Callable[..., list[str]], referer: str, logged: str
) -> None:
    """A referring page is logged without its query, and without a password in its address."""
    (line,) = ask("/healthz", Referer=referer)
    assert line.endswith(f' "{logged}" "-"')


def test_a_client_behind_a_proxy(port: Port, tmp_path: Path, access: AccessLog) -> None:
    """The client's address is logged, also of a request that is refused at its head."""
    behind = Port(port.world, access=access, proxies=["10.0.0.1"])
    headers = {"X_Forwarded_For": "203.0.113.7"}
    behind.ask("GET", "/healthz", _from="10.0.0.1", **headers)
    behind.ask("POST", "/chat/send/", _from="10.0.0.1", **headers, Content_Length="999999999")
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ['"203.0.113.7"'] * 2


@pytest.mark.parametrize(
    ("data", "asked", "status"),
    [
        (b"\x16\x03\x01 no HTTP\r\n\r\n", "-", 400),
        (b"nonsense\r\n\r\n", "-", 400),
        (b"GET /a?%63lient=KEY HTTP/1.1\r\n folded\r\n\r\n", "GET /a?%63lient=-", 400),
        (request("POST", "/chat/send/", Content_Length="999999999"), "POST /chat/send/", 413),
    ],
)  # fmt: skip
def test_early_refusals_are_logged(
    port: Port, tmp_path: Path, access: AccessLog, data: bytes, asked: str, status: int
) -> None:
    """A request that is refused before it is whole has a line too."""
    wire = Port(port.world, access=access).connect()
    wire.send(data)
    answer = wire.answer()
    (line,) = (tmp_path / "access.log").read_text().splitlines()
    assert re.fullmatch(
        rf'"192\.0\.2\.1" - - \[.+\] "{re.escape(asked)}" {status} {len(answer.body)} "-" "-"', line
    )


def test_refused_does_not_get_out_of_its_line(tmp_path: Path, access: AccessLog) -> None:
    """Any target is one field of one line, in ASCII."""
    access.write_refused("192.0.2.1", 'GET /a"b\\c\n\x1b\xe9', 400, 7)
    (line,) = (tmp_path / "access.log").read_text().splitlines()
    assert r'"GET /a\"b\\c\n\x1b\xe9" 400 7 "-" "-"' in line


def test_rotation_begins_a_new_file(port: Port, tmp_path: Path, access: AccessLog) -> None:
    """The next line begins a new file after logrotate has moved the old one away."""
    path = tmp_path / "access.log"
    logged = Port(port.world, access=access)
    logged.ask("GET", "/healthz")
    path.rename(tmp_path / "access.log.1")
    logged.ask("GET", "/healthz")
    assert len(path.read_text().splitlines()) == 1


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    """A file that cannot be opened is one clear line at start."""
    with pytest.raises(StartError, match="--access-log: cannot open"):
        AccessLog(tmp_path / "missing" / "access.log")


def test_a_log_that_cannot_be_opened_again(port: Port, tmp_path: Path, access: AccessLog) -> None:
    """Requests are answered without a log too, on the same connection."""
    logged = Port(port.world, access=access)
    logged.ask("GET", "/healthz")
    (tmp_path / "access.log").unlink()
    (tmp_path / "access.log").mkdir()
    wire = logged.connect()
    with capturedLogs() as events:
        for _ in range(2):
            wire.send(request("GET", "/healthz"))
            assert wire.answer().status == 200
    assert not wire.aborted
    assert events == []


def test_a_full_disk_lets_requests_be_answered(port: Port) -> None:
    """Requests are answered on a full disk too, and the port can be closed."""
    full = AccessLog(Path("/dev/full"))
    logged = Port(port.world, access=full)
    for _ in range(3):
        assert logged.ask("GET", "/healthz").status == 200
    logged.factory.stopFactory()


def test_lines_can_go_to_the_log_of_the_daemon(port: Port) -> None:
    """The lines can go to the daemon's own log, and are not taken for formats there."""
    logged = Port(port.world, access=AccessLog(STANDARD_LOG))
    with capturedLogs() as events:
        logged.ask("GET", "/{log_format}")
    lines = [event["line"] for event in events if "line" in event]
    assert len(lines) == 1
    assert "/{log_format}" in lines[0]


def test_nothing_is_logged_without_the_option(port: Port) -> None:
    """Without the option nothing is logged."""
    with capturedLogs() as events:
        port.ask("GET", "/chat/history/")
        port.socket().says("secret")
        port.ask("GET", "/ws/chat/a%2Fb/", **HANDSHAKE)
    assert events == []
