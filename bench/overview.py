"""The last words of a benchmark: one table in plain words, and the targets."""

from __future__ import annotations

from collections.abc import Sequence

from bench.ours import LIVECHAT, OURS
from bench.peers.catalogue import Peer
from bench.results import Results
from bench.scenarios import Figure, Scenario
from bench.table import BUSY_NOTE, any_busy, bullets, cell, short, table
from bench.targets import Verdict

_NAMES = frozenset(each.name for each in OURS)
LEGEND = (
    "In parentheses: the figure as a multiple of livechat's. **Bold** is the best of its line. "
    "More is better; less is, where the unit is marked *less is better*."
)


def overview(results: Results, scenarios: Sequence[Scenario], peers: Sequence[Peer]) -> str:
    """
    Compare livechat with its peers.

    Loads that have no plain words are left out, unless all are; so are other kinds of livechat.
    Empty if livechat was not measured.
    """
    rows = [each for each in scenarios if each.plain] or scenarios
    compared = [
        peer
        for peer in peers
        if peer.name not in _NAMES and any(results.of(row.name, peer.name) for row in rows)
    ]
    livechat = [peer for peer in peers if peer.name == LIVECHAT.name]
    columns = [*livechat, *compared]
    lines = [["load", "unit", *(peer.known_as or peer.heading for peer in columns)]]
    lines += [_row(results, row, columns) for row in rows if results.of(row.name, LIVECHAT.name)]
    if not livechat or len(lines) == 1:
        return ""
    notes = [LEGEND, *([BUSY_NOTE] if any_busy(results, rows, columns) else [])]
    return f"{table(lines, numbers=range(2, len(lines[0])))}\n\n{bullets(notes)}"


def _row(results: Results, scenario: Scenario, peers: Sequence[Peer]) -> list[str]:
    figure = scenario.main
    unit = f"{figure.unit}, *less is better*" if figure.less else figure.unit
    best = _best(results, scenario, figure, peers)
    cells = []
    for peer in peers:
        text = cell(results, scenario, figure, peer)
        if peer.name in best:
            text = f"**{text}**"
        cells.append(text + _ratio(results, scenario, figure, peer))
    return [scenario.plain or scenario.title, unit, *cells]


def _best(
    results: Results, scenario: Scenario, figure: Figure, peers: Sequence[Peer]
) -> frozenset[str]:
    """Find the servers with the best figure, as it is shown."""
    found = {peer.name: results.median(scenario.name, peer.name, figure.key) for peer in peers}
    known = {name: value for name, value in found.items() if value is not None}
    if len(known) < 2:
        return frozenset()
    best = short((min if figure.less else max)(known.values()))
    return frozenset(name for name, value in known.items() if short(value) == best)


def _ratio(results: Results, scenario: Scenario, figure: Figure, peer: Peer) -> str:
    ours = results.median(scenario.name, LIVECHAT.name, figure.key)
    theirs = results.median(scenario.name, peer.name, figure.key)
    if peer.name == LIVECHAT.name or not ours or theirs is None:
        return ""
    return f" ({theirs / ours:.2f} ×)"


def targets(verdicts: Sequence[Verdict]) -> str:
    """Count the targets that were met, and name those that were missed. Empty if there are none."""
    asked = [each for each in verdicts if not each.target.reach]
    if not asked:
        return ""
    missed = [each for each in asked if each.met is False]
    unknown = sum(each.met is None for each in asked)
    met = len(asked) - len(missed) - unknown
    counted = f"Targets: {met} met, {len(missed)} missed, {unknown} not comparable."
    return "\n\n".join(filter(None, [counted, bullets(map(_missed, missed))]))


def _missed(verdict: Verdict) -> str:
    target = verdict.target
    reached = "no figure" if verdict.ours is None else short(verdict.ours)
    if target.server and verdict.ratio is not None:
        reached = f"{verdict.ratio:.2f} ×"
    text = f"missed: {target.scenario}, {target.figure.unit}: {target.words()}; reached {reached}"
    return f"{text} ({verdict.why})" if verdict.why else text
