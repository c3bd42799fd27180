"""`livechat.dotted_names`."""

from __future__ import annotations

import os.path
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.dotted_names import find
from livechat.errors import StartError
from tests.support.modules import Write, writing


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules of a package ``acme``, which are gone after the test."""
    yield from writing(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothere", "ModuleNotFoundError: No module named 'nothere' (FILE, line 1)"),
        ("from acme import nope", "ImportError: cannot import name 'nope'"),
        ("1/0", "ZeroDivisionError: division by zero (FILE, line 1)"),
        ("x = 1\nraise AttributeError", "AttributeError (FILE, line 2)"),
        ("raise SystemExit('several\\nlines')", "SystemExit: several lines (FILE, line 1)"),
        ("raise ValueError('x' * 9999)", "ValueError: " + "x" * 300 + " (FILE, line 1)"),
        ("def (", "SyntaxError: invalid syntax (broken.py, line 1)"),
    ],
)
def test_a_broken_module_is_one_line(write: Write, tmp_path: Path, text: str, said: str) -> None:
    """A module that cannot be imported is explained in one line: what happened, and where."""
    write("broken", text)
    with pytest.raises(StartError) as caught:
        find("acme.broken.thing", "--extension")
    said = said.replace("FILE", str(tmp_path / "acme" / "broken.py"))
    line = str(caught.value)
    assert line.startswith(f"--extension: 'acme.broken.thing' cannot be imported: {said}")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "'' is no dotted name"),
        ("two words", "'two words' is no dotted name"),
        ("acme..fine", "'acme..fine' is no dotted name"),
        ("acme/fine.py", "'acme/fine.py' is no dotted name"),
        ("nothere.fine", "there is no module 'nothere'"),
        ("acme.nope", "there is no 'acme.nope'"),
        ("acme.fine.nope", "there is no 'acme.fine.nope'"),
        ("acme.fine.thing.nope", "there is no 'acme.fine.thing.nope'"),
    ],
)
def test_no_such_name(write: Write, name: str, said: str) -> None:
    """A name that means nothing is refused with the option that it was given for."""
    write("fine", "thing = 7")
    with pytest.raises(StartError) as caught:
        find(name, "--mount")
    assert str(caught.value).startswith(f"--mount: {said}")


def test_a_name_is_a_module_or_in_one(write: Write) -> None:
    """A name may mean a module, or anything in one."""
    write("fine", "thing = 7")
    assert find("acme.fine.thing", "--mount") == 7
    assert find("acme.fine", "--mount") is sys.modules["acme.fine"]
    assert find("os.path.join", "--mount") is os.path.join
