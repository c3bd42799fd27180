"""Dependencies point one way, imports for types included; docs/architecture.md says the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import livechat
from tests.support.imports import imports

ROOT = Path(livechat.__file__).parent

#: The floors of the house, from the ground up: a folder, or a module beside them.  None imports
#: anything of its own floor or of a higher one, but itself.
FLOORS = [
    {"errors"},
    {"metrics", "protocol", "limits"},
    {"addresses", "dotted_names", "option_values", "options"},
    {"option_rules"},
    {"interfaces", "config", "system"},
    {"identity", "backends", "extensions", "net", "command_line", "events"},
    {"rooms", "http"},
    {"members", "webhooks"},
    {"web"},
    {"daemon"},
    {"service", "command"},
]
#: The core runs without a reactor, Autobahn, a web server or a database.
CORE = {
    "errors", "metrics", "protocol", "limits", "interfaces", "system", "identity", "events",
    "rooms",
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


MODULES = dict(modules())


@cache
def imported_by(module: str) -> frozenset[str]:
    """Every module that *module* imports: several tests ask, and each look parses it."""
    return frozenset(imports(MODULES[module], MODULES))


def part(module: str) -> str:
    """The folder of a module, or its own name beside them; "" of the package itself."""
    return ".".join(module.split(".")[1:2])


def floor(module: str) -> int:
    """The floor that a module is on; the package itself, which is its version, is below all."""
    name = part(module)
    if not name:
        return -1
    return next(number for number, names in enumerate(FLOORS) if name in names)


@pytest.mark.parametrize("module", MODULES)
def test_no_arrow_up(module: str) -> None:
    """A module imports only what is below its floor, and its own folder."""
    for imported in imported_by(module) & MODULES.keys():
        if part(imported) != part(module):
            assert floor(imported) < floor(module), f"{module} imports {imported}"
    assert not any(imported.startswith("tests") for imported in imported_by(module))


MAP = (ROOT.parent / "docs" / "architecture.md").read_text()
MAP = MAP[MAP.index("## The map") : MAP.index("### Beside the package")]


def sections() -> Iterator[tuple[set[str], str]]:
    """The map's sections: the parts that a heading names, and what stands below it."""
    for section in re.split(r"^### ", MAP, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        yield set(re.findall(r"\w+", heading)) & {name for names in FLOORS for name in names}, text


SECTIONS = {name: text for names, text in sections() for name in names}


def test_the_map_has_the_floors() -> None:
    """The drawing in the map is what this test holds modules to."""
    drawn = re.findall(r"^ +(\d+) +((?:\w+ *)+)$", MAP, re.MULTILINE)
    assert [int(number) for number, _ in drawn] == [*range(len(FLOORS), 0, -1)]
    assert [set(names.split()) for _, names in reversed(drawn)] == FLOORS


@pytest.mark.parametrize("module", [each for each in MODULES if part(each)])
def test_the_map_has_every_module(module: str) -> None:
    """A module is named in its package's section, or in the heading."""
    package = MODULES[module].name == "__init__.py"
    if package or module.count(".") == 1:
        assert part(module) in SECTIONS
    else:
        assert re.search(rf"`(\w+/)*{MODULES[module].stem}`", SECTIONS[part(module)]), module


@pytest.mark.parametrize("module", [each for each in MODULES if part(each)])
def test_the_map_has_every_import(module: str) -> None:
    """A package imports only the parts that its section names."""
    line = re.search(r"\*\*Imports\*\* (.*)", SECTIONS[part(module)])
    if line is None or line[1].startswith("all"):
        return
    named = set(re.findall(r"\w+", line[1])) | {part(module)}
    if "each other" in line[1]:
        named |= {name for names, _ in sections() if part(module) in names for name in names}
    imported = {part(each) for each in imported_by(module) & MODULES.keys()}
    assert imported - named - {""} == set(), module


def test_no_circle() -> None:
    """Modules import each other in no circle, in a folder neither."""
    graph = {module: imported_by(module) & MODULES.keys() - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        pytest.fail(" -> ".join(found.args[1]))


@pytest.mark.parametrize("module", [each for each in MODULES if part(each) in CORE])
def test_the_core_imports_no_reactor(module: str) -> None:
    """The core knows no reactor, no Autobahn, no web server and no database."""
    for imported in imported_by(module):
        assert not imported.startswith(NOT_IN_CORE), f"{module} imports {imported}"
        if imported in MODULES and part(imported):
            assert part(imported) in CORE, f"{module} imports {imported}, not in the core"


def doings(path: Path) -> list[str]:
    """List the statements that a module runs on import, other than definitions of names."""
    found = []
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.AnnAssign():
                pass
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign(targets=targets) if not any(map(_is_elsewhere, targets)):
                pass
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pass
            case _:
                found.append(ast.unparse(node))
    return found


def _is_elsewhere(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute | ast.Subscript)


@pytest.mark.parametrize("module", MODULES)
def test_importing_does_nothing(module: str) -> None:
    """A module defines names, and neither changes others' nor goes by the environment."""
    assert doings(MODULES[module]) == []


def test_the_guard_of_statements_works(tmp_path: Path) -> None:
    """The check sees calls, branches and changes of others' names."""
    path = tmp_path / "x.py"
    for line in ("f()", "if SHARED in os.environ:\n    x = 1", "values.ValueClass = y", "d[1] = 2"):
        path.write_text(f"import values\nx: int = f()\n{line}\n")
        assert doings(path) == [line]


def test_http_knows_no_chat() -> None:
    """A web server with bounds, on which a chat is one of the things that can be asked."""
    for module in MODULES:
        if part(module) == "http":
            known = {part(each) for each in imported_by(module) & MODULES.keys()}
            assert not known & {"rooms", "members", "identity", "web"}, module


def test_only_the_backend_imports_redis_libraries() -> None:
    """Only the backend for Redis imports its libraries."""
    for module in MODULES:
        if any(name.split(".")[0] in ("txredisapi", "hiredis") for name in imported_by(module)):
            assert module.startswith("livechat.backends.redis."), module


def test_the_guard_of_imports_works(tmp_path: Path) -> None:
    """The check sees imports in functions, those for types, and modules among names."""
    path = tmp_path / "x.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import a\n"
        "def f():\n    from b import c, D\n"
    )
    assert imports(path, {"b.c": path}) == {"typing", "a", "b.c", "b"}


def test_every_module_has_its_test() -> None:
    """Every module has its test file."""
    tests = ROOT.parent / "tests"
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            continue
        expected = tests / path.relative_to(ROOT).with_name(f"test_{path.name}")
        if not module.startswith("livechat.interfaces."):
            assert expected.exists(), f"{module} has no test file"


def test_no_test_is_imported() -> None:
    """Test modules import no test module; shared helpers have modules of their own."""
    here = Path(__file__).parent
    tests = {f"tests.{'.'.join(path.relative_to(here).with_suffix('').parts)}": path
             for path in here.rglob("*.py") if "node_modules" not in path.parts}  # fmt: skip
    for path in tests.values():
        imported = {
            name for name in imports(path, tests) if name.rpartition(".")[2].startswith("test_")
        }
        assert not imported & tests.keys(), path


#: The most lines of a module: a longer one has a seam.
LONGEST = 400


@pytest.mark.parametrize("folder", ["livechat", "bench", "clients/python", "examples"])
def test_modules_are_short(folder: str) -> None:
    """No module is longer than can be read at once."""
    paths = [
        path for path in (ROOT.parent / folder).rglob("*.py") if "node_modules" not in path.parts
    ]
    lines = {str(path): len(path.read_text().splitlines()) for path in paths}
    assert {path: count for path, count in lines.items() if count > LONGEST} == {}
