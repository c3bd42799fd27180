"""
Puts livechat and other chat servers under the same loads: ``python -m bench.run``, in the
repository's root.

Servers take turns on one core, and each run starts its server afresh. The load generator has
another core. Every run ends by itself. README.md explains the loads and figures.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from bench.machine import ON_DISK, description, make_certificate
from bench.moderated import moderated
from bench.ours import BEFORE, LIVECHAT, OURS, SERVED, Livechat, before
from bench.overview import overview, targets
from bench.peers.catalogue import PEERS, ROOT, Peer
from bench.peers.serving import NotServing, Running, serving
from bench.results import Results, Run, wrong
from bench.scenarios import SCENARIOS, Scenario
from bench.table import Setting, bullets, judged, measured, render, short

_T = TypeVar("_T")

LOADGEN = ROOT / "bench" / "loadgen" / "build" / "loadgen"
RECORD = ROOT / ".bench" / "results.jsonl"
README = ROOT / "bench" / "README.md"
#: Pages with all results of a day.
PAGES = ROOT / "bench" / "results"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
#: Seconds for the server to come to rest when all are connected.
SETTLE = 0.3
#: Seconds until a run that does not end is killed.
PATIENCE = 180.0


@dataclass(frozen=True)
class Bench:
    """
    Settings of all runs.

    @ivar sleeps: the load generator sleeps whenever it waits, whatever it measures.
    """

    chain: Path
    key: Path
    server_core: int
    load_core: int
    sleeps: bool = False

    def run(self, scenario: Scenario, peer: Peer) -> Run:
        """Start a server, put it under one load, and stop it."""
        if scenario.existing and isinstance(peer, Livechat):
            peer = replace(peer, existing=scenario.existing)
        try:
            with serving(
                peer,
                free_port(),
                self.chain,
                self.key,
                cpu=self.server_core,
                aux_cpu=self.load_core,
                parent=ON_DISK,
            ) as server:
                done = subprocess.run(
                    [
                        "taskset",
                        "--cpu-list",
                        str(self.load_core),
                        *load(scenario, server, self.sleeps),
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=PATIENCE,
                )
            return outcome(scenario, peer, done)
        except (NotServing, OSError, ValueError, subprocess.SubprocessError) as reason:
            return Run(scenario.name, peer.name, problem=str(reason).replace(f"{ROOT}/", ""))


def load(scenario: Scenario, server: Running, sleeps: bool) -> list[str]:
    """Return the load generator's command."""
    given = {
        "url": server.url,
        "settle": SETTLE,
        "warmup": scenario.warmup,
        "duration": scenario.duration,
        "pids": ",".join(map(str, server.pids)),
        "aux-pids": ",".join(map(str, server.aux_pids)),
    }
    # A spinning load generator would take its core from the processes beside it.
    spin = [] if sleeps or server.aux_pids else ["--spin"]
    if scenario.posts and server.peer.sending is not None:
        given |= {"http-url": server.send_url, "http-body": server.peer.sending.body}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return [str(LOADGEN), *scenario.options.split(), *words, *spin]


def outcome(scenario: Scenario, peer: Peer, done: subprocess.CompletedProcess[str]) -> Run:
    """Read the load generator's report; exit code 0 means that all was well."""
    report = json.loads(done.stdout) if done.stdout else {}
    if done.returncode != 0:
        problem = wrong(report) or done.stderr or f"loadgen ended with {done.returncode}"
    else:
        nothing = [each.unit for each in scenario.figures if not report.get(each.key)]
        problem = f"nothing measured: {', '.join(nothing)}" if nothing else ""
    return Run(scenario.name, peer.name, report, problem)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rotated(items: Sequence[_T], by: int) -> list[_T]:
    """Begin *items* with another one, in the same order."""
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]


def plan(
    scenarios: Sequence[Scenario], peers: Sequence[Peer], runs: int
) -> Iterator[tuple[int, Scenario, Peer]]:
    """Return the order of runs: round by round, each begun by another server."""
    for number in range(runs):
        for scenario in scenarios:
            if scenario.most is None or number < scenario.most:
                suited = [peer for peer in peers if scenario.suits(peer)]
                for peer in rotated(suited, number):
                    yield number, scenario, peer


def measure(
    bench: Bench, scenarios: Sequence[Scenario], peers: Sequence[Peer], runs: int
) -> Results:
    """Run everything. Each run is recorded and printed as soon as it is over."""
    results = Results()
    planned = list(plan(scenarios, peers, runs))
    start = time.monotonic()
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a", encoding="utf-8") as record:
        for done, (number, scenario, peer) in enumerate(planned, 1):
            run = bench.run(scenario, peer)
            results.add(run)
            record.write(json.dumps(recorded(number, run)) + "\n")
            record.flush()
            left = (time.monotonic() - start) / done * (len(planned) - done)
            told = f"FAILED: {run.problem}" if run.problem else figures(scenario, run)
            print(
                f"{done}/{len(planned)} {run.scenario} {run.server}: {told}; "
                f"{left / 60:.0f} min left",
                file=sys.stderr,
            )
    return results


def recorded(number: int, run: Run) -> dict[str, object]:
    """Return a line of the record."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": number + 1,
        "scenario": run.scenario,
        "server": run.server,
        "problem": run.problem,
        "report": run.report,
    }


def figures(scenario: Scenario, run: Run) -> str:
    """Show the figures of a run."""
    return ", ".join(f"{short(run.report.get(each.key))} {each.unit}" for each in scenario.figures)


def between(text: str, results: str) -> str:
    """Replace the text between the markers of *text* by *results*."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{BEGIN.strip()} and {END.strip()} are not there")
    return f"{before}{begin}\n{results}\n{end}{after}"


def write(everything: str, short_table: str, runs: str, machine: Sequence[str]) -> None:
    """Write the overview into bench/README.md, and all results into the page of the day."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    page = PAGES / f"{day}.md"
    page.write_text(f"# Results of {day}\n\n{everything}", encoding="utf-8")
    link = f"{runs} [All figures, versions and verdicts](results/{page.name})."
    text = "\n\n".join([short_table, bullets([*machine, link])])
    README.write_text(between(README.read_text(encoding="utf-8"), text), encoding="utf-8")


def cores() -> tuple[int, int]:
    """Choose a core for the server and one for the load generator."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("This needs two cores: one for the server, one for the load generator.")
    return allowed[0], allowed[1]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, help="runs of each server under each load (5)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[scenario.name for scenario in SCENARIOS],
        metavar="SCENARIO",
        help=", ".join(scenario.name for scenario in SCENARIOS),
    )
    parser.add_argument(
        "--ours",
        nargs="+",
        choices=[peer.name for peer in OURS],
        metavar="NAME",
        help="kinds of livechat: " + ", ".join(peer.name for peer in OURS) + " (all; with "
        f"--before only {LIVECHAT.name})",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=[peer.name for peer in PEERS],
        metavar="NAME",
        help="other servers: " + ", ".join(peer.name for peer in PEERS),
    )
    parser.add_argument(
        "--quick", action="store_true", help="one run of a second each, to check that all works"
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIR",
        help="compare with the livechat of another working copy, in which `make run` was run. "
        f"Its name is {BEFORE}. Other servers are run only if --peers names them",
    )
    parser.add_argument(
        "--moderated",
        action="store_true",
        help="livechat with 10,000 restrictions and settings of 1,000 rooms",
    )
    parser.add_argument(
        "--sleep",
        action="store_true",
        help="the load generator sleeps while it waits, for all: a fair comparison with kinds that"
        " share its core",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the overview into bench/README.md, and all results into bench/results/",
    )
    return parser


def chosen(given: argparse.Namespace) -> tuple[list[Livechat], list[Peer]]:
    """
    Find the kinds of livechat, and the other servers, that were asked for.

    @raise ValueError: the working copy of --before is not set up.
    """
    names = given.ours or [each.name for each in ((LIVECHAT,) if given.before else OURS)]
    ours = [each for each in OURS if each.name in names]
    if given.moderated:
        ours = [moderated(each) if each in SERVED else each for each in ours]
    if given.before is not None:
        ours.append(before(given.before))
        return ours, [each for each in PEERS if each.name in (given.peers or ())]
    return ours, [each for each in PEERS if given.peers is None or each.name in given.peers]


def main() -> int:
    given = arguments().parse_args()
    if not LOADGEN.exists():
        raise SystemExit("There is no load generator: make -C bench/loadgen")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers are stopped on the way out
    server_core, load_core = cores()
    runs = given.runs or (1 if given.quick else 5)
    scenarios = [each for each in SCENARIOS if given.only is None or each.name in given.only]
    if given.quick:
        scenarios = [
            replace(each, warmup=min(each.warmup, 0.2), duration=each.least) for each in scenarios
        ]
    try:
        ours, wanted = chosen(given)
    except ValueError as reason:
        raise SystemExit(f"--before: {reason}") from None
    missing = {peer.name: why for peer in (*ours, *wanted) if (why := peer.missing())}
    for name, why in missing.items():
        print(f"{name} is left out: {why}. See make bench-peers.", file=sys.stderr)
    peers = [peer for peer in (*ours, *wanted) if peer.name not in missing]
    with TemporaryDirectory() as directory:
        chain, key = make_certificate(Path(directory))
        bench = Bench(chain, key, server_core, load_core, given.sleep)
        results = measure(bench, scenarios, peers, runs)
    setting = Setting(description(), runs, given.quick, missing)
    everything = render(results, scenarios, peers, setting)
    short_table = overview(results, scenarios, peers)
    print(everything)
    print(*filter(None, [short_table, targets(judged(results, scenarios, peers))]), sep="\n\n")
    if given.write:
        write(everything, short_table, measured(scenarios, setting), setting.machine)
    served = {each.name for each in SERVED}
    return 1 if any(run.problem for run in results.all() if run.server in served) else 0


if __name__ == "__main__":
    sys.exit(main())
