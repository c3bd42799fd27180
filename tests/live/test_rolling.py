"""Workers of another version, which take the place of those that run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from livechat.errors import Close
from tests.backends.redis.server import RedisServer
from tests.live.daemon import CHEAP, TWISTD, Daemon, eventually

#: Python runs it at the start of each process: so other code can be installed under a daemon.
INSTALLED = "sitecustomize.py"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for changed code of processes started later."""
    return tmp_path_factory.mktemp("code")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "redis") as server:
        yield server


@pytest.fixture(scope="module")
def several(
    tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, code: Path
) -> Iterator[Daemon]:
    with Daemon(
        tmp_path_factory.mktemp("several"), f"--redis={redis.url}", "--workers=2", "--drain=6s",
        "--max-connections-per-ip=0",
        twistd=TWISTD, environment={**CHEAP, "PYTHONPATH": str(code)},
    ) as daemon:  # fmt: skip
        daemon.log.wait_for("can be used", 2)
        yield daemon


def serves(daemon: Daemon) -> None:
    with daemon.socket() as member:
        member.send('{"message": "hello"}')
        assert json.loads(member.recv())["message"] == "hello"


def test_code_that_crashes_ends_the_renewal(several: Daemon, code: Path) -> None:
    """The renewal ends with the first new worker, and the old ones serve on."""
    before = several.workers()
    (code / INSTALLED).write_text("import os\nif '_LIVECHAT_FOLLOWS' in os.environ: os._exit(7)")
    several.process.send_signal(signal.SIGUSR2)
    several.log.wait_for("The new worker 1 has ended: exit code 7")
    several.log.wait_for("The renewal ends: the new worker 1 has ended. The workers that are there")
    (code / INSTALLED).unlink()
    assert several.workers() == before
    serves(several)


def test_code_that_cannot_be_imported(several: Daemon, code: Path) -> None:
    """Nothing is started where livechat itself is broken."""
    before = several.workers()
    (code / INSTALLED).write_text("import sys; sys.modules['livechat.daemon.edition'] = None")
    several.process.send_signal(signal.SIGUSR2)
    several.log.wait_for("cannot be asked for its version: it ends: ModuleNotFoundError")
    (code / INSTALLED).unlink()
    assert several.workers() == before


def test_another_layout_needs_a_full_restart(several: Daemon, code: Path) -> None:
    """A version that keeps rooms otherwise needs a full restart, and the log says so."""
    before = several.workers()
    (code / INSTALLED).write_text("import livechat.backends.redis.keys as k; k.FORMAT = b'99'")
    several.process.send_signal(signal.SIGUSR2)
    several.log.wait_for("keeps rooms in layout 99, .*: a full restart is needed")
    (code / INSTALLED).unlink()
    assert several.workers() == before
    serves(several)


def test_workers_ignore_it(several: Daemon) -> None:
    """A signal to all processes of the service does not kill those that serve."""
    before = several.workers()
    os.kill(before[0], signal.SIGUSR2)
    several.log.wait_for(f"SIGUSR2 is ignored: it is for process {several.process.pid}")
    assert several.workers() == before


def test_a_worker_is_killed_while_it_drains(several: Daemon) -> None:
    """A worker killed while it drains loses no client, and the renewal is completed."""
    before = several.workers()
    members = several.members(10, each=3, subprotocols=["livechat.v1"])
    several.process.send_signal(signal.SIGUSR2)
    # A drain of three clients takes four seconds.
    several.log.wait_for(r"\[old worker 1#info\] \d+ clients? .* told to come back")
    several.process.send_signal(signal.SIGUSR2)
    several.log.wait_for("SIGUSR2 is ignored: it is renewing worker 1 of 2 already")
    os.kill(before[0], signal.SIGKILL)
    several.log.wait_for("The old worker 1 has ended: signal 9")
    several.log.wait_for("The old worker 2 has ended: exit code 0")
    several.log.wait_for("All workers are renewed")
    assert len(several.workers()) == 2
    assert not set(several.workers()) & set(before)
    ends = []
    for member in members:
        frames: list[str] = []
        try:
            while True:
                frames.append(member.recv())
        except ConnectionClosed as closed:
            ends.append((closed.rcvd.code if closed.rcvd else None, frames[-1:]))
    told = [frames for code, frames in ends if code == Close.RESTART]
    # The second worker's clients were told; it was not killed.
    assert told
    for (goaway,) in told:
        assert json.loads(goaway) == {"type": "goaway", "retry_ms": 50}
    serves(several)


def test_a_new_worker_waits_for_redis(several: Daemon, redis: RedisServer) -> None:
    """A new worker takes no place, and no connection, before it has a Redis."""
    before = several.workers()
    with several.socket() as member:
        redis.kill()
        several.log.wait_for(r"\[worker \d#error\] .* cannot be used: ", 2)
        several.process.send_signal(signal.SIGUSR2)
        several.log.wait_for(r"\[worker 1#info\] Worker 1 is ready", 3)
        member.send('{"message": "lost"}')
        assert json.loads(member.recv())["error"]["code"] == "unavailable"
        assert set(before) < set(several.workers())
        redis.start()
        several.log.wait_for("All workers are renewed", 2)
        assert not set(several.workers()) & set(before)
        assert member.closed() is not None
    serves(several)


def test_sigterm_during_a_renewal(several: Daemon, code: Path) -> None:
    """All of them end, the new one too, and nothing is left behind."""
    # The new worker is never ready.
    waits = "import os, signal\nif '_LIVECHAT_FOLLOWS' in os.environ: signal.pause()"
    (code / INSTALLED).write_text(waits)
    several.process.send_signal(signal.SIGUSR2)
    several.log.wait_for("2 workers are renewed", 4)
    eventually(lambda: len(several.workers()) == 3)
    workers = several.workers()
    assert several.stop() == 0
    several.log.wait_for("The renewal of workers ends here: livechat stops")
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert "it is started again" not in several.log.text
