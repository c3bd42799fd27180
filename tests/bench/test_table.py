"""`bench.table`."""

from __future__ import annotations

from dataclasses import replace

from bench.ours import BEFORE, SERVED
from bench.results import Results, Run
from bench.scenarios import DELIVERIES
from bench.table import Setting, render, short
from tests.bench.fakes import CALM, FANOUT, RESUME, fakes, rendered, rows, runs


def test_numbers_are_written_for_readers() -> None:
    numbers = (None, 0.0, 4.204, 9.996, 38.44, 977.2, 999.7, 4_040, 92_730, 999_600, 5_366_150)
    assert [*map(short, numbers)] == [
        *("–", "0.00", "4.20", "10.0", "38.4", "977", "1.0k", "4.0k", "93k", "1.00M", "5.37M")
    ]


def test_row_for_each_figure() -> None:
    scenario = replace(CALM, without=())
    (first,) = runs("livechat", 80_000, scenario=scenario, p50_ms=7.5, p99_ms=15.25)
    text = rendered(Results([first]), "livechat", scenario=scenario)
    head, rule, *lines = rows(text)[:5]
    assert head == ["", "", "livechat"]
    assert rule[2].endswith("-:")
    assert lines == [
        [f"calm: {scenario.title}", "deliveries per CPU-second", "80k"],
        ["", "ms until delivered, median", "7.50"],
        ["", "ms until delivered, p99", "15.2"],
    ]


def test_runs_servers_and_machine() -> None:
    text = rendered(Results(runs("livechat", 1)), "livechat", missing={"nchan": "nginx not there"})
    assert text.startswith("Medians of 5 runs.\n")
    assert "- livechat: title of livechat; library 1.2\n" in text
    assert "- nchan: left out, nginx not there\n" in text
    assert text.endswith("- 2030-01-31; a machine\n")
    assert rendered(Results(), quick=True, runs=1).startswith("One run of a second each")
    fewer = rendered(Results(), scenario=replace(FANOUT, most=3))
    assert fewer.startswith("Medians of 5 runs (3 of fanout-16).\n")


def test_failure_is_shown() -> None:
    results = Results(runs("livechat", 1, 3))
    results.add(Run(FANOUT.name, "livechat", {DELIVERIES.key: 900}, "12 lost: frame\nbroken"))
    results.add(Run(FANOUT.name, "other", {}, "does not serve"))
    text = rendered(results, "livechat", "other", "third")
    assert rows(text)[2][2:] == ["2.00 (1 of 3 failed)", "1 of 1 failed", "–"]
    assert "- Failed: fanout-16 of livechat: 12 lost: frame broken\n" in text
    assert "- Failed: fanout-16 of other: does not serve\n" in text


def test_only_some_failures_are_listed() -> None:
    failed = Run(FANOUT.name, "livechat", {}, "x" * 10_000)
    text = rendered(Results([failed] * 50), "livechat")
    assert "- Failed: 40 more.\n" in text
    assert len(text) < 10_000


def test_remarks_stand_below_the_table() -> None:
    found = Results(runs("a", 1, 2, cli_cpu_pct=97.0, aux_cpu_s=1.0, srv_cpu_s=4.0))
    text = rendered(found, "a")
    assert rows(text)[2][2] == "1.50†"
    assert "- † " in text
    assert "- a: Redis, beside it, took another 25.0% of" in text
    assert "varies by 67% (median)" in text
    reason = rendered(Results(), "a", CALM.without[0], scenario=CALM)
    assert f"- calm without {CALM.without[0]}: {CALM.reason}.\n" in reason


def test_share_of_resumed_handshakes() -> None:
    found = [
        *runs("livechat", 10, scenario=RESUME, hs_resumed=99, conns_open=100),
        *runs("other", 10, scenario=RESUME, hs_resumed=0, conns_open=100),
    ]
    text = rendered(Results(found), "livechat", "other", scenario=RESUME)
    assert rows(text)[2][2:] == ["10.0", "10.0 (0% resumed)"]


def test_cost_of_a_change() -> None:
    """Beside another revision of livechat alone, the targets are those of a change."""
    found = [*runs("livechat", 94), *runs(BEFORE, 100), *runs("ws", 50)]
    lines = rows(rendered(Results(found), "livechat", BEFORE))[3:]
    (line,) = lines[2:]
    assert line[2:] == ["≥ 0.95 × before", "94.0", "100", "0.94", "**missed**"]


def test_other_revision_beside_other_servers() -> None:
    """The other revision has a column, and the targets are those beside other servers."""
    found = [*runs("livechat", 94), *runs(BEFORE, 100), *runs("ws", 50)]
    text = rendered(Results(found), "livechat", BEFORE, "ws")
    assert rows(text)[0][2:] == ["livechat", BEFORE, "ws"]
    assert "× before" not in text


def test_targets_are_shown() -> None:
    found = [*runs("livechat", 100), *runs("uwebsockets", 50), *runs("ws", 50)]
    lines = rows(rendered(Results(found), "livechat", "uwebsockets", "ws"))[3:]
    assert lines[2:] == [
        [
            "fanout-16",
            "deliveries per CPU-second",
            "≥ 1 × uwebsockets",
            "100",
            "50.0",
            "2.00",
            "met",
        ],
        ["", "", "≥ 3 × ws", "100", "50.0", "2.00", "**missed**"],
        ["", "", "≥ 10 × nchan", "100", "–", "", "cannot be said (nchan was not measured)"],
    ]


def test_targets_of_pure_livechat() -> None:
    found = [*runs("livechat", 100), *runs("pure", 70), *runs(BEFORE, 80)]
    text = render(
        Results(found),
        [FANOUT],
        [*SERVED, *fakes(BEFORE)],
        Setting(["a machine"], 5),
    )
    assert [[line[2], line[-1]] for line in rows(text)[5:]] == [
        ["≥ 0.95 × before", "met"],
        ["pure: ≥ 0.95 × before", "**missed**"],
    ]
