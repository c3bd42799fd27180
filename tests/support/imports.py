"""Imports of modules, as their text has them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path


def imports(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Every module that *path* imports, wherever, and if only to name types."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else str(node.module))
    return found
