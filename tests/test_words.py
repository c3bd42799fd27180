"""The measurable part of how livechat is written: docstrings name their subjects."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
#: Words that begin a paraphrase in place of a subject.
NO_SUBJECTS: Final = frozenset({
    "How", "It", "Its", "Let", "Nobody", "Somebody", "That", "Their", "Them", "There", "They",
    "Those", "What", "Whatever", "When", "Where", "Whether", "Who", "Whoever", "Whom", "With",
})  # fmt: skip
#: Words by which a docstring completes the name above it: `def test_a_ban`, "Of a member".
CONTINUATIONS: Final = frozenset({
    "Also", "And", "As", "At", "Because", "Be", "But", "By", "Done", "For", "From", "If", "In",
    "Itself", "Knows", "Of", "On", "Not", "Something", "Than", "Then", "These", "To", "Told",
    "Which", "While", "Why",
})  # fmt: skip
#: Names that are written in lower case, and begin a sentence so.
LOWER_CASE: Final = frozenset({"livechat", "twistd", "twisted"})
FOLDERS: Final = ("livechat", "clients/python", "examples", "bench", "tests")
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """A module's statements and those inside of them; no expressions, which have no docstrings."""
    yield node
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, field, ()):
            yield from statements(child)


@cache
def docstrings(folder: str) -> list[tuple[str, str]]:
    """Documented parts of a folder's modules, each by file and name, with their docstrings."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        if {"node_modules", "peers"} & set(path.parts):
            continue
        for node in statements(ast.parse(path.read_text())):
            if isinstance(node, _Documented) and (text := ast.get_docstring(node)):
                name = getattr(node, "name", "module")
                found.append((f"{path.relative_to(ROOT)}:{name}", text))
    return found


def line(name: str, text: str) -> str:
    return f"{name}: {text.splitlines()[0]}"


def first_word(text: str) -> str:
    found = re.match(r"\w+", text)
    return "" if found is None else found[0]


@pytest.mark.parametrize(
    ("text", "word"), [("What it is.", "What"), ("*name* is.", ""), ("Who's who.", "Who")]
)
def test_first_words_are_found(text: str, word: str) -> None:
    """The first word of a docstring is found, and markup is none."""
    assert first_word(text) == word


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_name_their_subject(folder: str) -> None:
    """No docstring begins with a pronoun or a question."""
    found = docstrings(folder)
    assert found
    assert [line(*each) for each in found if first_word(each[1]) in NO_SUBJECTS] == []


def continues(text: str) -> bool:
    """Return True for a docstring that completes the name above it to a sentence."""
    word = first_word(text)
    return word in CONTINUATIONS or (word[:1].islower() and word not in LOWER_CASE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Of a member.", True), ("is told so.", True), ("A member is told.", False),
        ("twistd's view.", False), ("*name* is known.", False),
    ],
)  # fmt: skip
def test_docstrings_that_continue_a_name_are_found(text: str, expected: bool) -> None:
    """A small letter or a preposition at the beginning continues the name."""
    assert continues(text) is expected


def test_docstrings_do_not_continue_a_name() -> None:
    """No docstring of livechat completes the name above it."""
    assert [line(*each) for each in docstrings("livechat") if continues(each[1])] == []


def test_words_of_the_glossary_are_used() -> None:
    """Every word of the glossary is used in the code."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page[page.index("## Words") : page.index("## The map")]
    words = [
        word.strip()
        for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[2:]
        for word in row.split(",")
    ]
    assert len(words) > 15
    code = "\n".join(path.read_text().lower() for path in (ROOT / "livechat").rglob("*.py"))
    assert [word for word in words if word.lower() not in code] == []


#: The most lines of a paragraph or a list item, and how long such a line may be.
MOST_LINES: Final = 8
LINE: Final = 100


def paragraphs(text: str) -> Iterator[str]:
    """Paragraphs and list items of a document, each in one line; no tables, code or headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\s*\n", text):
        if not block.startswith(("    ", "|", "#")):
            for each in re.split(r"^(?=\s*(?:[-*]|\d+\.) )", block, flags=re.MULTILINE):
                if each.strip():
                    yield " ".join(each.split())


def test_paragraphs_are_found() -> None:
    """Paragraphs and items are counted, drawings and tables are not."""
    text = "# T\n\na\nb\n\n- c\n  d\n- e\n\n    drawn\n\n| a |\n\n```sh\nx\n\ny\n```\n"
    assert [*paragraphs(text)] == ["a b", "- c d", "- e"]


@pytest.mark.parametrize("name", ["architecture.md", "decisions.md"])
def test_short_paragraphs(name: str) -> None:
    """No paragraph or list item takes more than eight lines, so each can be read at once."""
    for each in paragraphs((ROOT / "docs" / name).read_text()):
        assert len(textwrap.wrap(each, LINE)) <= MOST_LINES, each


#: Words that begin no statement of a document, but a question.
NO_STATEMENTS: Final = re.compile(r"\W*(?:What|Whatever|Who|Whoever|Whom)\b[^?]*$")
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "bench/README.md"])


def sentences(text: str) -> Iterator[str]:
    """The sentences of a document's paragraphs and list items."""
    for each in paragraphs(text):
        yield from re.split(r"(?<=[.!?])\s+(?=\W*[A-Z])", each)


def test_statements_are_told_from_questions() -> None:
    """A question may begin with its word, a statement may not."""
    text = "What is it? It is.\n\n- **Who asks** waits.\n\nHere, who asks waits.\n"
    assert [bool(NO_STATEMENTS.match(each)) for each in sentences(text)] == [
        False, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_statements_name_their_subject(path: Path) -> None:
    """Documents name the subject of a sentence: no "what was said", no "whoever asks"."""
    found = [each for each in sentences(path.read_text()) if NO_STATEMENTS.match(each)]
    # The changelog of a version stays as it was published.
    assert path.name == "CHANGELOG.md" or found == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_sections_name_their_subject(path: Path) -> None:
    """The first sentence below a heading stands for itself: the heading is not its subject."""
    begins = re.findall(
        r"^#+ .+\n\n((?:It|Its|They|Their|Both|There)\b.*)", path.read_text(), re.MULTILINE
    )
    assert path.name == "CHANGELOG.md" or begins == []
