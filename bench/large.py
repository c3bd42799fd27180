"""
Measures messages beside a large database, and beside none: ``python -m bench.large --state DIR``.

The load is `rooms`: 200 rooms of five members, all of whom talk. A server whose database has
millions of messages takes turns with a new one. `bench/existing.py` makes the state directory:
100,000 rooms with 100 messages each are 1.4 GB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cost import measured, served
from bench.ours import LIVECHAT, TWISTD, Livechat
from bench.peers.catalogue import Place
from bench.scenarios import ROOMS_OPTIONS
from bench.usage import load, raise_limits, say


@dataclass(frozen=True, kw_only=True)
class Kept(Livechat):
    """
    A livechat whose state directory exists before, and stays.

    @ivar state: the directory.
    """

    state: Path

    def command(self, place: Place) -> list[str]:
        return [*super().command(place), "--state", str(self.state)]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument(
        "--state", type=Path, required=True, help="state directory with the large database"
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args(words)
    raise_limits()
    state = given.state.resolve()
    large = Kept(name="large", title="", program=TWISTD, state=state)
    begun, ratios = int(time.time()), []
    options = ROOMS_OPTIONS.split()
    for number in range(given.pairs):
        # Each run has new rooms: those of an earlier run are full, and lose old messages.
        room = f"run-{begun}-{number}-{{r}}"
        found = {}
        for each in (large, LIVECHAT)[:: 1 if number % 2 else -1]:
            with served(each) as server:
                found[each.name] = measured(server, options, given.seconds, room=room).server
        one, other = found[large.name], found[LIVECHAT.name]
        ratios.append(one / other)
        say(f"{one:.0f} µs a message, and {other:.0f} without: {one / other:.2f} ({load()})")
    say(f"median of {len(ratios)} pairs: {median(ratios):.2f}")


if __name__ == "__main__":
    main()
