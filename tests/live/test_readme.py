"""The README: its commands do what it says, and its tables are the truth."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.config import flag, options, variable
from livechat.errors import Close
from tests.live.daemon import PATIENCE, ROOT, Daemon, Output, Wscat, tool

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a program, each with the lines that are shown under it."""
    for block in blocks("console"):
        for shown in block.split("$ ")[1:]:
            command, *lines = shown.splitlines()
            if command.startswith(f"{program} "):
                yield command, lines


def parsed(text: str) -> Any:
    """JSON without what differs from run to run."""
    value = json.loads(text)
    for item in value.get("chat_history", ()):
        assert item.pop("time") > 1_700_000_000_000
    return value


def test_console(start: Callable[..., Daemon]) -> None:
    """Every wscat and curl line prints what is shown under it."""
    daemon = start()
    ran = 0
    for command, lines in commands("wscat"):
        words = shlex.split(command)
        assert words[:2] == ["wscat", "-c"]
        assert words[2].startswith("wss://localhost:10443/ws/chat/")
        with Wscat(daemon, words[2].split("/")[5], *words[3:]) as client:
            heard = []
            for line in lines:
                if line.startswith("> "):
                    client.says(line[2:])
                elif line.startswith("< "):
                    heard.append(json.loads(line[2:]))
                    assert client.hears(len(heard)) == heard
                else:
                    assert line.split()[0] in client.output.text
                ran += 1
    for command, lines in commands("curl"):
        words = shlex.split(command.replace(":10443", f":{daemon.port}"))
        assert parsed(tool(*words, "-sS")) == parsed("".join(lines))
        ran += 1
    assert ran >= 10


def test_options() -> None:
    """The table has every option, with its variable, default and meaning."""
    for option in options():
        default = option.metadata["default"]
        shown = f"`{default}`" if default else ""
        option_shown = "" if option.metadata["secret"] else f"`--{flag(option)}`"
        row = f"| {option_shown} | `{variable(option)}` | {shown} | {option.metadata['doc']} |"
        assert row in README
    assert README.count("| `LIVECHAT_") == len(options())
    mentioned = set(re.findall(r"--([a-z][a-z-]+)", "\n".join(blocks("sh"))))
    of_others = {"nodaemon", "help", "now", "rundir", "pidfile"}
    assert mentioned <= {flag(option) for option in options()} | of_others


def test_close_codes() -> None:
    """The table of close codes has all that livechat sends."""
    table = README[README.index("| the socket closes with") :]
    for code in (*Close, 1002, 1007):
        assert re.search(rf"^\| (\d+, )?{int(code)}\b", table, re.MULTILINE), code


@pytest.mark.parametrize(
    "file", [*re.findall(r"\]\((?!https|#)([^)]+)\)", README), "deploy/livechat.service"]
)
def test_files(file: str) -> None:
    """What it points to is there."""
    assert (ROOT / file).exists()


def test_make_targets() -> None:
    """The commands that it shows are make's."""
    for target in re.findall(r"^make (\w+)", "".join(blocks("sh")), re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_run(tmp_path: Path) -> None:
    """`make run` serves."""
    arguments = f"ARGS=--port=0 --state={tmp_path}"
    process = subprocess.Popen(
        ["make", "run", f"VENV={sys.prefix}", arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = Output(process.stdout.fileno())
    try:
        port = output.wait_for(r"https://localhost:(\d+)/")[1]
        output.wait_for("is ready")
        assert json.loads(tool("curl", "-sSk", f"https://localhost:{port}/readyz"))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)
        output.close()
        process.stdout.close()
