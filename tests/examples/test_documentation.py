"""docs/extending.md shows the examples as they are, and names things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from livechat.config import options
from livechat.dotted_names import find
from livechat.identity import authentication
from livechat.interfaces import IBackend, IExtension, IListener, IPolicy
from livechat.options import flag
from livechat.rooms import listeners

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
#: The site is no extension; docs/identity.md has it.
OTHERS = {ROOT / "examples" / name for name in ("__init__.py", "django_ask.py")}
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - OTHERS)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks("python"))
def test_snippets_are_parts_of_examples(block: str) -> None:
    """A snippet is a part of an example."""
    assert any(block in path.read_text() for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_each_example_is_listed_and_short(path: Path) -> None:
    """Each example is in the table, is short, and says how to run it."""
    text = path.read_text()
    assert f"[`{path.name}`](../examples/{path.name})" in PAGE
    if path.name != "memory_backend.py":
        assert text.count("\n") < 60
    commands = re.findall(r"^    (twistd .*(?:\\\n.*)*)", text, re.MULTILINE)
    assert commands
    for command in commands:
        assert " --pidfile= -n livechat " in command
        check_command(command)


def check_command(command: str) -> None:
    """The options exist, and so do all names of the examples."""
    given = set(re.findall(r"--([a-z-]+)", command)) - {"pidfile"}
    assert given <= {flag(option) for option in options()}
    for name in re.findall(r"\bexamples\.[\w.]+", command):
        find(name, "a document")


def test_commands_of_the_page_are_understood() -> None:
    """The commands of the page can be typed."""
    shown = blocks("sh")
    assert len(shown) == 3
    for command in shown:
        check_command(command)


def test_bounds_on_the_page_are_those_of_the_code() -> None:
    """The bounds on the page are those of the code."""
    assert f"needs more than {authentication.TIMEOUT:g} seconds" in PAGE
    assert f"{listeners.LONGEST:,} events may wait" in PAGE
    assert listeners.LOG_EVERY == authentication.LOG_EVERY == 10
    assert listeners.SLOW == 0.1


def test_interfaces_have_the_methods_of_the_page() -> None:
    """The page and the interfaces have the same methods."""
    for method in IExtension.names():
        assert f"`{method}(" in PAGE
    for method in (*IPolicy.names(), *IListener.names()):
        assert f"`{method}`" in PAGE
    assert IBackend.__name__ in PAGE
