"""`livechat.system.ending`, of real processes; their orderly end is in `tests.live.test_life`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.backends.redis.server import RedisServer
from tests.live.daemon import PATIENCE


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
