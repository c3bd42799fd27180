"""
Measures messages while rooms are exported or imported: ``python -m bench.moving``.

A hundred members talk in rooms of five. In turns they are alone, their rooms are exported from
SQLite, or others are imported into their Redis. Printed are the latency of messages (p99), their
CPU, and the command's time and peak memory.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.cost import Cost, measured, served
from bench.large import Kept
from bench.machine import ON_DISK
from bench.ours import CLUSTER, TWISTD
from bench.peers.serving import Running
from bench.usage import Used, beside, load, raise_limits, say, timed

#: Twenty rooms of five, with 100 messages a second in all.
LOAD = ("--mode", "rooms", "--rooms", "20", "--conns", "100", "--rate", "100")


def during(server: Running, seconds: float, commands: Iterable[Sequence[str]]) -> Cost:
    """Measure messages while commands run one after the other. Waits for the last command."""
    over = threading.Event()
    uses: list[Used] = []

    def run() -> None:
        for command in commands:
            uses.append(timed(command))
            if over.is_set():
                break

    thread = threading.Thread(target=run)
    thread.start()
    try:
        found = measured(server, LOAD, seconds)
    finally:
        over.set()
        thread.join()
    for used in uses:
        say(f"    {used}")
    return found


def compare(
    server: Running, given: argparse.Namespace, name: str, commands: Iterator[Sequence[str]]
) -> None:
    """Print the cost of messages alone, and while *commands* run."""
    ratios, costs = [], []
    for _ in range(given.rounds):
        alone = during(server, given.seconds, [])
        busy = during(server, given.seconds, commands)
        ratios.append(busy.p99 / alone.p99)
        costs.append(busy.server / alone.server)
        say(
            f"  p99 {alone.p99:.1f} ms alone, {busy.p99:.1f} with {name}; CPU a message"
            f" {alone.server:.0f} and {busy.server:.0f} µs ({load()})"
        )
    say(f"{name}: p99 {median(ratios):.2f} ×, CPU a message {median(costs):.2f} × (medians)")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.moving", description=__doc__)
    parser.add_argument(
        "--state", type=Path, required=True, help="state directory with the rooms to move"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args(words)
    raise_limits()
    state = given.state.resolve()
    command = beside("livechat")
    with TemporaryDirectory(dir=ON_DISK) as directory:
        export = Path(directory, "export.ndjson")
        with served(Kept(name="kept", title="", program=TWISTD, state=state)) as server:
            exporting = [command, "--state", str(state), "export", str(export)]
            compare(server, given, "an export", repeat(exporting))
        say(f"{export.stat().st_size / (1 << 20):.0f} MB")
        with served(CLUSTER) as server:
            url = redis_of(server)
            importing = [command, "import", str(export), "--", "--redis", url, "--redis-prefix"]
            # Each import has a prefix of its own, because rooms that exist would be skipped.
            compare(server, given, "an import", ([*importing, f"i{n}"] for n in count()))


def redis_of(server: Running) -> str:
    """Return the URL of the server's Redis."""
    # Redis shows its socket as its title.
    told = Path(f"/proc/{server.aux_pids[0]}/cmdline").read_text()
    return f"unix://{told.partition('unixsocket:')[2].split(chr(0))[0].strip()}"


if __name__ == "__main__":
    main()
