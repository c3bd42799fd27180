"""Dependencies point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import livechat

ROOT = Path(livechat.__file__).parent

#: Nothing imports what stands in a later line; modules of one line may know each other.
LAYERS = [
    {
        "livechat",
        "livechat.errors",
        "livechat.looks",
        "livechat.names",
        "livechat.wire",
        "livechat.frames",
        "livechat.metrics",
        "livechat.reports",
        "livechat.users",
    },
    {
        "livechat.interfaces",
        "livechat.limits",
        "livechat.config",
        "livechat.deadlines",
        "livechat.ending",
        "livechat.files",
        "livechat.patience",
        "livechat.threads",
        "livechat.wallclock",
        "livechat.certificates",
        "livechat.passwords",
    },
    {"livechat.hub", "livechat.activity", "livechat.operators", "livechat.backends"},
    {"livechat.presence", "livechat.replay"},
    {"livechat.chat"},
    {"livechat.session"},
    {"livechat.web"},
    {"livechat.net"},
    {"livechat.credentials", "livechat.permissions"},
    {"livechat.services", "livechat.workers"},
    {"livechat.service"},
]

#: The core runs without a reactor, Autobahn or a web server.
CORE = {
    "livechat.errors", "livechat.looks", "livechat.names", "livechat.wire", "livechat.frames",
    "livechat.metrics", "livechat.reports", "livechat.users", "livechat.interfaces",
    "livechat.limits", "livechat.deadlines", "livechat.files", "livechat.patience",
    "livechat.threads", "livechat.wallclock", "livechat.passwords", "livechat.hub",
    "livechat.activity",
    "livechat.operators", "livechat.presence", "livechat.replay", "livechat.chat",
    "livechat.session",
}  # fmt: skip
NOT_IN_CORE = (
    "autobahn",
    "twisted.web",
    "twisted.internet.reactor",
    "OpenSSL",
    "sqlite3",
    "jinja2",
)


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(path: Path) -> set[str]:
    """What a module imports when it runs: not what it only names in types."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    typing = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(module: str) -> int | None:
    """The line of `LAYERS` that a module stands in."""
    for number, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names - {"livechat"}):
            return number
    return 0 if module == "livechat" else None


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=str)
def test_one_way(module: str, path: Path) -> None:
    """A module imports only what stands in its own layer or an earlier one."""
    own = layer(module)
    assert own is not None, f"{module} is in no layer"
    for imported in imports(path) & dict(modules()).keys():
        other = layer(imported)
        assert other is not None
        assert other <= own, f"{module} imports {imported}"
    assert not any(imported.startswith("tests") for imported in imports(path))


@pytest.mark.parametrize("module", sorted(CORE))
def test_core(module: str) -> None:
    """The core knows no reactor, no Autobahn, no web server and no database."""
    path = dict(modules())[module]
    for imported in imports(path):
        assert not imported.startswith(NOT_IN_CORE), f"{module} imports {imported}"
    ours = imports(path) & dict(modules()).keys() - {"livechat"}
    assert ours <= CORE, f"{module} imports {ours - CORE}, which is not in the core"


def test_one_who_knows_redis() -> None:
    """What a library does is known in one place."""
    for module, path in modules():
        if any(name.split(".")[0] in ("txredisapi", "hiredis") for name in imports(path)):
            assert module.startswith("livechat.backends.redis."), module


def test_the_guard_works(tmp_path: Path) -> None:
    """The check sees imports in functions, and not those for types."""
    path = tmp_path / "x.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import a\n"
        "def f():\n    from b import c\n"
    )
    assert imports(path) == {"typing", "typing.TYPE_CHECKING", "b", "b.c"}


def test_every_module_has_its_test() -> None:
    """There is one test file for each module that does something."""
    tests = ROOT.parent / "tests"
    for module, path in modules():
        if path.name == "__init__.py":
            continue
        expected = tests / path.relative_to(ROOT).with_name(f"test_{path.name}")
        if module != "livechat.interfaces":
            assert expected.exists(), f"{module} has no test file"
