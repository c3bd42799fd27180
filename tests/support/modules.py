"""Modules of a package ``acme``, as other people's code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Write = Callable[[str, str], None]


def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules of the package; all that was imported meanwhile is gone afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    (tmp_path / "acme").mkdir()

    def write(name: str, text: str) -> None:
        (tmp_path / "acme" / f"{name}.py").write_text(text)

    write("__init__", "")
    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
