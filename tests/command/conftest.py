"""Fixtures that tests of the command share."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from livechat.command.main import _parser, main
from tests.command.fake import Fake


class Ran(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]
#: Makes the parser of command lines once: that takes longer than most commands.
PARSER = cache(_parser)


@pytest.fixture(autouse=True)
def one_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of a test share a parser."""
    monkeypatch.setattr("livechat.command.main._parser", PARSER)


@pytest.fixture(autouse=True)
def system_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system trusts nobody: to load its authorities costs more than most commands."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    running = Fake(tmp_path)
    yield running
    running.close()


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command on the state directory of the test."""

    def run(*words: str, stdin: str = "", **environment: str) -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        given = {"LIVECHAT_STATE": str(tmp_path / "state"), **environment}
        code: object
        try:
            code = main(words, given)
        except SystemExit as ended:
            code = ended.code
        return Ran(int(str(code)), *capsys.readouterr())

    return run
