"""Commands that documents show can be typed: the words are known, and so are the options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from livechat.command.main import _parser
from livechat.config import options
from livechat.options import flag

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Options of the server, of the program that starts it, and of make.
KNOWN = {flag(option) for option in options()} | {"pidfile", "nodaemon", "rundir", "help"}
#: What stands before the words of the command.
COMMAND = re.compile(r"(?:sudo |-u livechat )*(?:[./\w]*/)?livechat (?=[a-z-])")


def shown(page: Path) -> Iterator[str]:
    """The commands of a page, a line each, without a prompt."""
    blocks = re.findall(r"^```(sh|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    for language, block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            if language == "sh" or line.startswith("$ "):
                yield line.removeprefix("$ ")


def of_livechat(line: str) -> list[str] | None:
    """The words behind the `livechat` command, if it is one, and before what is not its own."""
    if not (found := COMMAND.match(line)):
        return None
    words = shlex.split(line[found.end() :], comments=True)
    return [*takewhile(lambda word: word not in ("--", ">", "&&"), words)]


def cases() -> list[object]:
    found = [(page, line, of_livechat(line)) for page in PAGES for line in shown(page)]
    return [
        pytest.param(words, id=f"{page.name}: {line}")
        for page, line, words in found
        if words is not None
    ]


@pytest.mark.parametrize("words", cases())
def test_lines_of_livechat_are_understood(words: list[str]) -> None:
    """The command takes the line, or ends with what it does not know."""
    _parser().parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_that_start_the_server_name_its_options(page: Path) -> None:
    """Lines that start the server name its options."""
    for line in shown(page):
        found = re.search(r'\bmake run ARGS="(.*)"|\btwistd\b(.*)|\blivechat \w+.* -- (.*)', line)
        if found:
            given = set(re.findall(r"(?<!\S)--([a-z-]+)", next(filter(None, found.groups()))))
            assert given <= KNOWN, line


def test_there_are_some() -> None:
    """A change of the documents' form does not end the tests."""
    assert len(cases()) > 30
