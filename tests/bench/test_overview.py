"""`bench.overview`."""

from __future__ import annotations

from dataclasses import replace

from bench.ours import BEFORE, PURE
from bench.overview import overview, targets
from bench.peers.catalogue import Peer
from bench.results import Results, Run
from bench.scenarios import DELIVERIES, SCENARIOS
from bench.table import judged
from bench.targets import Target, judge
from tests.bench.fakes import CALM, FANOUT, RESUME, Fake, fakes, rows, runs

WS = Fake(name="ws", title="", known_as="ws (Node.js)")


def lines(results: Results, *peers: Peer) -> list[list[str]]:
    return rows(overview(results, [FANOUT, CALM, RESUME], peers))


def test_ratios_to_livechat() -> None:
    found = [*runs("livechat", 100_000, 100_000), *runs("ws", 25_000)]
    head, _, line = lines(Results(found), *fakes("livechat"), WS)
    assert head == ["load", "unit", "livechat", "ws (Node.js)"]
    assert line == [FANOUT.plain, "deliveries per CPU-second", "**100k**", "25k (0.25 ×)"]


def test_less_is_better() -> None:
    """The calm room shows its latency, where the smallest is the best."""
    found = [
        *runs("livechat", 1, scenario=CALM, p99_ms=20.0),
        *runs("ws", 9, scenario=CALM, p99_ms=30.0),
    ]
    (line,) = lines(Results(found), *fakes("livechat"), WS)[2:]
    assert line[1:] == ["ms until delivered, p99, *less is better*", "**20.0**", "30.0 (1.50 ×)"]


def test_equal_figures_are_both_best() -> None:
    found = [*runs("livechat", 72_600), *runs("ws", 73_300)]
    assert lines(Results(found), *fakes("livechat"), WS)[2][2:] == ["**73k**", "**73k** (1.01 ×)"]


def test_lone_livechat() -> None:
    assert lines(Results(runs("livechat", 5)), *fakes("livechat"))[2][2:] == ["5.00"]


def test_columns_are_livechat_its_peers_and_an_earlier_one() -> None:
    found = [each for name in ("livechat", "pure", BEFORE, "ws") for each in runs(name, 5)]
    peers = [*fakes("livechat"), PURE, *fakes(BEFORE), WS, *fakes("never-run")]
    assert lines(Results(found), *peers)[0][2:] == ["livechat", BEFORE, "ws (Node.js)"]


def test_failures_and_gaps() -> None:
    found = [
        *runs("livechat", 10, scenario=CALM, p99_ms=10.0),
        *runs("livechat", 10),
        Run(FANOUT.name, "ws", problem="lost"),
    ]
    _, _, busy, calm = lines(Results(found), *fakes("livechat"), WS)
    assert busy[3] == "1 of 1 failed"
    assert calm[3] == "–"


def test_busy_load_generator() -> None:
    found = [*runs("livechat", 10), *runs("ws", 5, cli_cpu_pct=99)]
    text = overview(Results(found), [FANOUT], [*fakes("livechat"), WS])
    assert rows(text)[2][3] == "5.00† (0.50 ×)"
    assert "- † The load generator's core" in text


def test_loads_in_plain_words_only() -> None:
    """Other loads have a line where none of these was asked for."""
    found = [*runs("livechat", 10), *runs("livechat", 10, scenario=RESUME)]
    assert [line[0] for line in lines(Results(found), *fakes("livechat"))[2:]] == [FANOUT.plain]
    text = overview(Results(found), [RESUME], fakes("livechat"))
    assert [line[0] for line in rows(text)[2:]] == [RESUME.title]


def test_nothing_without_livechat() -> None:
    assert overview(Results(runs("ws", 10)), [FANOUT], [WS]) == ""
    assert overview(Results(), [FANOUT], fakes("livechat")) == ""


def test_plain_words_are_different() -> None:
    plain = [each.plain for each in SCENARIOS if each.plain]
    assert len(plain) == len(set(plain)) > 5
    assert all(each.main in each.figures for each in SCENARIOS)


def test_targets_are_counted_and_missed_ones_named() -> None:
    found = [*runs("livechat", 100), *runs("uwebsockets", 50), *runs("ws", 50)]
    peers = fakes("livechat", "uwebsockets", "ws")
    assert targets(judged(Results(found), [FANOUT], peers)).splitlines() == [
        "Targets: 1 met, 1 missed, 1 not comparable.",
        "",
        "- missed: fanout-16, deliveries per CPU-second: ≥ 3 × ws; reached 2.00 ×",
    ]


def test_wishes_are_no_targets() -> None:
    wish = Target(FANOUT.name, DELIVERIES, 200.0, reach=True)
    missed = replace(wish, reach=False)
    verdicts = [judge(each, Results(runs("livechat", 100))) for each in (wish, missed)]
    assert targets([each for each in verdicts if each is not None]).splitlines() == [
        "Targets: 0 met, 1 missed, 0 not comparable.",
        "",
        "- missed: fanout-16, deliveries per CPU-second: ≥ 200; reached 100",
    ]
    assert targets([]) == ""
