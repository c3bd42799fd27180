"""`livechat.command.main`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from livechat import __version__
from tests.command.conftest import Command
from tests.command.fake import Fake, Said

#: As the installed command, which starts no faster than this.
RUN = [sys.executable, "-c", "import sys; from livechat.command.main import main; sys.exit(main())"]


def test_the_version_is_printed(command: Command) -> None:
    assert command("version") == (0, f"livechat {__version__}\n", "")
    assert json.loads(command("version", "--json").out) == {"version": __version__}
    assert json.loads(command("--json", "version").out) == {"version": __version__}


@pytest.mark.parametrize(
    "words",
    [
        [], ["nonsense"], ["token"], ["token", "check"], ["token", "--user"], ["tail"], ["say"],
        ["token", "check", "x", "--user", "1"], ["token", "--user=1", "check", "x"],
        ["key"], ["key", "add"], ["key", "drop"], ["operator", "add", "ann"],
        ["operator", "list", "x"],
        ["token", "--user=1", "--for", "0"], ["token", "--user=1", "--for=soon"], ["backup"],
        ["tail", "r", "--last=x"], ["key", "add", "x", "--rate=fast"], ["version", "--serv=x"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_command_lines_that_are_none(command: Command, words: list[str]) -> None:
    """These are told with how it goes, and the exit code 2."""
    ran = command(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "usage: livechat" in ran.err


@pytest.mark.parametrize("words", [["--help"], ["token", "--help"], ["key", "add", "--help"]])
def test_the_help_is_printed(command: Command, words: list[str]) -> None:
    assert command(*words).out.startswith("usage: livechat")


def test_an_error_is_one_line_with_an_exit_code(command: Command) -> None:
    """Errors are one line, and the exit code is 1."""
    ran = command("key", "list")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("livechat: no livechat has run with the state directory")


def test_where_options_stand(fake: Fake, command: Command) -> None:
    """Options of all commands stand before or behind a command's name."""
    fake.answers = [Said({"keys": []})]
    state = str(fake.state)
    for words in (
        ("--state", state, "key", "list"),
        ("key", "--state", state, "list"),
        ("key", "list", "--state", state),
    ):
        assert command(*words, LIVECHAT_STATE="/nowhere").code == 0


def test_a_reader_that_has_enough(fake: Fake) -> None:
    """A closed pipe is nothing to complain about."""
    line = b'data: {"type":"message","message":"x","seq":1,"time":1}\n\n'
    fake.answers = [Said(line * 10_000)]
    command = subprocess.Popen(
        [*RUN, "tail", "r", "--last=0", f"--state={fake.state}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.readline()
    command.stdout.close()
    assert command.wait(20) == 1
    assert command.stderr.read() == b""
    command.stderr.close()


def test_control_c_ends_the_command_quietly(fake: Fake) -> None:
    """The command ends quietly, as a program that was interrupted."""
    fake.answers = [Said(b'data: {"type":"message","message":"x","seq":1,"time":1}\n\n')]
    with subprocess.Popen(
        # A shell's background jobs, which tests may be, ignore SIGINT.
        ["env", "--default-signal=INT", *RUN, "tail", "r", "--last=0", f"--state={fake.state}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.readline()
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 130
        assert b"Traceback" not in command.stderr.read()


def test_nothing_heavy_is_imported() -> None:
    """Commands that ask a server need no Twisted: they start in a moment."""
    script = (
        "import sys; from livechat.command.main import main; main(['version']);"
        "main(['check', '--alive', '--state=/nowhere']);"
        "print({'twisted.internet', 'autobahn', 'jinja2'} & sys.modules.keys())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.splitlines()[-1] == "set()"
