"""The C part under AddressSanitizer and UndefinedBehaviorSanitizer: ``make sanitize``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from livechat.net import fast
from tests.net.sanitized import build, environment

ROOT = Path(__file__).parents[2]
SOURCES = Path(fast.__file__).parent
#: The tests of the C part, in memory and on pairs of sockets.
TESTS = (
    "tests/net/test__slow.py", "tests/net/test_fast.py", "tests/net/test_turn.py",
    "tests/rooms/test_lanes.py",
)  # fmt: skip


def python(made: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, *arguments),
        cwd=ROOT, env=environment(made), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C part, built with the sanitizers."""
    path = tmp_path_factory.mktemp("sanitized") / "_fast.abi3.so"
    build(SOURCES, path)
    return path


def test_sanitizers_find_no_fault_in_c(made: Path) -> None:
    """The native part's own tests find no misused memory and no undefined behaviour in C."""
    tests = ("-m", "pytest", "-q", "-x", "-p", "no:xdist", "-p", "tests.net.sanitized")
    ran = python(made, *tests, "-k", "not pure", *TESTS)
    assert ran.returncode == 0, ran.stdout[-8_000:] + ran.stderr[-8_000:]


def test_that_faults_are_found(tmp_path: Path) -> None:
    """A byte too many ends the tests, so that the sanitizers do look."""
    for path in SOURCES.glob("_*.[ch]"):
        shutil.copy(path, tmp_path)
    broken = tmp_path / "_fast.c"
    source = broken.read_text()
    line = "    gather(writes,"
    assert source.count(line) == 1
    broken.write_text(source.replace(line, "    writes[count].sent = 1;\n" + line))
    made = tmp_path / "_fast.abi3.so"
    build(tmp_path, made)
    code = "import tests.net.sanitized as s; s.pytest_configure()\n"
    code += "from livechat.net._fast import write_all; write_all([None], b'x', 0, 1)"
    ran = python(made, "-c", code)
    assert ran.returncode != 0
    assert "heap-buffer-overflow" in ran.stderr
