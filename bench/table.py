"""All results of a benchmark, as Markdown. The module `overview` has the short table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.ours import BEFORE, OURS
from bench.peers.catalogue import Peer
from bench.results import Results, share
from bench.scenarios import Figure, Scenario
from bench.targets import COSTS, TARGETS, Verdict, judge, resumption

#: Per cent of its core from which the load generator counts as the limit.
BUSY = 90
BUSY_NOTE = "† The load generator's core was the limit, or nearly."
#: Failed runs that are listed, and characters of each.
TOLD = 10
LONGEST = 300


@dataclass(frozen=True)
class Setting:
    """
    The measurement and its machine.

    @ivar machine: lines about the machine.
    @ivar runs: runs of each server under each load.
    @ivar missing: the reasons why servers cannot be started, by their names.
    """

    machine: Sequence[str]
    runs: int
    quick: bool = False
    missing: dict[str, str] = field(default_factory=dict)


def render(
    results: Results, scenarios: Sequence[Scenario], peers: Sequence[Peer], setting: Setting
) -> str:
    """Return all figures, and all verdicts."""
    parts = [
        measured(scenarios, setting),
        figures(results, scenarios, peers),
        bullets(notes(results, scenarios, peers)),
        verdicts(judged(results, scenarios, peers)),
        bullets(
            [
                *servers(peers),
                *(f"{name}: left out, {why}" for name, why in setting.missing.items()),
            ]
        ),
        bullets(setting.machine),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def judged(results: Results, scenarios: Sequence[Scenario], peers: Sequence[Peer]) -> list[Verdict]:
    """Judge all targets of the loads that were measured."""
    others = {peer.name for peer in peers} - {each.name for each in OURS}
    targets = COSTS if others == {BEFORE} else TARGETS
    known = {scenario.name for scenario in scenarios}
    found = (judge(target, results) for target in targets if target.scenario in known)
    return [verdict for verdict in found if verdict is not None]


def measured(scenarios: Sequence[Scenario], setting: Setting) -> str:
    """Say how often each load was run."""
    many = f"Medians of {setting.runs} runs"
    fewer = [each for each in scenarios if each.most and each.most < setting.runs]
    if fewer:
        many += f" ({', '.join(f'{each.most} of {each.name}' for each in fewer)})"
    if setting.runs == 1:
        many = "One run"
    return f"{many}{' of a second each, to check that all works' if setting.quick else ''}."


def figures(results: Results, scenarios: Sequence[Scenario], peers: Sequence[Peer]) -> str:
    """Return a table: a line for each figure, a column for each server."""
    lines = [["", "", *(peer.heading for peer in peers)]]
    for scenario in scenarios:
        title = f"{scenario.name}: {scenario.title}"
        for figure in scenario.figures:
            cells = [cell(results, scenario, figure, peer) for peer in peers]
            lines.append([title, figure.unit, *cells])
            title = ""
    return table(lines, numbers=range(2, len(lines[0])))


def cell(results: Results, scenario: Scenario, figure: Figure, peer: Peer) -> str:
    """Return a figure of one server, with its marks."""
    runs = results.of(scenario.name, peer.name)
    if not runs:
        return "–"
    value = results.median(scenario.name, peer.name, figure.key)
    failed = len(results.failed(scenario.name, peer.name))
    if value is None:
        return f"{failed} of {len(runs)} failed" if failed else "–"
    text = short(value)
    if busy(results, scenario, peer):
        text += "†"
    if (resumed := resumption(results, scenario.name, peer.name)) is not None:
        text += f" ({resumed:.0%} resumed)"
    return f"{text} ({failed} of {len(runs)} failed)" if failed else text


def busy(results: Results, scenario: Scenario, peer: Peer) -> bool:
    """Return true if the load generator's core was full, or nearly."""
    load = results.median(scenario.name, peer.name, "cli_cpu_pct")
    return load is not None and load >= BUSY


def any_busy(results: Results, scenarios: Iterable[Scenario], peers: Sequence[Peer]) -> bool:
    """Return true if the load generator's core was ever full, or nearly."""
    return any(busy(results, scenario, peer) for scenario in scenarios for peer in peers)


def notes(results: Results, scenarios: Sequence[Scenario], peers: Sequence[Peer]) -> list[str]:
    """Return notes below the table."""
    found = []
    if any_busy(results, scenarios, peers):
        found.append(BUSY_NOTE)
    for scenario in scenarios:
        without = [peer.name for peer in peers if peer.name in scenario.without]
        if without:
            found.append(f"{scenario.name} without {', '.join(without)}: {scenario.reason}.")
    for peer in peers:
        runs = [run for scenario in scenarios for run in results.of(scenario.name, peer.name)]
        beside = share(runs, "aux_cpu_s", "srv_cpu_s")
        if beside:
            found.append(
                f"{peer.name}: Redis, beside it, took another {beside:.1%} of its CPU seconds, "
                "which are not counted."
            )
    spreads = [
        spread
        for scenario in scenarios
        for peer in peers
        if (spread := results.spread(scenario.name, peer.name, scenario.figures[0].key)) is not None
    ]
    if spreads:
        found.append(
            f"From its lowest to its highest run, a server's figure varies by "
            f"{median(spreads):.0%} (median), at worst by {max(spreads):.0%}."
        )
    failed = [run for run in results.all() if run.problem]
    found += [
        f"Failed: {run.scenario} of {run.server}: {run.problem[-LONGEST:]}" for run in failed[:TOLD]
    ]
    if failed[TOLD:]:
        found.append(f"Failed: {len(failed) - TOLD} more.")
    return found


def verdicts(found: Iterable[Verdict]) -> str:
    """Return a table: a line for each target. Empty if there is none."""
    lines = [["", "", "target", "livechat", "the other", "ratio", ""]]
    before = ("", "")
    for verdict in found:
        target = verdict.target
        what = (target.scenario, target.figure.unit)
        shown = ("", "") if what == before else what
        before = what
        other = short(verdict.theirs) if target.server else ""
        ratio = f"{verdict.ratio:.2f}" if target.server and verdict.ratio is not None else ""
        lines.append([*shown, target.words(), short(verdict.ours), other, ratio, outcome(verdict)])
    return table(lines, numbers=range(3, 6)) if len(lines) > 1 else ""


def outcome(verdict: Verdict) -> str:
    """Say met or missed, and why."""
    if verdict.met is None:
        said = "cannot be said"
    elif verdict.target.reach:
        said = "reached" if verdict.met else "not reached"
    else:
        said = "met" if verdict.met else "**missed**"
    return f"{said} ({verdict.why})" if verdict.why else said


def servers(peers: Iterable[Peer]) -> list[str]:
    """Describe each server, with the versions of its parts."""
    return [
        f"{peer.heading}: {peer.title}; "
        + ", ".join(f"{name} {version}" for name, version in peer.versions().items())
        for peer in peers
    ]


def short(value: float | None) -> str:
    """Write a number in about three digits: 4.21, 38.4, 977, 4.0k, 93k, 1.42M."""
    if value is None:
        return "–"
    for limit, decimals, divisor, letter in (
        (9.995, 2, 1, ""),
        (99.95, 1, 1, ""),
        (999.5, 0, 1, ""),
        (9_950, 1, 1e3, "k"),
        (999_500, 0, 1e3, "k"),
    ):
        if value < limit:
            return f"{value / divisor:.{decimals}f}{letter}"
    return f"{value / 1e6:.2f}M"


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def table(lines: Sequence[Sequence[str]], numbers: range) -> str:
    """Return a table whose head is the first line. Columns of *numbers* are aligned right."""
    escaped = [[text.replace("|", "\\|") for text in line] for line in lines]
    widths = [max(3, *map(len, column)) for column in zip(*escaped, strict=True)]

    def row(cells: Iterable[str]) -> str:
        padded = [
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        f"{'-' * (width - 1)}{':' if column in numbers else '-'}"
        for column, width in enumerate(widths)
    ]
    return "\n".join([row(escaped[0]), row(rule), *map(row, escaped[1:])])
