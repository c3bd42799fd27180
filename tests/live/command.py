"""`livechat`, the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.live.daemon import PATIENCE, Daemon

LIVECHAT = Path(sys.executable).with_name("livechat")


class Ran(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def livechat(daemon: Daemon, *words: str, stdin: str = "", **environment: str) -> Ran:
    """Run a command on the state directory of *daemon*."""
    given = {"PATH": os.environ["PATH"], "LIVECHAT_STATE": str(daemon.directory / "state")}
    ran = subprocess.run(
        [LIVECHAT, *words], input=stdin, capture_output=True, text=True, timeout=2 * PATIENCE,
        check=False, env=given | environment, cwd=daemon.directory,
    )  # fmt: skip
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def done(daemon: Daemon, *words: str, stdin: str = "") -> str:
    """The output of a command that must end well."""
    ran = livechat(daemon, *words, stdin=stdin)
    assert (ran.code, "Traceback" in ran.err) == (0, False), ran
    return ran.out.rstrip("\n")
