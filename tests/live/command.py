"""`livechat`, the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from tests.live.daemon import PATIENCE, Daemon
from tests.live.forking import template

LIVECHAT = Path(sys.executable).with_name("livechat")


class Ran(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def command(words: Sequence[str], directory: Path, given: Mapping[str, str], said: str = "") -> Ran:
    """
    Run a command in a fork of a process that has imported all of it: most of its time goes there.

    @param given: its environment, all of it but for PATH.
    @param said: what it reads.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(TemporaryFile()) for _ in range(3)]
        files[0].write(said.encode())
        files[0].seek(0)
        environment = {"PATH": os.environ["PATH"], **given}
        numbers = [each.fileno() for each in files]
        process = template().say(words, directory, environment, *numbers)
        try:
            code = process.wait(2 * PATIENCE)
        finally:
            process.kill()
        for each in files:
            each.seek(0)
        out, err = (each.read().decode() for each in files[1:])
    return Ran(code, out, err)


def livechat(daemon: Daemon, *words: str, stdin: str = "", **environment: str) -> Ran:
    """Run a command on the state directory of *daemon*."""
    given = {"LIVECHAT_STATE": str(daemon.directory / "state"), **environment}
    return command(words, daemon.directory, given, stdin)


def done(daemon: Daemon, *words: str, stdin: str = "") -> str:
    """The output of a command that must end well."""
    ran = livechat(daemon, *words, stdin=stdin)
    assert (ran.code, "Traceback" in ran.err) == (0, False), ran
    return ran.out.rstrip("\n")
