"""`bench.run`."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench import run
from bench.ours import BEFORE, OURS
from bench.peers.catalogue import PEERS, Sending
from bench.peers.serving import Running
from bench.results import Run
from bench.run import (
    BEGIN,
    END,
    README,
    arguments,
    between,
    chosen,
    load,
    outcome,
    plan,
    rotated,
)  # fmt: skip
from tests.bench.fakes import CALM, FANOUT, HTTP, RESUME, Fake, fakes


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
def test_outcome_of_loadgen(code: int, output: str, errors: str, problem: str) -> None:
    (peer,) = fakes("livechat")
    found = outcome(FANOUT, peer, subprocess.CompletedProcess([], code, output, errors))
    assert found == Run(FANOUT.name, "livechat", json.loads(output or "{}"), problem)


@pytest.mark.parametrize(
    ("beside", "sleeps", "spins"), [((), False, True), ((7,), False, False), ((), True, False)]
)
def test_the_load_generator_spins_unless_it_shares_its_core(
    beside: tuple[int, ...], sleeps: bool, spins: bool
) -> None:
    """The load generator spins unless its core is shared, or it is asked to sleep for all."""
    (peer,) = fakes("livechat")
    command = load(FANOUT, Running(peer, 443, (1,), beside), sleeps)
    assert ("--spin" in command) == spins


def test_servers_take_turns() -> None:
    assert [rotated("abc", by) for by in range(4)] == [
        list("abc"), list("bca"), list("cab"), list("abc"),
    ]  # fmt: skip
    assert rotated([], 1) == []


def test_equal_runs_begun_by_each_server() -> None:
    scenarios = [FANOUT, replace(RESUME, most=2)]
    planned = list(plan(scenarios, fakes("a", "b", "c"), 3))
    assert [peer.name for number, each, peer in planned if each is FANOUT] == [*"abcbcacab"]
    assert [number for number, each, peer in planned if each is FANOUT] == [0] * 3 + [1] * 3 + [
        2
    ] * 3
    assert Counter(each.name for _, each, _ in planned) == {FANOUT.name: 9, RESUME.name: 6}


def test_unsuited_servers_are_left_out() -> None:
    poster = Fake(name="poster", title="", sending=Sending("/", "%M"))
    spinner, other = fakes(CALM.without[0], "other")
    assert [peer.name for _, _, peer in plan([HTTP], [poster, spinner, other], 1)] == ["poster"]
    assert [peer.name for _, _, peer in plan([CALM], [spinner, other], 1)] == ["other"]


def test_choice_of_servers(tmp_path: Path) -> None:
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


def test_results_replace_those_between_the_markers() -> None:
    text = f"before\n{BEGIN}old\n{END}after\n"
    once = between(text, "new\n")
    assert once == f"before\n{BEGIN}\nnew\n\n{END}after\n"
    assert between(once, "new\n") == once
    assert between(README.read_text(encoding="utf-8"), "new\n")
    with pytest.raises(ValueError, match="not there"):
        between("before", "new")


def test_written_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README has the overview and a link; the day's page has everything."""
    readme, pages = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(f"before\n{BEGIN}old\n{END}after\n")
    pages.mkdir()
    monkeypatch.setattr(run, "README", readme)
    monkeypatch.setattr(run, "PAGES", pages)
    run.write("everything\n", "| overview |", "Medians of 5 runs.", ["a machine"])
    (page,) = pages.iterdir()
    assert page.read_text() == f"# Results of {page.stem}\n\neverything\n"
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| overview |\n\n- a machine\n- Medians of 5 runs. ")
    assert f"](results/{page.name})" in text
    assert "old" not in text
