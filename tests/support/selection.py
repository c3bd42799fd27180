"""
The choice of tests that start other processes: daemons, browsers, npm.

Such a test imports, itself or by way of another module of `tests`, the library that starts
processes.  So the choice needs no list that somebody has to keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.imports import imports

#: Libraries that start processes.
STARTERS: Final = frozenset({"multiprocessing", "playwright", "subprocess"})


class Selection:
    """The tests below *root*, by their files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: Mapping[str, Path] = {
            ".".join((root.name, *_parts(path.relative_to(root)))): path
            for path in root.rglob("*.py")
            if "node_modules" not in path.parts
        }
        self._direct: dict[Path, set[str]] = {}
        self._starts: dict[Path, bool] = {}

    def starts_processes(self, test: Path) -> bool:
        """Check if a file's tests, or fixtures in their reach, start other processes."""
        if test not in self._starts:
            conftests = (each / "conftest.py" for each in test.parents)
            near = (each for each in conftests if each.is_relative_to(self._root) and each.exists())
            self._starts[test] = any(map(self._reaches_a_starter, (test, *near)))
        return self._starts[test]

    def _reaches_a_starter(self, path: Path) -> bool:
        seen, waiting = {path}, [path]
        while waiting:
            for name in self._imports(waiting.pop()):
                if name.partition(".")[0] in STARTERS:
                    return True
                module = self._modules.get(name)
                if module is not None and module not in seen:
                    seen.add(module)
                    waiting.append(module)
        return False

    def _imports(self, path: Path) -> set[str]:
        if path not in self._direct:
            self._direct[path] = imports(path, self._modules)
        return self._direct[path]


def _parts(path: Path) -> tuple[str, ...]:
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts
