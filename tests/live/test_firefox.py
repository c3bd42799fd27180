"""The chat page and the embed in Firefox ESR, by WebDriver BiDi: no driver stands in between."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.live.daemon import CHEAP, ROOT, TWISTD
from tests.live.forking import forks_on_demand

#: The browser ends with the test, even if that fails.
NODE = ("node", "--no-warnings", "--test", "--test-force-exit")


@pytest.mark.parametrize(
    ("tests", "count"),
    [
        pytest.param("joins|another site", 2, id="short"),
        pytest.param(".", 5, id="whole", marks=pytest.mark.soak),
    ],
)
def test_firefox_joins_and_sends(tests: str, count: int) -> None:
    """Join, send, another site's page; in `make soak` a restart, no network, no WebSockets."""
    firefox = shutil.which("firefox-esr")
    assert firefox, f"firefox-esr is missing: run {ROOT}/tests/clients/install"
    environment = {**os.environ, **CHEAP, "FIREFOX": firefox}
    with forks_on_demand([TWISTD, "--nodaemon", "--pidfile=", "livechat"], environment) as port:
        ran = subprocess.run(
            [*NODE, f"--test-name-pattern={tests}", "firefox.test.mjs"],
            cwd=ROOT / "tests" / "clients",
            env=environment | {"DAEMONS": str(port)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=150,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout
    assert f"\n# pass {count}\n" in ran.stdout, ran.stdout
