"""The load generator's files depend one way: on floors below their own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.bench.loadgen.running import DIRECTORY

#: A floor in README.md: a row whose first cell has its files.
FLOOR = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \|", re.MULTILINE)
#: A symbol in what nm prints: its type, and its name. An U is undefined, to be found elsewhere.
SYMBOL = re.compile(r"^[\da-f ]{16} ([A-Zuvw]) (\w+)$", re.MULTILINE)
INCLUDE = re.compile(r'^#include "(\w+)\.h"$', re.MULTILINE)


def floors() -> list[list[str]]:
    """The floors as README.md shows them, the lowest first."""
    text = (DIRECTORY / "README.md").read_text()
    section = text[text.index("\n## The files") :].split("\n## ", 2)[1]
    return [re.findall(r"`(\w+)`", row) for row in FLOOR.findall(section)][::-1]


FLOORS = {name: number for number, names in enumerate(floors()) for name in names}
SOURCES = sorted(DIRECTORY.glob("*.[ch]"))


def symbols(name: str) -> dict[str, str]:
    """The global symbols of an object file, with their types."""
    done = subprocess.run(
        ["nm", DIRECTORY / "build" / f"{name}.o"], capture_output=True, text=True, check=True
    )
    return {symbol: kind for kind, symbol in SYMBOL.findall(done.stdout)}


def test_every_file_has_one_floor() -> None:
    named = [name for names in floors() for name in names]
    assert sorted(named) == sorted({path.stem for path in SOURCES})


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_includes_go_down(path: Path) -> None:
    for included in INCLUDE.findall(path.read_text()):
        below = FLOORS[included] < FLOORS[path.stem]
        assert below or (included == path.stem and path.suffix == ".c"), included


def test_symbols_go_down() -> None:
    """No object file calls a function, or uses a variable, of its own floor or one above."""
    found = {name: symbols(name) for name in FLOORS if (DIRECTORY / f"{name}.c").exists()}
    owners = {
        symbol: name
        for name, kinds in found.items()
        for symbol, kind in kinds.items()
        if kind != "U"
    }
    used = [
        (name, symbol, owners[symbol])
        for name, kinds in found.items()
        for symbol, kind in kinds.items()
        if kind == "U" and symbol in owners
    ]
    assert ("main", "options", "options") in used
    assert [each for each in used if FLOORS[each[2]] >= FLOORS[each[0]]] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
