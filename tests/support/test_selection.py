"""`tests.support.selection`: `make check` starts no daemon, browser or npm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.selection import Selection

ROOT = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of tests, of which one module starts processes."""
    made = tmp_path / "tests"
    for path, text in {
        "__init__.py": "",
        "daemon.py": "import asyncio.subprocess\nfrom subprocess import Popen\n",
        "helper.py": "from tests.daemon import start\n",
        "support.py": "import json\n",
        "test_direct.py": "import subprocess\n",
        "test_far.py": "def test():\n    from tests import helper\n",
        "test_near.py": "import tests.support\n",
        "live/__init__.py": "",
        "live/conftest.py": "from tests.helper import daemon\n",
        "live/test_fixture.py": "def test(daemon): ...\n",
    }.items():
        (made / path).parent.mkdir(exist_ok=True, parents=True)
        (made / path).write_text(text)
    return made


@pytest.mark.parametrize(
    ("test", "starts"),
    [
        ("test_direct.py", True),
        ("test_far.py", True),
        ("test_near.py", False),
        ("live/test_fixture.py", True),
    ],
)
def test_imports_decide(root: Path, test: str, starts: bool) -> None:
    """A test that can reach a daemon is found, however far away that is."""
    assert Selection(root).starts_processes(root / test) is starts


def test_live_tests_start_processes() -> None:
    """All live tests start processes; those of one module do not."""
    selection = Selection(ROOT)
    for test in (*ROOT.glob("live/test_*.py"), *ROOT.glob("soak/test_*.py")):
        assert selection.starts_processes(test), test
    assert selection.starts_processes(ROOT / "backends/redis/test_rights.py")
    for folder in ("net", "rooms", "web", "http", "limits", "identity", "members", "protocol"):
        for test in ROOT.glob(f"{folder}/test_*.py"):
            # A C compiler, what it made, Node.js and other Pythons are processes.
            programs = {"test_activation.py", "test_bundles.py", "test_sanitizers.py"}
            expected = test.name in programs
            assert selection.starts_processes(test) == expected, test
