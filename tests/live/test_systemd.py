"""Under systemd's own tools, as far as they run without systemd as process 1."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import (
    PATIENCE,
    ROOT,
    TWISTD,
    Daemon,
    eventually,
    links,
    rest,
    tool,
    trusting,
)
from tests.live.kept import Kept
from tests.support import request

#: The most that `systemd-analyze security` may find, in tenths: the unit has 1.1.
EXPOSURE = 12


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    made = Manager(tmp_path_factory.mktemp("manager") / "notify")
    yield made
    made.close()


class Manager:
    """The service manager's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._heard: Queue[str] = Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        # The socket has room for ten messages; the daemon drops what finds none.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while message := self._socket.recv(4_096):
            self._heard.put(message.decode().replace("\n", " "))

    def wait_for(self, pattern: str) -> str:
        """The next message that matches."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                heard = self._heard.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no message has {pattern!r}") from None
            if re.search(pattern, heard):
                return heard

    def close(self) -> None:
        self._socket.sendto(b"", str(self.path))
        self._reader.join()
        self._socket.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, manager: Manager) -> Iterator[Kept]:
    """A daemon that systemd-socket-activate has started."""
    variables = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "1000000"}
    with Kept(tmp_path_factory.mktemp("kept"), variables=variables) as running:
        running.log.wait_for("is ready")
        yield running


def get(port: int, path: str) -> bytes:
    """The answer, whose bytes may have waited at the socket."""
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
    peer = trusting().wrap_socket(plain, server_hostname="localhost")
    peer.sendall(request("GET", path, Connection="close"))
    return rest(peer, 2 * PATIENCE)


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """Systemd understands them, and finds little that they leave open."""
    for unit in ("livechat.service", "livechat.socket"):
        text = (ROOT / "deploy" / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/opt/livechat/bin", str(Path(TWISTD).parent)))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    assert tool("systemd-analyze", "verify", *units) == ""
    analysed = ("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}")
    assert " OK " in tool(*analysed, units[0])


def test_started_with_the_port_in_hand(kept: Kept, manager: Manager) -> None:
    """A daemon serves at the socket handed to it, tells systemd, and the command finds it."""
    assert f"at https://localhost:{kept.port}/" in kept.log.text
    assert "systemd keeps the sockets" in kept.log.text
    assert manager.wait_for("READY=1") == "READY=1 STATUS=0 members in 0 rooms."
    assert b"200 OK" in get(kept.port, "/readyz")
    manager.wait_for("WATCHDOG=1")
    state = kept.directory / "state"
    assert tool(str(Path(TWISTD).with_name("livechat")), "--state", str(state), "check", "--alive")


def test_a_reload_is_told_to_systemd(kept: Kept, manager: Manager) -> None:
    """SIGHUP is a reload, whose beginning and end systemd is told."""
    assert kept.process is not None
    kept.process.send_signal(signal.SIGHUP)
    assert re.fullmatch(r"RELOADING=1 MONOTONIC_USEC=\d+", manager.wait_for("RELOADING"))
    assert manager.wait_for("READY=1") == "READY=1"


def test_no_workers_to_renew(kept: Kept) -> None:
    """SIGUSR2 is answered in words, and does nothing."""
    assert kept.process is not None
    kept.process.send_signal(signal.SIGUSR2)
    kept.log.wait_for("SIGUSR2 is ignored: it renews workers, and this livechat has none")


def test_restarted_under_its_socket(kept: Kept, manager: Manager) -> None:
    """A connection that comes while nothing runs waits, and is served by the next one."""
    before = kept.log.text
    assert kept.stop() == 0
    assert manager.wait_for("STOPPING=1").startswith("STOPPING=1 STATUS=Stopping")
    plain = socket.create_connection(("127.0.0.1", kept.port), PATIENCE)
    kept.start()
    peer = trusting().wrap_socket(plain, server_hostname="localhost")
    peer.sendall(request("GET", "/healthz", Connection="close"))
    assert b"200 OK" in rest(peer)
    manager.wait_for("READY=1")
    assert "Traceback" not in before + kept.log.text


def test_workers_share_it(tmp_path: Path) -> None:
    """All workers accept at the socket; the supervisor tells systemd when all of them serve."""
    manager = Manager(tmp_path / "notify")
    with (
        RedisServer(tmp_path / "redis") as redis,
        Kept(
            tmp_path / "kept",
            f"--redis={redis.url}",
            "--workers=2",
            variables={"NOTIFY_SOCKET": str(manager.path)},
        ) as kept,
    ):
        kept.log.wait_for("is ready, with 2 workers")
        manager.wait_for("READY=1 STATUS=0 members at 2 of 2 workers")
        assert kept.process is not None
        pid = kept.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        inode = os.fstat(kept.descriptor).st_ino
        for child in children:
            assert f"socket:[{inode}]" in links(int(child))
        assert b"200 OK" in get(kept.port, "/readyz")
        kept.process.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        assert manager.wait_for("READY=1") == "READY=1"
        assert kept.stop() == 0
        manager.wait_for("STOPPING=1")
    manager.close()


def test_a_socket_of_a_wrong_kind(tmp_path: Path) -> None:
    """A datagram socket is refused in one line."""
    path = f"PATH={os.environ['PATH']}"
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    listening.close()
    command = (
        "systemd-socket-activate", "--datagram", f"--listen=127.0.0.1:{port}",
        f"--setenv={path}", TWISTD, "--nodaemon", "--pidfile=", "livechat",
    )  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        knock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

        def ended() -> bool:
            knock.sendto(b"x", ("127.0.0.1", port))
            return process.poll() is not None

        eventually(ended)
        knock.close()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "livechat: LISTEN_FDS: descriptor 3 is a datagram socket; it must be" in (out + err)
    assert list(tmp_path.iterdir()) == []


def test_load_balancers_hear_before_the_port_closes(start: Callable[..., Daemon]) -> None:
    """Load balancers hear that nobody should come, while connections are still taken."""
    daemon = start("--linger=60")
    # Readiness is logged a moment before signals are handled.
    assert b"200 OK" in get(daemon.port, "/readyz")
    daemon.terminate()
    daemon.log.wait_for("Connections are taken for 60 seconds more")
    answer = get(daemon.port, "/readyz")
    assert b" 503 " in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == (
        "Not ready: the server is about to stop."
    )
    assert b"200 OK" in get(daemon.port, "/healthz")
    with daemon.socket() as member:
        member.send('{"message": "late"}')
        assert json.loads(member.recv())["message"] == "late"
