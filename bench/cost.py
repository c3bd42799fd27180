"""
Measures the CPU of a message, by members, rooms and processes: ``python -m bench.cost``.

Messages come at a steady pace, far below the limit of a core. So each is alone, with nothing to
write together, which costs the most; where all members talk as fast as they can, it costs the
least. Printed are microseconds of CPU for each message, of the server and of Redis.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import ON_DISK, make_certificate
from bench.ours import LIVECHAT, TWISTD, Cluster, Livechat, RedisCluster
from bench.peers.serving import Running, serving
from bench.run import LOADGEN, cores
from bench.usage import load, low_port, raise_limits, say

#: Attempts at each load.
TRIES = 3
#: Kinds of server.
KINDS = ("one", "workers", "cluster")


@dataclass(frozen=True)
class Cost:
    """
    The cost of a message.

    @ivar server, redis: microseconds of CPU.
    @ivar rate: messages a second.
    @ivar p99: milliseconds until a member had a message; one delivery in a hundred took longer.
    """

    server: float
    redis: float
    rate: float
    p99: float


def peer(kind: str) -> Livechat:
    """Make a livechat of one process, of two workers with a Redis, or with a cluster of three."""
    if kind == "one":
        return LIVECHAT
    if kind == "workers":
        return Cluster(name="cluster", title="", clustered=True, program=TWISTD)
    return RedisCluster(name="redis-cluster", title="", clustered=True, program=TWISTD)


@contextmanager
def served(ours: Livechat) -> Iterator[Running]:
    """Run a server on a core of its own."""
    server_core, load_core = cores()
    with (
        TemporaryDirectory() as directory,
        serving(
            ours,
            low_port(),
            *make_certificate(Path(directory)),
            cpu=server_core,
            aux_cpu=load_core,
            parent=ON_DISK,
            patience=120.0,
        ) as server,
    ):
        yield server


def measured(
    server: Running, words: Sequence[str], seconds: float, *, room: str = "room{r}"
) -> Cost:
    """
    Measure one load. Repeat it after a fault, because a busy machine may give a process no core for
    seconds.

    @param room: the template of rooms' names.
    @raise RuntimeError: each attempt had a fault, such as a lost message, or measured nothing.
    """
    problem = ""
    for _ in range(TRIES):
        done = _put(server, words, seconds, room)
        said = json.loads(done.stdout) if done.stdout else {}
        # On a machine that is busy enough, no message may fall into the measured time.
        if not done.returncode and said["msgs_per_s"]:
            return _cost(said)
        problem = done.stdout or done.stderr
    raise RuntimeError(problem)


def _put(
    server: Running, words: Sequence[str], seconds: float, room: str
) -> subprocess.CompletedProcess[str]:
    _, load_core = cores()
    url = server.url.replace("room{r}", room)
    return subprocess.run(
        [
            *("taskset", "--cpu-list", str(load_core), str(LOADGEN), "--url", url),
            *("--pids", ",".join(map(str, server.pids)), "--duration", str(seconds)),
            *("--aux-pids", ",".join(map(str, server.aux_pids)), "--warmup", "1", "--drain", "20"),
            *("--ramp-timeout", "600", "--stall-ms", "60000", "--conc", "16", *words),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def _cost(said: dict[str, Any]) -> Cost:
    messages = said["msgs_per_s"] * said["secs"]
    return Cost(
        1e6 * said["srv_cpu_s"] / messages,
        1e6 * said["aux_cpu_s"] / messages,
        said["msgs_per_s"],
        said["p99_ms"],
    )


def loads(given: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """Return each load: its name, and options of the load generator."""
    # At this rate a message is over before the next one comes, on a busy machine too.
    for members in given.members:
        rate = min(100.0, given.deliveries / members)
        yield f"1 room of {members:,}", ["--conns", f"{members}", "--rate", f"{rate}"]
    for rooms in given.rooms:
        words = ["--mode", "rooms", "--conns", f"{rooms}", "--rooms", f"{rooms}"]
        yield f"{rooms:,} rooms of 1", [*words, "--rate", "200"]
    for rooms in given.small:
        words = ["--mode", "rooms", "--conns", f"{5 * rooms}", "--rooms", f"{rooms}"]
        yield f"{rooms:,} rooms of 5", [*words, "--rate", "200"]
        yield f"{rooms:,} rooms of 5, all talk", [*words, "--window", "1"]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument(
        "--members",
        type=int,
        nargs="*",
        default=[1, 10, 100, 1_000, 5_000],
        help="sizes of one room",
    )
    parser.add_argument(
        "--rooms",
        type=int,
        nargs="*",
        default=[1, 10, 100, 1_000, 10_000],
        help="numbers of rooms with one member",
    )
    parser.add_argument(
        "--small", type=int, nargs="*", default=[200], help="numbers of rooms with five members"
    )
    parser.add_argument("--deliveries", type=float, default=8_000, help="the most in a second")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(words)
    raise_limits()
    for name, options in loads(given):
        found: dict[str, list[Cost]] = {kind: [] for kind in given.kinds}
        for _ in range(given.rounds):
            for kind in given.kinds:
                with served(peer(kind)) as server:
                    found[kind].append(measured(server, options, given.seconds))
        for kind, costs in found.items():
            each = [f"{cost.server:.0f}" for cost in costs]
            say(
                f"{name}; {kind}: {median(cost.server for cost in costs):.0f} µs"
                f" ({', '.join(each)}), Redis {median(cost.redis for cost in costs):.0f};"
                f" {median(cost.rate for cost in costs):.0f} messages a second ({load()})"
            )


if __name__ == "__main__":
    main()
