"""The load generator of the benchmark, at a test's daemon."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Final

from tests.live.daemon import ROOT, Daemon

LOADGEN: Final = ROOT / "bench" / "loadgen"


def load(daemon: Daemon, *options: str) -> dict[str, Any]:
    """Run the load generator and return its report: losses, duplicates, disconnects, ..."""
    subprocess.run(["make", "--silent", "-C", str(LOADGEN)], check=True)
    url = f"--url=wss://127.0.0.1:{daemon.port}/ws/chat/room{{r}}/"
    ran = subprocess.run(
        [str(LOADGEN / "build" / "loadgen"), url, *options],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found
