"""Daemons for the live tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.backends.redis.server import RedisServer
from tests.live.browser import STILL, Profiles, Tab, chromium
from tests.live.daemon import CHEAP, PATIENCE, Daemon
from tests.live.moderating import OPTIONS
from tests.live.moderator import Moderator
from tests.live.siege import ANSWERED, bystander
from tests.live.site_users import SECRET
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor
from tests.live.workers import WORKERS, ready
from tests.support.jwts import secret_file

expect.set_options(timeout=1_000 * PATIENCE)


@pytest.fixture(scope="module")
def twistd() -> str | None:
    """The program that is run, where a fork of a process which has imported it will not do."""
    return None


@pytest.fixture(scope="module")
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, twistd: str | None
) -> Iterator[Daemon]:
    """
    A daemon without limits for those who behave, shared by a file's tests.

    A module may have more options for it, by the name ``DAEMON``; it has the secret of a site.
    """
    directory = tmp_path_factory.mktemp("daemon")
    (directory / "secret").write_text(SECRET)
    options = ("--rate=0", "--rate-per-ip=0", *getattr(request.module, "DAEMON", ()))
    with Daemon(directory, *options, twistd=twistd, environment=CHEAP) as running:
        yield running


@pytest.fixture
def others(daemon: Daemon) -> Iterator[None]:
    """A bystander gets its turn during the test and after it."""
    with bystander(daemon, 0.05) as waited:
        yield
    assert max(waited) < ANSWERED, waited
    assert "Traceback" not in daemon.log.text


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


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(params=["SQLite", "Redis"])
def on_both(request: pytest.FixtureRequest, start: Callable[..., Daemon], tmp_path: Path) -> Daemon:
    """A daemon that knows a site's users: one process, or two workers."""
    secret_file(tmp_path)
    if request.param == "SQLite":
        return start(*OPTIONS)
    redis: RedisServer = request.getfixturevalue("redis")
    return ready(start(*OPTIONS, f"--redis={redis.url}", f"--workers={WORKERS}"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Profiles]:
    """A browser, shared by all tests of a process: to start one takes as long as a short test."""
    with chromium() as running:
        yield running


@pytest.fixture
def tab(browser: Profiles, daemon: Daemon) -> Iterator[Callable[..., Tab]]:
    """Opens browsers; at the end nothing was wrong in any."""
    tabs: list[Tab] = []

    def make(on: Daemon = daemon, **options: Any) -> Tab:
        tabs.append(Tab(browser, on, **(STILL | options)))
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


@pytest.fixture
def moderator(daemon: Daemon) -> Iterator[Callable[[str], Moderator]]:
    """Lets somebody moderate a room, where the daemon knows a site's users."""
    made: list[Moderator] = []

    def make(room: str) -> Moderator:
        made.append(Moderator(daemon, room))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def speaker(daemon: Daemon) -> Iterator[Callable[..., Speaker]]:
    """Makes people who talk by the protocol."""
    made: list[Speaker] = []

    def make(room: str, name: str = "Bo", token: str = "") -> Speaker:
        made.append(Speaker(daemon, room, name, token))
        return made[-1]

    yield make
    for each in made:
        each.close()
