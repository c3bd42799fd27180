"""Schemathesis: what the served description says is what is answered, whatever is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import ROOT, Daemon

#: Requests to each endpoint and method, in each phase.
FEW, MANY = 8, 100
#: An event stream does not end.
ENDLESS = "/chat/events/{room}/"
#: These take a description for the whole truth of what is accepted; docs/conformance.md.
UNFIT = "positive_data_acceptance,negative_data_rejection"


@pytest.mark.parametrize(
    ("phases", "mode", "examples"),
    [
        ("examples,coverage", "positive", FEW),
        pytest.param("examples,coverage", "negative", FEW, marks=pytest.mark.soak),
        pytest.param("fuzzing", "all", MANY, marks=pytest.mark.soak),
    ],
    ids=["valid", "invalid", "fuzzed"],
)
def test_answers_are_those_of_the_description(
    start: Callable[..., Daemon], tmp_path: Path, phases: str, mode: str, examples: int
) -> None:
    """
    No answer that is not described, no server error, no broken header.

    What is invalid is asked here in `make soak` only; `tests.web.test_contract` asks it always.
    """
    daemon = start("--rate=0", "--rate-per-ip=0", "--max-connections-per-ip=0")
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{daemon.url}/openapi.json", "--tls-verify", "false", "--no-color"),
            *("--max-examples", str(examples), "--phases", phases, "--mode", mode),
            *("--exclude-path", ENDLESS, "--exclude-checks", UNFIT),
            *("--generation-database", "none"),
        ],
        cwd=tmp_path,
        # Hypothesis derives tables of all characters, and keeps them there.
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    (made, passed) = re.findall(r"(\d+) generated, (\d+) passed", ran.stdout)[0]
    assert int(made) == int(passed) > 0
    assert json.loads(daemon.curl(f"{daemon.url}/healthz"))["status"] == "ok"
