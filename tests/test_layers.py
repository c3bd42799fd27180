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


#: Of all modules, but the package itself.
NAMED = [module for module in MODULES if part(module)]


def arrows() -> Iterator[tuple[str, str]]:
    """Modules of livechat, each with each module of livechat that it imports."""
    return ((module, each) for module in MODULES for each in imported_by(module) & MODULES.keys())


def test_no_arrow_up() -> None:
    """A module imports only what is below its floor, and its own folder."""
    assert [
        f"{module} imports {imported}"
        for module, imported in arrows()
        if part(imported) != part(module) and floor(imported) >= floor(module)
    ] == []


def test_no_test_is_needed() -> None:
    """No module imports anything of the tests."""
    found = {module: [*filter(_is_of_tests, imported_by(module))] for module in MODULES}
    assert {module: names for module, names in found.items() if names} == {}


def _is_of_tests(module: str) -> bool:
    return module.startswith("tests")


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


def is_in_the_map(module: str) -> bool:
    """Return True for a module that its package's section names, or the section's heading."""
    package = MODULES[module].name == "__init__.py"
    if package or module.count(".") == 1:
        return part(module) in SECTIONS
    named = re.findall(r"`(?:\w+/)*(\w+)`", SECTIONS[part(module)])
    return MODULES[module].stem in named


def test_the_map_has_every_module() -> None:
    """A module is named in its package's section, or in the heading."""
    assert [module for module in NAMED if not is_in_the_map(module)] == []


def allowed(name: str) -> set[str] | None:
    """The parts that a part may import by its section; None: all."""
    line = re.search(r"\*\*Imports\*\* (.*)", SECTIONS[name])
    if line is None or line[1].startswith("all"):
        return None
    named = {*re.findall(r"\w+", line[1]), name, ""}
    if "each other" in line[1]:
        named |= {each for names, _ in sections() if name in names for each in names}
    return named


def test_the_map_has_every_import() -> None:
    """A package imports only the parts that its section names."""
    known = {name: allowed(name) for name in {part(module) for module in NAMED}}
    assert [
        f"{module} imports {imported}"
        for module, imported in arrows()
        if (named := known.get(part(module))) is not None and part(imported) not in named
    ] == []


def test_no_circle() -> None:
    """Modules import each other in no circle, in a folder neither."""
    graph = {module: imported_by(module) & MODULES.keys() - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        pytest.fail(" -> ".join(found.args[1]))


def test_the_core_imports_no_reactor() -> None:
    """The core knows no reactor, no Autobahn, no web server and no database."""
    found = [
        f"{module} imports {imported}"
        for module in NAMED
        if part(module) in CORE
        for imported in imported_by(module)
        if imported.startswith(NOT_IN_CORE) or not _may_be_in_core(imported)
    ]
    assert found == []


def _may_be_in_core(module: str) -> bool:
    return module not in MODULES or not part(module) or part(module) in CORE


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


def test_importing_does_nothing() -> None:
    """A module defines names, and neither changes others' nor goes by the environment."""
    found = {module: doings(path) for module, path in MODULES.items()}
    assert {module: done for module, done in found.items() if done} == {}


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


#: A line of an import, or of the names in its brackets, in which a test module may be.
MAY_IMPORT_A_TEST = re.compile(
    r"^\s*(?:import|from)\b.*\btest_|^[\w ,]*\btest_[\w ,]*$", re.MULTILINE
)


@pytest.mark.parametrize(
    "text",
    [
        "import tests.rooms.test_chat", "def f():\n    from tests.rooms import room, test_chat\n",
        "from tests.rooms.test_chat import x", "from tests.rooms import (\n    test_chat,\n)",
        "from tests.rooms import (\n    test_chat as chat,\n)", "from tests import \\\n    test_x",
    ],
)  # fmt: skip
def test_what_may_import_a_test(text: str) -> None:
    """An import of a test module is seen in all its forms before a file is parsed."""
    assert MAY_IMPORT_A_TEST.search(text)


def test_no_test_is_imported() -> None:
    """Test modules import no test module; shared helpers have modules of their own."""
    here = Path(__file__).parent
    tests = {f"tests.{'.'.join(path.relative_to(here).with_suffix('').parts)}": path
             for path in here.rglob("*.py") if "node_modules" not in path.parts}  # fmt: skip
    for path in tests.values():
        # To parse all files of tests takes longer than all else here.
        if not MAY_IMPORT_A_TEST.search(path.read_text()):
            continue
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
