"""The library static/client/: its own tests in Node.js, its types, its size."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.live.daemon import CHEAP, ROOT, TWISTD, tool
from tests.live.forking import forks_on_demand

CLIENTS = ROOT / "tests" / "clients"
LIBRARY = sorted((ROOT / "static" / "client").glob("*.js"))
TESTS = (
    "livechat.test.mjs", "scripted.test.mjs", "scenarios.test.mjs", "token.test.mjs",
    "moderation.test.mjs", "reading.test.mjs", "texts.test.mjs",
)  # fmt: skip
#: Bytes that it may have when it is minified and compressed.
LARGEST = 10_752


def test_the_library_passes_its_tests_in_node() -> None:
    """Node's test runner, with a real daemon, and with a server that plays."""
    environment = {**os.environ, **CHEAP}
    command = [TWISTD, "--nodaemon", "--pidfile=", "livechat"]
    with forks_on_demand(command, environment) as port, ExitStack() as until_over:
        # The tests wait most of the time, so they run in parallel.
        running = [
            until_over.enter_context(
                subprocess.Popen(
                    ["node", "--no-warnings", "--test", file],
                    cwd=CLIENTS,
                    env={**environment, "DAEMONS": str(port)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            for file in TESTS
        ]
        for process in running:
            report, _ = process.communicate(timeout=120)
            assert process.returncode == 0, report
            assert int(re.findall(r"# pass (\d+)", report)[0]) >= 14, report


def test_typescript_accepts_the_types() -> None:
    """TypeScript finds nothing wrong with it and its types, the chat page, and who uses them."""
    tool(str(CLIENTS / "node_modules" / ".bin" / "tsc"), "-p", str(CLIENTS / "tsconfig.json"))


def test_the_library_is_small(capsys: pytest.CaptureFixture[str]) -> None:
    """The library is small, without the part that is loaded when WebSockets are blocked."""
    terser = str(CLIENTS / "node_modules" / ".bin" / "terser")
    sizes, late = {}, set()
    for path in LIBRARY:
        small = tool(terser, str(path), "--module", "--compress", "--mangle").strip().encode()
        sizes[path.name] = len(gzip.compress(small, mtime=0))
        imported = set(re.findall(rb'from"\./([^"]+)"', small))
        later = re.findall(rb'import\("\./([^"]+)"\)', small)
        assert imported | set(later) <= {each.name.encode() for each in LIBRARY}
        late |= {each.decode() for each in later}
        known = len(imported) + len(later) + small.count(b"import.meta")
        assert small.count(b"import") == known
    assert late == {"livechat-events.js"}
    total = sum(size for name, size in sizes.items() if name not in late)
    with capsys.disabled():
        sys.stdout.write(
            f"\nlivechat.js, minified and gzipped: {total} bytes, of {LARGEST}: {sizes}\n"
        )
    assert total <= LARGEST
