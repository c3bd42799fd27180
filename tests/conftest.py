"""Fixtures and options for all tests."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings, strategies

from livechat.system.process import collect_garbage_rarely
from tests.support import Browser, Port, World
from tests.support.selection import Selection

# Examples store messages on a real disk, which takes the time that it takes.
settings.register_profile("livechat", deadline=None, max_examples=50)
settings.register_profile("soak", deadline=None, max_examples=1_000)
settings.load_profile("livechat")


HERE = Path(__file__).parent
LIVE = HERE / "live"
#: Folders whose tests are all marked with the folder's name.
MARKED = ("live", "soak", "bench", "debian")
#: The files that take longest, the longest first.
LONG = (
    "test_slow_peers.py", "test_hostile.py", "test_cases_websocket.py", "test_cases_rooms.py",
    "test_leaks.py", "test_sanitizers.py", "test_memory.py", "test_protocol.py",
)  # fmt: skip


#: A directory in memory, and the bytes that must be free there: thousands of tests make databases,
#: and a disk takes longer to write them than all else takes.
MEMORY = Path("/dev/shm")
ROOM = 2 << 30


def pytest_configure() -> None:
    """
    Have Python look for garbage as seldom as in a daemon, and put temporary files where they
    cost least, unless TMPDIR says where.
    """
    collect_garbage_rarely()
    usable = "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK | os.X_OK)
    if usable and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
    # pytest asks for Twisted's before each test, and a file is parsed each time.
    importlib.metadata.version = cache(importlib.metadata.version)


# Behind Hypothesis' own, before which it wants no work, and before xdist's, which starts processes.
@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """
    Prepare what several processes would all do at the same time: the first one looks through all
    characters for Hypothesis, and each of those that run tests imports a share of them.

    pytest rewrites asserts, which takes longer than all else of a first collection, and caches
    the result.  Without shares every process would do so for every file at the same time.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None and getattr(session.config.option, "numprocesses", None):
        # It is kept in files.
        strategies.text().validate()
    if worker is None or [Path(each).absolute() for each in session.config.args] != [HERE]:
        return
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    paths = [
        path
        for path in HERE.rglob("test_*.py")
        if "node_modules" not in path.parts
        if may_have(path, session.config.option.markexpr)
    ]
    for path in sorted(paths)[number::count]:
        # The collection tells of a module that cannot be imported.
        with suppress(Exception):
            import_module(".".join(path.relative_to(HERE.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """The thousands of tests stay: they are no garbage, to look through again and again."""
    collect_garbage_rarely()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore folders and files of which no test is wanted: their import takes long."""
    return not may_have(collection_path, config.option.markexpr) or None


def may_have(path: Path, wanted: str) -> bool:
    """Check if a file or folder of tests may have some that a marker expression wants."""
    name, *below = path.relative_to(HERE).parts
    if "alone" in wanted.split(" and "):
        if name != LIVE.name:
            return False
        return path.suffix != ".py" or not below or "mark.alone" in path.read_text()
    return name not in MARKED or f"not {name}" not in wanted.split(" and ")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Mark tests by what they need.  Files that may take long come first, so that no process is left
    with one when the others are done.
    """
    # To know what starts processes takes as long as to import a third of the tests.
    selection = Selection(HERE) if "processes" in config.option.markexpr else None
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in MARKED:
            item.add_marker(folder)
        assert item.get_closest_marker("alone") is None or LIVE in item.path.parents, item.nodeid
        if selection is not None and selection.starts_processes(item.path):
            item.add_marker("processes")
    long = {name: place for place, name in enumerate(LONG)}
    items.sort(
        key=lambda item: (
            long.get(item.path.name, len(LONG)),
            item.get_closest_marker("live") is None,
        )
    )


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes the core on doubles; it is closed after the test."""
    made: list[World] = []

    def make(**options: Any) -> World:
        made.append(World(tmp_path / f"state{len(made)}", **options))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The core on doubles."""
    return make_world()


@pytest.fixture
def port(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    """The port on the core, in memory; its connections end with the test."""
    # Autobahn's timers are txaio's, not the factory's.
    monkeypatch.setattr("txaio.config.loop", world.clock)
    port = Port(world)
    yield port
    for wire in port.wires:
        wire.hang_up()


@pytest.fixture
def browser(port: Port) -> Browser:
    """An operator's, who is signed in."""
    browser = Browser(port)
    assert browser.sign_in().status == 303
    return browser


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests talked to a real daemon."""
    passed = terminalreporter.getreports("passed")
    live = sum("live" in report.keywords for report in passed if report.when == "call")
    terminalreporter.write_line(f"live tests passed: {live}")
