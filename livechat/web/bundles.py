"""
Scripts of the pages, put together so that one request brings them all.

A bundle has each module as it is written, without its comments, as the body of a function::

    "dom.js": ($url) => {
    function find(root, selector) { ... }
    return { find };
    },

A module runs once, when another one first takes its exports.  Names stay as they are: a line of a
bug report reads as its source does.  A module that is imported later (`import()`) is a *chunk*, a
file that brings the bundle more modules: that one, and those it imports that are not there yet.
The modules keep to a few forms of `import` and `export`; any other form raises a `ValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

_IMPORT: Final = re.compile(r'^import (?:\{([^{}]*)\} from )?"\./([\w.-]+)";$', re.MULTILINE)
_EXPORT: Final = re.compile(
    r"^export (?=(?:(?:async )?function\*? ?|class |const )([\w$]+))", re.MULTILINE
)
_EXPORTS: Final = re.compile(r'^export \{([^{}]*)\}(?: from "\./([\w.-]+)")?;$', re.MULTILINE)
_DEFAULT: Final = re.compile(r"^export default (?!async\b|class\b|function\b)", re.MULTILINE)
_LATER: Final = re.compile(r'\bimport\("\./([\w.-]+)"\)')
_REFUSED: Final = re.compile(r"^(?:import|export)\b(?![.(]).*", re.MULTILINE)
#: A comment of whole lines, and a type anywhere.
_COMMENT: Final = re.compile(
    r"/\*\*(?:(?!\*/).)*\*/[ \t]*|^[ \t]*//[^\n]*", re.MULTILINE | re.DOTALL
)
_BLANK: Final = re.compile(r"\n\s*(?=\n)")

#: A string, a template or a regular expression: commas and braces in them are no code.
_LITERAL: Final = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
    r"|(?<=[(=,:\[!&|?{} ])/(?![/* ])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/",
    re.DOTALL,
)
#: Innermost brackets, with their contents.
_BRACKETS: Final = re.compile(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}")
_CONST: Final = re.compile(r"^export const [\w$]+ =[^;]*", re.MULTILINE)

_HEAD: Final = """\
const $made = {};
const $tries = {};
const $PATIENCE = 3;
const $take = (name, url = import.meta.url) => ($made[name] ??= $modules[name](url));
const $later = async (name, chunk) => {
  if (!(name in $modules)) {
    const tries = $tries[chunk] ?? 0;
    try {
      // Browsers remember that an address failed, so the next time it is another.
      const { $more, $stamp = "" } = await import(tries ? `${chunk}?${tries}` : chunk);
      // The one of another version, whose process answered, may not fit. It is better than none.
      if (!chunk.includes($stamp) && tries < $PATIENCE) throw new Error(`It is not ${chunk}.`);
      Object.assign($modules, $more($take, $later));
    } catch (error) {
      $tries[chunk] = tries + 1;
      throw error;
    }
  }
  return $take(name);
};
"""

Sources = Mapping[str, str]


def bundle(sources: Sources, entries: Sequence[str], chunks: Mapping[str, str]) -> str:
    """
    Put the modules that *entries* import together; export what the first entry does.

    The other entries run when a page asks for it, by ``$take``.

    @param chunks: addresses of the chunks, by the module that is imported later; a module without
        one has to be among the entries.
    """
    modules = "".join(_modules(sources, modules_of(sources, entries), chunks))
    shown = take(entries[0], exports(sources, entries[0]))
    return f"{_HEAD}const $modules = {{\n{modules}}};\n{shown}export {{ $take }};\n"


def chunk(sources: Sources, names: Iterable[str], chunks: Mapping[str, str]) -> str:
    """Put the modules together that a chunk adds, as `plan` says."""
    modules = "".join(_modules(sources, names, chunks))
    return f"export const $more = ($take, $later) => ({{\n{modules}}});\n"


def stamped(chunk: str, stamp: str) -> str:
    """A chunk with a part of its address, by which a bundle knows that it is the right one."""
    return f'{chunk}export const $stamp = "{stamp}";\n'


def facade(sources: Sources, entry: str, address: str) -> str:
    """A module that exports what *entry* does, from the bundle at *address*."""
    taken = take(entry, exports(sources, entry))
    return f'import {{ $take }} from "./{address}";\n{taken}'


def take(entry: str, names: Sequence[str]) -> str:
    """Statements that run *entry*, and export its *names*."""
    taken = f'$take("{entry}", import.meta.url)'
    if not names:
        return f"{taken};\n"
    return f"export const {{ {', '.join(names)} }} = {taken};\n"


def exports(sources: Sources, name: str) -> list[str]:
    """Names that a module exports."""
    return [name for name, _ in _exported(sources[name])]


def modules_of(sources: Sources, entries: Iterable[str]) -> list[str]:
    """Modules that *entries* import, with them, each behind those that it imports."""
    found: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"Modules import each other: {' -> '.join((*above, name))}")
        if name in found:
            return
        for imported in _imported(sources[name]):
            visit(imported, (*above, name))
        found[name] = None

    for entry in entries:
        visit(entry, ())
    return list(found)


def later(sources: Sources, names: Iterable[str]) -> list[str]:
    """Modules that those of *names* import later, and that are not among them."""
    there = set(names)
    found = {each for name in there for each in _imported_later(sources[name])}
    return sorted(found - there)


def plan(sources: Sources, there: Iterable[str]) -> dict[str, list[str]]:
    """
    The chunks of a bundle that has the modules *there*: what each adds, by the module it is for.

    A chunk leaves out what is there already, whichever module imports it.  It comes behind the
    chunks that it imports itself.
    """
    bundled = frozenset(there)
    needs = {"": bundled}
    importers: dict[str, list[str]] = {}
    order: list[str] = []

    def visit(importer: str, above: tuple[str, ...]) -> None:
        for name in later(sources, needs[importer]):
            if name in bundled:
                continue
            if name in above:
                raise ValueError(f"Chunks import each other: {' -> '.join((*above, name))}")
            importers.setdefault(name, []).append(importer)
            if name not in needs:
                needs[name] = frozenset(modules_of(sources, [name])) - bundled
                visit(name, (*above, name))
                order.append(name)

    visit("", ())
    before: dict[str, frozenset[str]] = {"": frozenset()}
    for name in reversed(order):
        present = (before[each] | needs[each] for each in importers[name])
        before[name] = frozenset.intersection(*present) | bundled
    return {
        name: [each for each in modules_of(sources, [name]) if each not in before[name]]
        for name in order
    }


def _modules(sources: Sources, names: Iterable[str], chunks: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        yield f'"{name}": ($url) => {{\n{_body(name, sources[name], chunks)}}},\n'


def _body(name: str, source: str, chunks: Mapping[str, str]) -> str:
    """Make the body of a module's function."""
    text = _bare(source)
    text = _IMPORT.sub(lambda each: _taking(each[1], each[2]), text)
    text = _EXPORTS.sub(lambda each: _taking(each[1], each[2]) if each[2] else "", text)
    text = _DEFAULT.sub("const $default = ", _EXPORT.sub("", text))
    refused = _REFUSED.search(text) or _several(_bare(source))
    if refused:
        raise ValueError(f"{name}: {refused[0]!r} cannot be put into a bundle.")
    text = _LATER.sub(lambda each: _taking_later(each[1], chunks), text)
    text = _BLANK.sub("", text.replace("import.meta.url", "$url")).strip()
    return f"{text}\nreturn {_braces(_exported(source))};\n"


def _several(text: str) -> re.Match[str] | None:
    """Find an `export const` with more than one name: the bundle would export only the first."""
    # Text in a literal or in brackets belongs to a value.
    code = _LITERAL.sub("0", text)
    while (flat := _BRACKETS.sub("0", code)) != code:
        code = flat
    return next((each for each in _CONST.finditer(code) if "," in each[0]), None)


@lru_cache(maxsize=256)
def _bare(source: str) -> str:
    """Return a module's text without comments."""
    return _COMMENT.sub("", source)


def _taking(names: str | None, module: str) -> str:
    taken = f'$take("{module}")'
    return f"{taken};" if names is None else f"const {_braces(_pairs(names))} = {taken};"


def _taking_later(module: str, chunks: Mapping[str, str]) -> str:
    # A module without a chunk is in the bundle.
    more = f', "./{chunks[module]}"' if module in chunks else ""
    return f'$later("{module}"{more})'


def _braces(pairs: Iterable[tuple[str, str]]) -> str:
    each = (one if one == other else f"{one}: {other}" for one, other in pairs)
    return f"{{ {', '.join(each)} }}"


@lru_cache(maxsize=256)
def _imported(source: str) -> list[str]:
    text = _bare(source)
    passed_on = (module for _, module in _EXPORTS.findall(text) if module)
    return [*(module for _, module in _IMPORT.findall(text)), *passed_on]


@lru_cache(maxsize=256)
def _imported_later(source: str) -> list[str]:
    return _LATER.findall(_bare(source))


@lru_cache(maxsize=256)
def _exported(source: str) -> list[tuple[str, str]]:
    """Pair each exported name with the module's own."""
    text = _bare(source)
    pairs = [(name, name) for name in _EXPORT.findall(text)]
    pairs += [("default", "$default") for _ in _DEFAULT.findall(text)]
    for names, module in _EXPORTS.findall(text):
        pairs += [(public, public if module else own) for own, public in _pairs(names)]
    return pairs


def _pairs(names: str) -> list[tuple[str, str]]:
    """Parse ``a as b, c`` into ``("a", "b"), ("c", "c")``."""
    words = (each.split() for each in names.split(",") if each.strip())
    return [(each[0], each[-1]) for each in words]
