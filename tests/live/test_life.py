"""The life of the process: how it starts, refuses to start, and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from livechat import __version__
from tests.live.daemon import CHEAP, PATIENCE, TWISTD, Daemon, Member, eventually, refused, rest
from tests.support import HANDSHAKE, request


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The program that everybody runs."""
    directory = tmp_path_factory.mktemp("daemon")
    with Daemon(
        directory, "--rate=0", "--rate-per-ip=0", twistd=TWISTD, environment=CHEAP
    ) as running:
        yield running


def fails(directory: Path, *options: str, **environment: str) -> str:
    """Start a daemon that must fail, and return its one line."""
    (line,) = refused(directory, *options, **environment)
    assert line.startswith("livechat: ")
    return line


def test_the_log_says_where_it_was_started(daemon: Daemon) -> None:
    """The log says in plain words what was started and where."""
    for said in (
        f"https://localhost:{daemon.port}/",
        f"wss://localhost:{daemon.port}/ws/chat/{{room}}/",
        "self-signed",
        "by this process alone",
        "Only this machine can connect",
    ):
        assert said in daemon.log.text
    first = daemon.log.text.splitlines()[0]
    for said in (
        f"[livechat#info] livechat {__version__} at https://localhost:{daemon.port}/, ",
        f"the admin page at https://localhost:{daemon.port}/admin/ with the password in ",
        f"SQLite in {daemon.directory / 'state'}, by this process alone;",
        f"state: {daemon.directory / 'state'};",
        "workers: 1.",
    ):
        assert said in first
    assert not re.search(r"^\S+ \[(-|twisted)", daemon.log.text, re.MULTILINE)
    assert oct((daemon.directory / "certs" / "livechat.key").stat().st_mode)[-3:] == "600"


def test_it_listens_on_loopback_unless_told(daemon: Daemon) -> None:
    """Unless it is told otherwise, it listens on loopback alone, on both families."""
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    port = f":{daemon.port:04X} "
    addresses = {
        line.split()[1] for line in listening.splitlines() if port in line and " 0A " in line
    }
    assert addresses == {
        f"0100007F{port.strip()}", f"00000000000000000000000001000000{port.strip()}",
    }  # fmt: skip


def test_options_can_come_from_the_environment(start: Callable[..., Daemon]) -> None:
    """Options can come from the environment."""
    daemon = start(LIVECHAT_DEFAULT_ROOM="den", LIVECHAT_MAX_MESSAGE="3")
    daemon.curl("-d", "message=abc", f"{daemon.url}/chat/send/")
    assert len(daemon.history("den/")) == 1
    refused = json.loads(daemon.curl("-d", "message=abcd", f"{daemon.url}/chat/send/"))
    assert refused["code"] == "message_too_long"


def test_a_taken_port_stops_the_start(daemon: Daemon, tmp_path: Path) -> None:
    """A taken port is told before anything else happens."""
    port = daemon.port
    other = tmp_path / "other"
    other.mkdir()
    assert "taken" in fails(other, f"--port={port}")
    assert list(other.iterdir()) == []


def test_unusable_files_stop_the_start(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """A key or a database that cannot be used is one clear line."""
    daemon = start()
    daemon.stop()
    (tmp_path / "certs" / "livechat.key").write_text("no key")
    assert "holds no PEM private key" in fails(tmp_path, "--port=0")
    (tmp_path / "certs" / "livechat.key").unlink()
    assert "cannot read" in fails(tmp_path, "--port=0")
    (tmp_path / "certs" / "livechat.crt").unlink()
    database = sqlite3.connect(tmp_path / "state" / "livechat.sqlite3")
    database.execute("PRAGMA user_version = 99")
    database.close()
    assert "newer livechat" in fails(tmp_path, "--port=0")


def test_one_state_directory_is_for_one_daemon(daemon: Daemon) -> None:
    """Two daemons cannot have one state directory, and the first goes on."""
    assert "another livechat" in fails(daemon.directory, "--port=0")
    assert daemon.history() == []


@pytest.mark.parametrize(
    ("option", "environment"),
    [("--rate=fast", {}), ("--max-message=0", {}), ("--port=0", {"LIVECHAT_ORIGIN": "*"})],
)
def test_a_bad_option_stops_the_start(
    tmp_path: Path, option: str, environment: dict[str, str]
) -> None:
    """A bad value is one clear line and an exit code that is not zero."""
    assert "must be" in fails(tmp_path, option, **environment)


def closed(member: Member) -> int | None:
    """The code with which the server closes."""
    try:
        while True:
            member.recv(timeout=PATIENCE)
    except ConnectionClosed as reason:
        return reason.rcvd.code if reason.rcvd else None


def test_sigterm_f9(start: Callable[..., Daemon]) -> None:
    """SIGTERM sends clients 1012, stores all that was sent, and ends the process."""
    daemon = start("--rate=0", "--rate-per-ip=0")
    members = [daemon.socket(max_queue=None) for _ in range(20)]
    silent = daemon.raw(request("GET", "/healthz"))
    texts = [str(number) for number in range(200)]
    for text in texts:
        members[0].send(json.dumps({"message": text}))
    for _ in texts:
        members[1].recv(timeout=PATIENCE)
    daemon.terminate()
    for member in members[2:]:
        assert closed(member) == 1012
    with pytest.raises(ConnectionRefusedError):
        daemon.raw()
    assert daemon.stop() == 0
    for member in members[:2]:
        assert closed(member) == 1012
    assert b"200 OK" in rest(silent)
    assert [each["message"] for each in start().history("r/?limit=1000")] == texts


def test_sigterm_while_sending(start: Callable[..., Daemon]) -> None:
    """A message that is on its way at SIGTERM is answered, or it was never taken."""
    daemon = start("--rate=0", "--rate-per-ip=0")
    answered: list[str] = []

    def send() -> None:
        for number in range(100_000):
            try:
                daemon.curl("-f", "-d", f"message={number}", f"{daemon.url}/chat/send/")
            except AssertionError:
                return
            answered.append(str(number))
            if number == 5:
                daemon.terminate()

    sender = threading.Thread(target=send)
    sender.start()
    sender.join()
    daemon.stop()
    assert len(answered) > 5
    stored = [each["message"] for each in start().history("?limit=1000")]
    assert stored[: len(answered)] == answered
    assert len(stored) <= len(answered) + 1


def test_sigterm_while_joining(start: Callable[..., Daemon]) -> None:
    """A client whose handshake ends after the goodbyes is told to come back, and not cut."""
    daemon = start()
    plain = request("GET", "/ws/chat/r/", **HANDSHAKE)
    v1 = request("GET", "/ws/chat/r/", **HANDSHAKE, Sec_WebSocket_Protocol="livechat.v1")
    asked = [plain, v1, request("GET", "/chat/events/r/"), request("POST", "/chat/send/")]
    peers = [daemon.raw(each[:-2]) for each in asked]
    with daemon.socket(subprotocols=["livechat.v1"]) as member:
        daemon.terminate()
        # From then on half a request has a second to become a whole one.
        while json.loads(member.recv())["type"] != "goaway":
            pass
        with pytest.raises(ConnectionRefusedError):
            daemon.raw(tls=False)
    for peer, each in zip(peers, asked, strict=True):
        peer.sendall(each[-2:])
    answers = [rest(peer) for peer in peers]
    for answer in (answers[0], *answers[2:]):
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in answer
    assert answers[1].startswith(b"HTTP/1.1 101 ")
    assert b'{"type":"goaway",' in answers[1]
    assert (1012).to_bytes(2, "big") + b"restart" in answers[1]
    assert daemon.stop() == 0


def test_sigterm_with_a_silent_peer(start: Callable[..., Daemon]) -> None:
    """Peers that do not say goodbye do not hold the process up."""
    daemon = start()
    peers = [daemon.raw(b"GET / HT") for _ in range(5)] + [daemon.raw(tls=False)]
    assert daemon.stop() == 0
    for peer in peers:
        peer.close()


def test_monitors_are_told_of_life_and_readiness(daemon: Daemon) -> None:
    """Monitors are told that the process lives and is ready."""
    assert json.loads(daemon.curl("-f", f"{daemon.url}/healthz"))["status"] == "ok"
    assert json.loads(daemon.curl("-f", f"{daemon.url}/readyz")) == {"status": "ready"}


def test_version_4_on_version_6(start: Callable[..., Daemon]) -> None:
    """An IPv4 client of `::` keeps its address: on this machine, in the log, behind proxies."""
    options = ("--interface=::", "--access-log=access.log", "--max-connections-per-ip=1")
    daemon = start(*options, "--trust-proxy=::ffff:127.0.0.1")
    url = f"https://127.0.0.1:{daemon.port}"
    # From a trusted proxy's address it takes the token.
    assert "livechat_" in daemon.curl("--interface", "127.0.0.2", f"{url}/metrics")
    for forwarded in ("::ffff:192.0.2.7", "[::ffff:c000:207]:5000", "192.0.2.7"):
        daemon.curl("-H", f"X-Forwarded-For: {forwarded}", f"{url}/healthz")
    with daemon.socket(additional_headers={"X-Forwarded-For": "::ffff:192.0.2.7"}):
        handshake = request("GET", "/ws/chat/r/", **HANDSHAKE, X_Forwarded_For="192.0.2.7")
        assert rest(daemon.raw(handshake)).startswith(b"HTTP/1.1 429 ")
    daemon.stop()
    lines = (daemon.directory / "access.log").read_text().splitlines()
    addresses = [line.split()[0].strip('"') for line in lines]
    assert addresses == ["127.0.0.2", *["192.0.2.7"] * 5]


def test_the_access_log_has_no_message(start: Callable[..., Daemon]) -> None:
    """The access log has the requests and none of their messages."""
    daemon = start("--access-log=access.log")
    daemon.curl("-d", "message=secret", f"{daemon.url}/chat/send/")
    daemon.stop()
    lines = (daemon.directory / "access.log").read_text().splitlines()
    assert len(lines) == 1
    assert "POST /chat/send/" in lines[0]
    assert "secret" not in daemon.log.text + lines[0]


def test_a_daemonized_twistd_keeps_its_rundir(tmp_path: Path) -> None:
    """A daemonized twistd keeps its files in --rundir."""
    files = (f"--{name}file={tmp_path}/{name}" for name in ("pid", "log"))
    command = [TWISTD, f"--rundir={tmp_path}", *files]
    subprocess.run([*command, "livechat", "--port=0"], check=True, timeout=PATIENCE)
    process = int((tmp_path / "pid").read_text())
    try:
        eventually(lambda: "is ready" in (tmp_path / "log").read_text())
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "certs", "log", "pid", "state",
        ]  # fmt: skip
    finally:
        os.kill(process, signal.SIGTERM)
        eventually(lambda: not Path(f"/proc/{process}").exists())
