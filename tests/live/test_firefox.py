"""The chat page and the embed in Firefox ESR, by WebDriver BiDi: no driver stands in between."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.live.daemon import CHEAP, ROOT, TWISTD
from tests.live.forking import forks_on_demand

#: The browser ends with the test, even if that fails.
NODE = ("node", "--no-warnings", "--test", "--test-force-exit")


def test_in_firefox() -> None:
    """Join, send, a restart, no network, another site's page, and no WebSockets."""
    firefox = shutil.which("firefox-esr")
    assert firefox, f"firefox-esr is missing: run {ROOT}/tests/clients/install"
    environment = {**os.environ, **CHEAP, "FIREFOX": firefox}
    with forks_on_demand([TWISTD, "--nodaemon", "--pidfile=", "livechat"], environment) as port:
        ran = subprocess.run(
            [*NODE, "firefox.test.mjs"],
            cwd=ROOT / "tests" / "clients",
            env=environment | {"DAEMONS": str(port)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=150,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout
    assert "\n# pass 5\n" in ran.stdout, ran.stdout
