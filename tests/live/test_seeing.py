"""Two workers seen by operators: metrics, the Health page, traces."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.backends.redis.server import RedisServer
from tests.live.browser import Profiles, Tab
from tests.live.daemon import CHEAP, PATIENCE, ROOT, Daemon, Output, eventually

LIVECHAT: Final = str(Path(sys.executable).with_name("livechat"))
#: Figures of Prometheus itself, and those that only a lone process has.
NOT_OURS: Final = {"up", "ALERTS"}
OF_ONE: Final = "livechat_process_"
#: A name in an expression, perhaps with what its labels must be.
SELECTED: Final = re.compile(r"\b(livechat_\w+|up)\b(?:\{([^}]*)\})?")
#: An address without a receiver; the failures are counted.
WEBHOOK: Final = "--webhook=http://127.0.0.1:9/"
LABEL: Final = re.compile(r'(\w+)=(~?)"([^"]*)"')


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Two workers, both ready."""
    directory = tmp_path_factory.mktemp("several")
    with (
        RedisServer(directory / "redis") as redis,
        Daemon(
            directory,
            f"--redis={redis.url}",
            "--workers=2",
            WEBHOOK,
            "--max-connections-per-ip=0",
            environment=CHEAP,
        ) as running,
    ):
        running.log.wait_for(r"is ready, with 2 workers")
        for number in (1, 2):
            running.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
        yield running


def asked() -> list[str]:
    """All expressions of the dashboard and of the alerts."""
    board: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    found = [each["expr"] for panel in board["panels"] for each in panel.get("targets", ())]
    found += [each["query"]["query"] for each in board["templating"]["list"][1:]]
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"][0]["rules"]
    return found + [each["expr"] for each in rules]


def shown(text: str) -> dict[str, list[dict[str, str]]]:
    """The labels of each figure."""
    found: dict[str, list[dict[str, str]]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        parts = {key: value for key, _, value in LABEL.findall(labels)}
        found.setdefault(name, []).append(parts)
    return found


def missing(expressions: list[str], figures: dict[str, list[dict[str, str]]]) -> set[str]:
    """Names and label values that are asked for and missing."""
    found = set()
    for expression in expressions:
        for name, selector in SELECTED.findall(expression):
            if name in NOT_OURS:
                continue
            wanted = [each for each in LABEL.findall(selector) if "$" not in each[2]]
            wanted = [each for each in wanted if each[0] not in ("job", "instance")]
            for label, matches, value in wanted:
                values = [value] if not matches else value.split("|")
                there = {each.get(label) for each in figures.get(name, ())}
                found |= {f"{name}{{{label}={each}}}" for each in values if each not in there}
            if name not in figures:
                found.add(name)
    return found


def test_figures_of_the_dashboard_are_exposed(several: Daemon, start: Any) -> None:
    """All that the dashboard and the alerts look at is there, with these labels."""
    expressions, alone = asked(), start(WEBHOOK)

    def lacks(daemon: Daemon, but: str) -> set[str]:
        found = missing(expressions, shown(daemon.curl(f"{daemon.url}/metrics")))
        return {each for each in found if not re.match(but, each)}

    # Workers tell each other what they count once a second; the first request is none before.
    eventually(lambda: not lacks(several, OF_ONE))
    eventually(lambda: not lacks(alone, "livechat_redis"))
    workers = shown(several.curl(f"{several.url}/metrics"))
    grouped = {each for text in expressions for each in re.findall(r"by \(([^)]*)\)", text)}
    labels = {each.strip() for group in grouped for each in group.split(",")}
    there = {label for each in workers.values() for parts in each for label in parts}
    assert labels - there == {"job", "instance"}


def test_that_guard_works() -> None:
    """A name, a value of a label and an alternative that are nowhere are found."""
    there = shown('livechat_a_total{code="x"} 1.0\nlivechat_b 2.0\n')
    assert missing(['rate(livechat_a_total{code="x"}[5m]) + livechat_b'], there) == set()
    assert missing(['livechat_a_total{code=~"x|y"}', "livechat_c"], there) == {
        "livechat_a_total{code=y}", "livechat_c",
    }  # fmt: skip


class Tracer:
    """``livechat trace`` on the daemon's machine."""

    def __init__(self, daemon: Daemon, *words: str) -> None:
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [LIVECHAT, "--state", "state", "trace", *words, "--json"],
            cwd=daemon.directory,
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        self.output = Output(reading)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.output.text.splitlines() if each[:1] == "{"]

    def stop(self) -> int:
        """Stop it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self.output.close()
        return code


def test_a_trace_shows_members_at_all_workers(several: Daemon) -> None:
    """The command shows the frames of members at all workers, whichever it asks."""
    before = several.members(2)
    tracer = Tracer(several, "r", "--for", "4m")
    tracer.output.wait_for("tracing for 240 seconds")
    members = several.members(2)
    tracer.output.wait_for(r'"way": "open"', len(members))
    members[0].send('{"message": "a secret"}')
    for each in (*before, *members):
        each.recv()
    tracer.output.wait_for(r'"way": "in"')
    tracer.output.wait_for(r'"way": "out", [^\n]*"members"', 2)
    members[0].close(4321)
    tracer.output.wait_for(r'"code": 4321')
    assert tracer.stop() == 130
    found = tracer.lines()
    assert len({each["process"] for each in found}) == 2
    assert sum(each.get("members", 0) for each in found) == len(before) + len(members)
    assert "secret" not in tracer.output.text
    for each in (*before, *members[1:]):
        each.close()


def test_the_health_page_shows_workers_and_redis(several: Daemon, browser: Profiles) -> None:
    """The page of two workers and their Redis: live, for everybody, on any window, and dark."""
    views: list[dict[str, Any]] = [
        {},
        {"color_scheme": "dark"},
        {"viewport": {"width": 320, "height": 568}},
    ]
    for options in views:
        tab = Tab(browser, several, **options)
        tab.sign_in("/admin/health/")
        tab.live()
        tiles = tab.page.locator('[data-part="health_now"] .tile').all_inner_texts()
        assert any(re.match(r"unix\S*\s+Working", each) for each in tiles), tiles
        assert any(re.match(r"Workers\s+2\s+of 2", each) for each in tiles), tiles
        assert tab.page.locator('[data-part="health_processes"] dt').count() == 2
        assert tab.page.locator('[data-part="health_day"] svg').count() >= 12
        assert tab.findings() == []
        tab.close()
        assert tab.complaints == []
