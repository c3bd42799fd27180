"""
The Autobahn|Testsuite against the port (`tests.tools.echo`): every functional case is right.

The suite needs Python 2.7.  Without it the test is reported as not run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import PATIENCE, ROOT, Output

SUITE = "autobahntestsuite==25.10.1"
#: Cases of RFC 6455 itself; 9 is limits and speed, 12 and 13 compression, which is not offered.
FUNCTIONAL = {"1", "2", "3", "4", "5", "6", "7", "10"}
RIGHT = {"OK", "INFORMATIONAL"}


@pytest.fixture(scope="module")
def wstest() -> Path:
    """The suite's program, in an environment of its own that is made once."""
    python = shutil.which("python2.7")
    usable = python and subprocess.run([python, "--version"], check=False, capture_output=True)
    if not usable or usable.returncode:
        pytest.skip("THE AUTOBAHN TESTSUITE DID NOT RUN: there is no Python 2.7 here.")
    place = ROOT / ".soak" / "autobahn"
    program = place / "bin" / "wstest"
    if not program.exists():
        for command in (
            [str(python), "-m", "pip", "install", "--quiet", "--user", "virtualenv<20.22"],
            [str(python), "-m", "virtualenv", "--quiet", str(place)],
            [str(place / "bin" / "pip"), "install", "--quiet", SUITE],
        ):
            subprocess.run(command, check=True, timeout=300)
    return program


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    """Run the echo; yield its port."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.tools.echo", "--port=0", "--rate=0", "--rate-per-ip=0"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = Output(process.stdout.fileno())
    try:
        yield output.wait_for(r"https://localhost:(\d+)/")[1]
        assert "Traceback" not in output.text
    finally:
        process.terminate()
        process.wait(PATIENCE)
        output.close()
        process.stdout.close()


def test_autobahn_suite_w1(wstest: Path, port: str, tmp_path: Path) -> None:
    """W-1: all functional cases are right, and those of limits; none of the others fails."""
    (tmp_path / "spec.json").write_text(
        json.dumps(
            {
                "outdir": "reports",
                "servers": [
                    {
                        "agent": "livechat",
                        "url": f"wss://127.0.0.1:{port}/ws/chat/echo/",
                        "options": {"version": 18},
                    }
                ],
                "cases": ["*"],
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    subprocess.run(
        [str(wstest), "-m", "fuzzingclient", "-s", "spec.json"],
        cwd=tmp_path,
        check=True,
        timeout=900,
        capture_output=True,
    )
    found = json.loads((tmp_path / "reports" / "index.json").read_text())["livechat"]
    functional = {case: each for case, each in found.items() if case.split(".")[0] in FUNCTIONAL}
    assert (len(found), len(functional)) == (517, 247)
    wrong = {
        case: each
        for case, each in functional.items()
        if {each["behavior"], each["behaviorClose"]} - RIGHT
    }
    assert wrong == {}
    assert {each["behavior"] for each in found.values()} <= RIGHT | {"UNIMPLEMENTED"}
    assert all(
        case.split(".")[0] in {"12", "13"}
        for case, each in found.items()
        if each["behavior"] == "UNIMPLEMENTED"
    )
