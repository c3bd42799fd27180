"""What the benchmark makes of its runs: `bench.run`, `bench.table`, `bench.targets`."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from bench.moderated import RESTRICTIONS, ROOMS, SETTINGS, write_maps
from bench.ours import (
    BEFORE,
    HOOKED,
    LIVECHAT,
    OURS,
    PURE,
    SERVED,
    UNSTORED,
    Livechat,
    before,
)
from bench.peers.catalogue import PEERS, Peer, Place, Sending
from bench.results import Results, Run, share, wrong
from bench.run import BEGIN, END, README, arguments, between, chosen, outcome, plan, rotated
from bench.scenarios import DELIVERIES, HANDSHAKES, PING_EVERY, ROUNDS, SCENARIOS, Scenario
from bench.table import Setting, render, short
from bench.targets import TARGETS, Target, judge
from bench.unstored import EPOCH, UnstoredBackend
from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.maps import MapsFile
from livechat.errors import Kind
from livechat.interfaces import IBackend
from livechat.members.pinging import PING_EVERY as SECONDS_BETWEEN_PINGS
from livechat.protocol.messages import Draft, Message, Newest, Retraction
from livechat.system.time import Time
from tests.map_contract import REPORT
from tests.support import RecordingSink, kind, make_free_rules, result
from tests.support.outcomes import amend, publish

FANOUT = next(scenario for scenario in SCENARIOS if scenario.name == "fanout-16")
RESUME = next(scenario for scenario in SCENARIOS if scenario.resumes)
CALM = next(scenario for scenario in SCENARIOS if scenario.name == "calm")
HTTP = next(scenario for scenario in SCENARIOS if scenario.posts)


@dataclass(frozen=True, kw_only=True)
class Fake(Peer):
    """A server that is nowhere."""

    def versions(self) -> dict[str, str | None]:
        return {"library": "1.2"}

    def command(self, place: Place) -> list[str]:
        raise NotImplementedError


def fakes(*names: str) -> list[Peer]:
    return [Fake(name=name, title=f"title of {name}") for name in names]


def runs(server: str, *figures: float, scenario: Scenario = FANOUT, **more: Any) -> Iterable[Run]:
    """A run for each figure, which is the scenario's first."""
    key = scenario.figures[0].key
    return [Run(scenario.name, server, {key: figure, **more}) for figure in figures]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def rendered(results: Results, *names: str, scenario: Scenario = FANOUT, **setting: Any) -> str:
    given = {"machine": ["2030-01-31; a machine"], "runs": 5, **setting}
    return render(results, [scenario], fakes(*names), Setting(**given))


# Results.


def test_medians() -> None:
    results = Results(runs("livechat", 5, 1, 3))
    assert results.median(FANOUT.name, "livechat", DELIVERIES.key) == 3
    assert results.spread(FANOUT.name, "livechat", DELIVERIES.key) == pytest.approx(4 / 3)
    assert results.median(FANOUT.name, "livechat", "p50_ms") is None
    assert results.median(FANOUT.name, "another", DELIVERIES.key) is None
    assert results.spread(FANOUT.name, "another", DELIVERIES.key) is None


def test_what_failed_counts_for_nothing() -> None:
    failed = Run(FANOUT.name, "livechat", {DELIVERIES.key: 1_000}, "12 lost")
    results = Results([*runs("livechat", 1, 3), failed])
    assert results.median(FANOUT.name, "livechat", DELIVERIES.key) == 2
    assert results.failed(FANOUT.name, "livechat") == [failed]


def test_shares() -> None:
    found = runs("livechat", 1, 1, aux_cpu_s=1, srv_cpu_s=4)
    assert share(found, "aux_cpu_s", "srv_cpu_s") == 0.25
    assert share([], "aux_cpu_s", "srv_cpu_s") is None


def test_what_is_wrong() -> None:
    report = {"lost": 1_200, "dup": 0, "disconnects": 3, "first_error": "cut off"}
    assert wrong(report) == "1,200 lost, 3 disconnects: cut off"
    assert not wrong({"lost": 0, "first_error": ""})


# Runs.


@pytest.mark.parametrize(
    ("code", "output", "errors", "problem"),
    [
        (0, '{"lost": 0, "deliv_per_cpu_s": 1}', "-- summary", ""),
        (1, '{"lost": 7, "first_error": ""}', "-- summary", "7 lost"),
        (1, '{"lost": 0, "first_error": "ramp timed out"}', "", "ramp timed out"),
        (2, "", "RLIMIT_NOFILE is 1024", "RLIMIT_NOFILE is 1024"),
        (-9, "", "", "loadgen ended with -9"),
        (0, '{"deliv_per_cpu_s": 0}', "", "nothing measured: deliveries per CPU-second"),
    ],
)
def test_what_loadgen_says(code: int, output: str, errors: str, problem: str) -> None:
    (peer,) = fakes("livechat")
    run = outcome(FANOUT, peer, subprocess.CompletedProcess([], code, output, errors))
    assert run == Run(FANOUT.name, "livechat", json.loads(output or "{}"), problem)


def test_turns() -> None:
    assert [rotated("abc", by) for by in range(4)] == [
        list("abc"), list("bca"), list("cab"), list("abc"),
    ]  # fmt: skip
    assert rotated([], 1) == []


def test_all_is_run_as_often_and_begun_by_each() -> None:
    scenarios = [FANOUT, replace(RESUME, most=2)]
    planned = list(plan(scenarios, fakes("a", "b", "c"), 3))
    assert [peer.name for number, each, peer in planned if each is FANOUT] == [*"abcbcacab"]
    assert [number for number, each, peer in planned if each is FANOUT] == [0] * 3 + [1] * 3 + [
        2
    ] * 3
    assert Counter(each.name for _, each, _ in planned) == {FANOUT.name: 9, RESUME.name: 6}


def test_who_is_left_out() -> None:
    poster = Fake(name="poster", title="", sending=Sending("/", "%M"))
    spinner, other = fakes(CALM.without[0], "other")
    assert [peer.name for _, _, peer in plan([HTTP], [poster, spinner, other], 1)] == ["poster"]
    assert [peer.name for _, _, peer in plan([CALM], [spinner, other], 1)] == ["other"]


# The table.


def test_numbers() -> None:
    numbers = (None, 0.0, 4.204, 9.996, 38.44, 977.2, 999.7, 4_040, 92_730, 999_600, 5_366_150)
    assert [*map(short, numbers)] == [
        *("–", "0.00", "4.20", "10.0", "38.4", "977", "1.0k", "4.0k", "93k", "1.00M", "5.37M")
    ]


def test_a_row_for_each_figure() -> None:
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


def test_what_was_run() -> None:
    text = rendered(Results(runs("livechat", 1)), "livechat", missing={"nchan": "nginx not there"})
    assert text.startswith("Medians of 5 runs.\n")
    assert "- livechat: title of livechat; library 1.2\n" in text
    assert "- nchan: left out, nginx not there\n" in text
    assert text.endswith("- 2030-01-31; a machine\n")
    assert rendered(Results(), quick=True, runs=1).startswith("One run of a second each")
    fewer = rendered(Results(), scenario=replace(FANOUT, most=3))
    assert fewer.startswith("Medians of 5 runs (3 of fanout-16).\n")


def test_a_failure_is_shown() -> None:
    results = Results(runs("livechat", 1, 3))
    results.add(Run(FANOUT.name, "livechat", {DELIVERIES.key: 900}, "12 lost: frame\nbroken"))
    results.add(Run(FANOUT.name, "other", {}, "does not serve"))
    text = rendered(results, "livechat", "other", "third")
    assert rows(text)[2][2:] == ["2.00 (1 of 3 failed)", "1 of 1 failed", "–"]
    assert "- Failed: fanout-16 of livechat: 12 lost: frame broken\n" in text
    assert "- Failed: fanout-16 of other: does not serve\n" in text


def test_failures_are_not_told_for_ever() -> None:
    failed = Run(FANOUT.name, "livechat", {}, "x" * 10_000)
    text = rendered(Results([failed] * 50), "livechat")
    assert "- Failed: 40 more.\n" in text
    assert len(text) < 10_000


def test_remarks() -> None:
    found = Results(runs("a", 1, 2, cli_cpu_pct=97.0, aux_cpu_s=1.0, srv_cpu_s=4.0))
    text = rendered(found, "a")
    assert rows(text)[2][2] == "1.50†"
    assert "- † " in text
    assert "- a: what runs beside it, Redis, took another 25.0% of" in text
    assert "varies by 67% (median)" in text
    reason = rendered(Results(), "a", CALM.without[0], scenario=CALM)
    assert f"- calm without {CALM.without[0]}: {CALM.reason}.\n" in reason


def test_handshakes_that_were_not_resumed() -> None:
    found = [
        *runs("livechat", 10, scenario=RESUME, hs_resumed=99, conns_open=100),
        *runs("other", 10, scenario=RESUME, hs_resumed=0, conns_open=100),
    ]
    text = rendered(Results(found), "livechat", "other", scenario=RESUME)
    assert rows(text)[2][2:] == ["10.0", "10.0 (0% resumed)"]


# Targets.

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
def test_verdicts(target: Target, ours: float, theirs: float, met: bool) -> None:
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


def test_nobody_to_compare_with() -> None:
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


def test_the_others_failures_are_told() -> None:
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


def test_what_a_change_costs() -> None:
    """Beside another revision's livechat it is told how much it has lost, and nothing else."""
    found = [*runs("livechat", 94), *runs(BEFORE, 100), *runs("ws", 50)]
    lines = rows(rendered(Results(found), "livechat", BEFORE))[3:]
    (line,) = lines[2:]
    assert line[2:] == ["≥ 0.95 × before", "94.0", "100", "0.94", "**missed**"]


def test_another_revision_beside_other_servers() -> None:
    """The other revision has a column, and the targets are those beside other servers."""
    found = [*runs("livechat", 94), *runs(BEFORE, 100), *runs("ws", 50)]
    text = rendered(Results(found), "livechat", BEFORE, "ws")
    assert rows(text)[0][2:] == ["livechat", BEFORE, "ws"]
    assert "× before" not in text


def test_a_working_copy(tmp_path: Path) -> None:
    """Another livechat is the one that was set up there, or it is said that none was."""
    with pytest.raises(ValueError, match=r"there is no .*twistd"):
        before(tmp_path)
    program = tmp_path / ".venv" / "bin" / "twistd"
    program.parent.mkdir(parents=True)
    program.touch()
    assert before(tmp_path).program == (str(program),)


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


def test_clusters() -> None:
    """They have scenarios of their own, in which few others are."""
    for scenario in SCENARIOS:
        found = {peer.name for peer in (*OURS, *PEERS) if scenario.suits(peer)}
        clustered = {peer.name for peer in (*OURS, *PEERS) if peer.clustered}
        assert scenario.clustered == bool(found & clustered)
        if scenario.only:
            assert found == (clustered if scenario.clustered else set()) | set(scenario.only)
        else:
            assert not found & clustered
            assert "livechat" in found


def test_what_is_named_is_there() -> None:
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


# README.md.


def test_the_results_have_their_place() -> None:
    text = f"before\n{BEGIN}old\n{END}after\n"
    once = between(text, "new\n")
    assert once == f"before\n{BEGIN}\nnew\n\n{END}after\n"
    assert between(once, "new\n") == once
    assert between(README.read_text(encoding="utf-8"), "new\n")
    with pytest.raises(ValueError, match="not there"):
        between("before", "new")


# livechat that stores nothing.


def test_nothing_is_stored() -> None:
    clock, sink = Clock(), RecordingSink()
    backend = UnstoredBackend(clock)
    assert verifyObject(IBackend, backend)
    backend.start(sink, lambda: REPORT)
    result(backend.messages.subscribe("a"))
    answers = [publish(backend.messages, Draft(room, text)) for room, text in ("ax", "by", "az")]
    assert not sink.delivered
    clock.advance(0)
    messages: list[Message] = [result(answer) for answer in answers]
    assert [(each.message, each.seq) for each in messages] == [("x", 1), ("y", 1), ("z", 2)]
    assert sink.delivered == [("a", EPOCH, messages[0]), ("a", EPOCH, messages[2])]
    page = result(backend.messages.read("a", 0, 100))
    assert (page.position.seq, page.position.oldest, page.messages) == (2, 3, ())
    assert result(backend.messages.newest(["a", "c"])) == {"a": Newest(2, messages[2].time)}
    assert kind(amend(backend.messages, Retraction("a", (1,)))) is Kind.NOT_FOUND
    assert backend.trouble() is None


def test_what_waits_is_delivered_at_the_end() -> None:
    sink = RecordingSink()
    backend = UnstoredBackend(Clock())
    backend.start(sink, lambda: REPORT)
    result(backend.messages.subscribe("a"))
    answer = publish(backend.messages, Draft("a", "x"))
    result(backend.stop())
    assert result(answer).seq == 1
    assert kind(publish(backend.messages, Draft("a", "y"))) is Kind.UNAVAILABLE
    result(backend.stop())


def test_moderated(tmp_path: Path) -> None:
    """What is written before the start is what a livechat finds in its maps."""
    write_maps(tmp_path / "state")
    file, rules = MapsFile(tmp_path / "state"), make_free_rules(Time(Clock()))
    for name, found in (("restrictions", rules.restrictions), ("rooms", rules.settings)):
        shared: Any = found._shared
        shared.replace(file.read(name))
        shared.tell(())
    restrictions = [*rules.restrictions.items()]
    assert len(restrictions) == RESTRICTIONS
    assert {where for where, _, _ in restrictions} > {"*", "room1"}
    assert len(rules.settings.changed()) == ROOMS
    assert rules.settings.of("room0").topic == SETTINGS.topic


# livechat in rooms that exist, and without its native part.


def test_existing_rooms(tmp_path: Path) -> None:
    """The livechat that is measured finds a message in each of the rooms."""
    place = Place(1, tmp_path, tmp_path, tmp_path)
    assert replace(LIVECHAT, existing=3).first(place) == {}
    database = Database(tmp_path / "state", Retention(), time.time, time.monotonic)
    database.prepare()
    found = database.newest([f"existing-{number}" for number in range(4)])
    database.close()
    database.release()
    assert [newest.seq for newest in found.values()] == [1, 1, 1]


@pytest.mark.parametrize("ours", [*SERVED, UNSTORED], ids=lambda ours: ours.name)
def test_no_rooms_and_no_helpers_unless_asked_for(tmp_path: Path, ours: Livechat) -> None:
    assert ours.first(Place(1, tmp_path, tmp_path, tmp_path)) == {}
    assert not [*tmp_path.iterdir()]


def test_webhook_receiver_runs_beside_livechat(tmp_path: Path) -> None:
    (command,) = HOOKED.first(Place(1, tmp_path, tmp_path, tmp_path)).values()
    assert "bench.receiver" in command
    assert "--webhook" in HOOKED.command(Place(1, tmp_path, tmp_path, tmp_path))


def test_without_the_native_part(tmp_path: Path) -> None:
    place = Place(1, tmp_path, tmp_path, tmp_path)
    assert "LIVECHAT_PURE" not in LIVECHAT.environment(place)
    assert PURE.environment(place) == {**LIVECHAT.environment(place), "LIVECHAT_PURE": "1"}
    assert PURE.command(place) == LIVECHAT.command(place)
    assert rows(render(Results(), [FANOUT], SERVED, Setting([], 5)))[0][2:] == [
        "livechat",
        "livechat, pure",
    ]


def test_what_is_chosen(tmp_path: Path) -> None:
    def names(*words: str) -> list[list[str]]:
        found = chosen(arguments().parse_args(words))
        return [[each.name for each in part] for part in found]

    ours, others = [each.name for each in OURS], [each.name for each in PEERS]
    assert names() == [ours, others]
    assert names("--ours", "pure", "livechat", "--peers", "ws") == [["livechat", "pure"], ["ws"]]
    program = tmp_path / ".venv" / "bin" / "twistd"
    program.parent.mkdir(parents=True)
    program.touch()
    earlier = "--before", str(tmp_path)
    assert names(*earlier) == [["livechat", BEFORE], []]
    assert names(*earlier, "--ours", "livechat", "pure") == [["livechat", "pure", BEFORE], []]
    assert names(*earlier, "--peers", "ws") == [["livechat", BEFORE], ["ws"]]


def test_before_is_where_livechat_is(tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "twistd"
    program.parent.mkdir(parents=True)
    program.touch()
    earlier = before(tmp_path)
    assert all(each.suits(earlier) == each.suits(LIVECHAT) for each in SCENARIOS)


def test_pings_are_measured_in_whole_rounds() -> None:
    scenario = next(each for each in SCENARIOS if each.name == "idle-pings")
    assert PING_EVERY == SECONDS_BETWEEN_PINGS
    for duration in (scenario.duration, scenario.least):
        assert duration % PING_EVERY == 0
    assert ROUNDS >= 1


def test_targets_of_the_pure_one_are_told_apart() -> None:
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
