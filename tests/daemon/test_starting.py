"""`livechat.daemon.starting`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.live.daemon import CHEAP, ROOT

#: Starts a daemon on SQLite as twistd does, without keys, and tells what it has imported.
PROGRAM: Final = """
import json, sys
from twisted.internet import reactor
from livechat.command_line import Options
from livechat.service import makeService
from livechat.web import files
from livechat.web.html import folder
options = Options()
options.parseOptions(["--port=0"])
service = makeService(options)
service.startService()
print(json.dumps([sorted(sys.modules), "_made" in vars(files.read(folder("static")))]))
"""
#: Modules for which most starts would wait in vain.
NOT_NEEDED: Final = (
    "jwt",
    "jinja2",
    "livechat.backends.redis",
    "livechat.command",
    "twisted.plugins.twisted_trial",
    "twisted.trial",
    "twisted.conch",
    "txredisapi",
    "hiredis",
)


def test_start_without_keys(tmp_path: Path) -> None:
    """A start imports only what it needs, and bundles no scripts: clients wait for it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=CHEAP, check=True, capture_output=True
    )
    modules, bundled = json.loads(done.stdout.splitlines()[-1])
    assert "livechat.backends.sqlite.backend" in modules
    unwanted = {
        each for each in modules if any(f"{each}.".startswith(f"{no}.") for no in NOT_NEEDED)
    }
    assert unwanted == set()
    assert not bundled
    # Hundreds of daemons are forked in tests: none of them is to import what the last one did.
    known = subprocess.run(
        [sys.executable, "-c", "import sys, tests.live.template; print(*sys.modules)"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert {each for each in modules if each.startswith("livechat.")} <= {*known.stdout.split()}
