"""Daemons for the live tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.live.browser import Tab, chromium
from tests.live.daemon import CHEAP, PATIENCE, Daemon
from tests.live.visitor import Visitor

expect.set_options(timeout=1_000 * PATIENCE)


@pytest.fixture(scope="module")
def twistd() -> str | None:
    """The program that is run, where a fork of a process which has imported it will not do."""
    return None


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, twistd: str | None) -> Iterator[Daemon]:
    """A daemon without limits for those who behave, shared by a file's tests."""
    directory = tmp_path_factory.mktemp("daemon")
    with Daemon(
        directory, "--rate=0", "--rate-per-ip=0", twistd=twistd, environment=CHEAP
    ) as running:
        yield running


@pytest.fixture
def start(tmp_path: Path, twistd: str | None) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons in the test's directory, with a known password; they are gone after it."""
    started: list[Daemon] = []

    def start(*options: str, **environment: str | None) -> Daemon:
        variables = {**CHEAP, **environment}
        started.append(Daemon(tmp_path, *options, twistd=twistd, environment=variables))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        assert "Traceback" not in each.log.text, each.log.text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser, shared by a file's tests."""
    with chromium() as running:
        yield running


@pytest.fixture
def tab(browser: Browser, daemon: Daemon) -> Iterator[Callable[..., Tab]]:
    """Opens browsers; at the end nothing was wrong in any."""
    tabs: list[Tab] = []

    def make(on: Daemon = daemon, **options: Any) -> Tab:
        tabs.append(Tab(browser, on, **options))
        return tabs[-1]

    yield make
    for each in tabs:
        each.close()
        assert each.complaints == []


@pytest.fixture
def visitor(tab: Callable[..., Tab]) -> Callable[..., Visitor]:
    """Opens browsers for visitors."""

    def make(*on: Daemon, **options: Any) -> Visitor:
        return Visitor(tab(*on, **options), touches=options.get("has_touch", False))

    return make
