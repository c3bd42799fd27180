"""Schemathesis: what the served description says is what is answered, whatever is asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.live.daemon import Daemon

#: Of each endpoint and method, in each phase.
EXAMPLES = 8
#: An event stream does not end.
ENDLESS = "/chat/events/{room}/"
#: These take a description for the whole truth of what is accepted; docs/conformance.md.
UNFIT = "positive_data_acceptance,negative_data_rejection"


def test_the_description(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """No answer that is not described, no server error, no broken header."""
    daemon = start("--rate=0", "--rate-per-ip=0", "--max-connections-per-ip=0")
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{daemon.url}/openapi.json", "--tls-verify", "false", "--no-color"),
            *("--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing"),
            *("--exclude-path", ENDLESS, "--exclude-checks", UNFIT),
            *("--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    (made, passed) = re.findall(r"(\d+) generated, (\d+) passed", ran.stdout)[0]
    assert int(made) == int(passed) >= EXAMPLES
    assert json.loads(daemon.curl(f"{daemon.url}/healthz"))["status"] == "ok"
