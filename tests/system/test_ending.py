"""`livechat.system.ending`, of real processes; their orderly end is in `tests.live.test_life`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import PATIENCE


@pytest.mark.parametrize(("pid", "code"), [("1", 143), ("own", -signal.SIGTERM)])
def test_sigterm_before_the_reactor_runs(pid: str, code: int) -> None:
    """A container's first process ends too; others are left to the signal's default."""
    script = (
        "import os, signal; from livechat.system.ending import heed_sigterm_as_first\n"
        f"own = os.getpid(); os.getpid = lambda: {pid}; heed_sigterm_as_first()\n"
        "os.kill(own, signal.SIGTERM)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code


def test_a_process_that_must_not_run(tmp_path: Path) -> None:
    """A process that must not run logs one line, and exits with an error."""
    with RedisServer(tmp_path / "redis") as redis:
        redis.ask("SET", "shop:{!}:format", "x" * 1_000)
        ended = subprocess.run(
            [
                str(Path(sys.executable).with_name("twistd")),
                *("--nodaemon", "--pidfile=", "livechat", "--port=0"),
                *(f"--redis={redis.url}", "--redis-prefix=shop"),
            ],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        kept = redis.ask("KEYS", "*").split()
    assert ended.returncode == 1, ended.stdout
    (line,) = (line for line in ended.stdout.splitlines() if "does not run" in line)
    assert "its rooms are in layout xxx" in line
    assert len(line) < 400
    assert "Traceback" not in ended.stdout
    assert kept == ["shop:{!}:format"]
