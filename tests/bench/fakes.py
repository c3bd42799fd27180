"""Results without a measurement, for tests of tables and targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.peers.catalogue import Peer, Place
from bench.results import Results, Run
from bench.scenarios import SCENARIOS, Scenario
from bench.table import Setting, render

FANOUT = next(scenario for scenario in SCENARIOS if scenario.name == "fanout-16")
RESUME = next(scenario for scenario in SCENARIOS if scenario.resumes)
CALM = next(scenario for scenario in SCENARIOS if scenario.name == "calm")
HTTP = next(scenario for scenario in SCENARIOS if scenario.posts)


@dataclass(frozen=True, kw_only=True)
class Fake(Peer):
    """A server that is never started."""

    def versions(self) -> dict[str, str | None]:
        return {"library": "1.2"}

    def command(self, place: Place) -> list[str]:
        return []


def fakes(*names: str) -> list[Peer]:
    return [Fake(name=name, title=f"title of {name}") for name in names]


def runs(server: str, *figures: float, scenario: Scenario = FANOUT, **more: Any) -> Iterable[Run]:
    """Make a run for each of *figures*, which are the scenario's first."""
    key = scenario.figures[0].key
    return [Run(scenario.name, server, {key: figure, **more}) for figure in figures]


def rows(text: str) -> list[list[str]]:
    """Read the cells of all tables."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def rendered(results: Results, *names: str, scenario: Scenario = FANOUT, **setting: Any) -> str:
    given = {"machine": ["2030-01-31; a machine"], "runs": 5, **setting}
    return render(results, [scenario], fakes(*names), Setting(**given))
