"""`bench.targets`."""

from __future__ import annotations

import pytest

from bench.ours import OURS
from bench.peers.catalogue import PEERS
from bench.results import Results, Run
from bench.scenarios import DELIVERIES, HANDSHAKES, SCENARIOS
from bench.targets import TARGETS, Target, judge
from tests.bench.fakes import FANOUT, RESUME, runs

FASTER = Target(FANOUT.name, DELIVERIES, 1.5, "ws")
SMALLER = Target(FANOUT.name, DELIVERIES, 1.0, "ws", most=True)


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "met"),
    [
        (FASTER, 150, 100, True),
        (FASTER, 149, 100, False),
        (SMALLER, 100, 100, True),
        (SMALLER, 101, 100, False),
    ],
)
def test_each_target_has_its_verdict(target: Target, ours: float, theirs: float, met: bool) -> None:
    verdict = judge(target, Results([*runs("livechat", ours), *runs("ws", theirs)]))
    assert verdict is not None
    assert (verdict.ours, verdict.theirs, verdict.met) == (ours, theirs, met)
    assert verdict.ratio == ours / theirs
    assert not verdict.why


def test_targets_without_another_server() -> None:
    target = Target(FANOUT.name, DELIVERIES, 2_500)
    for figure, met in ((2_500, True), (2_499, False)):
        verdict = judge(target, Results(runs("livechat", figure)))
        assert verdict is not None
        assert verdict.met is met


def test_peer_not_measured() -> None:
    verdict = judge(FASTER, Results(runs("livechat", 1)))
    assert verdict is not None
    assert verdict.met is None
    assert verdict.why == "ws was not measured"
    assert judge(FASTER, Results(runs("ws", 1))) is None


def test_failures_miss_targets() -> None:
    failed = Run(FANOUT.name, "livechat", {}, "1 lost")
    verdict = judge(FASTER, Results([*runs("livechat", 200, 200), failed, *runs("ws", 100)]))
    assert verdict is not None
    assert verdict.met is False
    assert verdict.why == "1 of 3 of livechat failed"


def test_failures_of_peers_are_told() -> None:
    failed = Run(FANOUT.name, "ws", {}, "1 lost")
    verdict = judge(FASTER, Results([*runs("livechat", 200), *runs("ws", 100), failed]))
    assert verdict is not None
    assert verdict.met is True
    assert verdict.why == "1 of 2 of ws failed"


def test_resumption_is_compared_with_full_handshakes() -> None:
    connect = next(each for each in SCENARIOS if each.name == "connect")
    target = Target(RESUME.name, HANDSHAKES, 2.0, "livechat", (connect.name,))
    for resumed, met, why in ((100, True, ""), (50, False, "50% resumed")):
        found = [
            *runs("livechat", 10, scenario=connect),
            *runs("livechat", 20, scenario=RESUME, hs_resumed=resumed, conns_open=100),
        ]
        verdict = judge(target, Results(found))
        assert verdict is not None
        assert (verdict.theirs, verdict.met, verdict.why) == (10, met, why)


def test_named_servers_and_figures_exist() -> None:
    names = {peer.name for peer in (*OURS, *PEERS)}
    figures = {scenario.name: scenario.figures for scenario in SCENARIOS}
    assert len(figures) == len(SCENARIOS)
    named = {name for each in SCENARIOS for name in (*each.without, *each.only)}
    assert named | {target.ours for target in TARGETS} <= names
    for target in TARGETS:
        assert target.figure in figures[target.scenario]
        for baseline in target.baselines:
            assert target.figure in figures[baseline]
        assert not target.server or target.server in names
