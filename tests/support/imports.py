"""Imports of modules, as their text has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path


def imports(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Find all modules that *path* imports, in functions and for types only as well."""
    found: set[str] = set()
    for node in _statements(path.read_text()):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else str(node.module))
    return found


def _statements(text: str) -> Iterator[ast.AST]:
    """Yield a module's statements at any depth; `ast.walk` would visit expressions too."""
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, part, ())
