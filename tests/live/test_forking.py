"""`tests.live.forking`: a fork is a daemon like one that has been started by exec."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.command import LIVECHAT, command
from tests.live.daemon import TWISTD, Daemon, eventually
from tests.live.forking import PROGRAM, Forked, template
from tests.live.workers import WORKERS, ready


def kinds(daemon: Daemon, worker: int | None = None) -> list[str]:
    """Kinds of open files, without numbers and names of directories."""
    return sorted(re.sub(r"\d+|/.*/", "", each) for each in daemon.links(worker))


def test_a_fork_is_like_the_program(tmp_path: Path) -> None:
    """A fork has the same files open as the program, and logs the same."""
    with Daemon(tmp_path / "one") as fork, Daemon(tmp_path / "two", twistd=TWISTD) as program:
        assert isinstance(fork.process, Forked)
        assert not isinstance(program.process, Forked)
        for each in (fork, program):
            each.curl(f"{each.url}/healthz")  # its reactor runs
        said = [
            re.sub(r"\S+T\S+|:\d+|on \d+|/\S+/(one|two)/", "", each.log.text)
            for each in (fork, program)
        ]
        assert said[0] == said[1]
        eventually(lambda: kinds(fork) == kinds(program))


def is_fork(worker: int) -> bool:
    return PROGRAM.name in Path(f"/proc/{worker}/cmdline").read_text()


def test_first_workers_are_forks(redis: RedisServer, tmp_path: Path) -> None:
    """
    The first workers are forks, and have the same files open as one that exec started: the one
    that comes when the first was killed.
    """
    with Daemon(tmp_path, f"--redis={redis.url}", f"--workers={WORKERS}") as daemon:
        ready(daemon)
        first, second = daemon.workers()
        assert is_fork(first)
        assert is_fork(second)
        os.kill(first, signal.SIGKILL)
        daemon.log.wait_for(r"\[worker 1#info\].* Redis at \S+ can be used", 2)
        (program,) = {*daemon.workers()} - {second}
        assert not is_fork(program)
        eventually(lambda: kinds(daemon, program) == kinds(daemon, second))


def test_a_forked_command_is_like_the_program(tmp_path: Path) -> None:
    """A command that is forked writes what the program writes, and ends with its exit code."""
    for words in (["version"], ["tail", "r", "--state", "/nowhere"], ["nothing"]):
        ran = subprocess.run([LIVECHAT, *words], capture_output=True, text=True, check=False)
        assert command(words, tmp_path, {}) == (ran.returncode, ran.stdout, ran.stderr)


def own(daemon: Daemon) -> set[str]:
    """Pipes and sockets that no other process has, by their numbers."""
    return {each for each in daemon.links() if re.match("(pipe|socket):", each)}


def test_no_pipe_is_shared(tmp_path: Path) -> None:
    """Each fork has a reactor of its own, which nothing wakes but what is its own."""
    with Daemon(tmp_path / "one") as one, Daemon(tmp_path / "two") as two:
        assert own(one)
        assert not own(one) & own(two)


def test_no_secret_is_shared(tmp_path: Path) -> None:
    """Secrets and keys are each fork's own, though one process has imported what makes them."""
    for name in ("one", "two"):
        with Daemon(tmp_path / name) as daemon:
            daemon.curl("-d", "message=x", f"{daemon.url}/chat/send/")
    for file in ("state/admin-password", "certs/livechat.key"):
        assert (tmp_path / "one" / file).read_text() != (tmp_path / "two" / file).read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_exit_code_of_a_fork_stays_known(tmp_path: Path, number: signal.Signals) -> None:
    """The exit code stays known after the end, and a later signal goes to nobody."""
    daemon = Daemon(tmp_path)
    daemon.curl(f"{daemon.url}/healthz")  # it takes signals
    assert daemon.process.poll() is None
    # Else `stop` sends a second SIGTERM, perhaps after Python has put back the default action.
    if number == signal.SIGTERM:
        daemon.terminate()
    else:
        daemon.process.send_signal(number)
    for _ in range(2):
        assert daemon.stop() == (0 if number == signal.SIGTERM else -number)
    assert daemon.process.poll() == daemon.process.returncode
    daemon.process.send_signal(number)
    assert not Path(f"/proc/{daemon.process.pid}").exists()


@pytest.mark.parametrize(
    ("variables", "suits"),
    [
        ({"LIVECHAT_MAX_MESSAGE": "3", "RUNTIME_DIRECTORY": "/nowhere"}, True),
        ({"PYTHONPATH": "/nowhere"}, True),
        ({"PYTHONHASHSEED": "0"}, False),
        ({"prometheus_multiproc_dir": "/nowhere"}, False),
        ({"PATH": None}, False),
    ],
)
def test_other_imports_need_a_fresh_process(variables: dict[str, str | None], suits: bool) -> None:
    """Other variables for imports need a fresh process, not a fork."""
    given = {**os.environ, **variables}
    assert template().suits({name: text for name, text in given.items() if text is not None}) == (
        suits
    )
