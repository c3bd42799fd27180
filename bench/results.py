"""The results of the runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

#: What loadgen counts, of which there must be none.
FAULTS = (
    *("lost", "lost_on_disconnected", "dup", "out_of_order", "corrupt", "misrouted"),
    *("disconnects", "failed_conns", "http_err"),
)


@dataclass(frozen=True)
class Run:
    """
    One server under one load, once.

    @ivar report: what loadgen says; empty if it never came to that.
    @ivar problem: why it does not count; empty if all was well.
    """

    scenario: str
    server: str
    report: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


class Results:
    """All runs, by what was run."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> None:
        self._runs[run.scenario, run.server].append(run)

    def all(self) -> list[Run]:
        return [run for runs in self._runs.values() for run in runs]

    def of(self, scenario: str, server: str) -> Sequence[Run]:
        return self._runs.get((scenario, server), ())

    def failed(self, scenario: str, server: str) -> list[Run]:
        """The runs that failed: their figures count for nothing."""
        return [run for run in self.of(scenario, server) if run.problem]

    def values(self, scenario: str, server: str, key: str) -> list[float]:
        """A figure of each run that counts."""
        runs = self.of(scenario, server)
        return [run.report[key] for run in runs if not run.problem and key in run.report]

    def median(self, scenario: str, server: str, key: str) -> float | None:
        values = self.values(scenario, server, key)
        return median(values) if values else None

    def spread(self, scenario: str, server: str, key: str) -> float | None:
        """The spread of the runs, as a part of their median."""
        values = self.values(scenario, server, key)
        if len(values) < 2 or not median(values):
            return None
        return (max(values) - min(values)) / median(values)


def share(runs: Iterable[Run], part: str, whole: str) -> float | None:
    """The share of one figure in another, over all the runs; None if there is nothing of it."""
    counted = [run.report for run in runs if not run.problem]
    divisor = sum(report.get(whole, 0) for report in counted)
    return sum(report.get(part, 0) for report in counted) / divisor if divisor else None


def wrong(report: Mapping[str, Any]) -> str:
    """In words, what loadgen found to be wrong."""
    found = [f"{report[fault]:,} {fault}" for fault in FAULTS if report.get(fault)]
    return ": ".join(filter(None, [", ".join(found), str(report.get("first_error", ""))]))
