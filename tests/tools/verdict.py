"""
The verdict on an attack: a ratio of two latencies of the same run, and memory.

Milliseconds depend on the machine, which attackers, members and daemons share.  So the latency
under attack is divided by that of members whose daemon is left alone while the same attack goes
against another one beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
from statistics import median
from typing import Final

#: Quantiles of the deliveries that are compared.
SHARES: Final = (0.5, 0.99)
#: Bound on the ratio of each quantile, attacked to beside, in the median of the turns.
#: On a quiet machine this revision has 6.6 and 6.0; without the bound of a group's gathering
#: (docs/decisions.md, "While others flood") it has 12.6 at 99 %.
RATIO: Final = 8.0
#: Bytes by which an attack may let the daemon grow.
GROWTH: Final = 50 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """
    Measurements of the members, and of their daemon.

    @ivar took: milliseconds of each delivery, sorted.
    @ivar before: bytes of the daemon before.
    @ivar most: its most bytes meanwhile.
    """

    took: tuple[float, ...] = ()
    before: int = 0
    most: int = 0

    @property
    def grown(self) -> int:
        return self.most - self.before

    def quantile(self, share: float) -> float:
        """Return the milliseconds that *share* of the deliveries did not exceed."""
        return self.took[ceil(share * len(self.took)) - 1]

    def figures(self) -> dict[str, float]:
        """Return rounded figures, for people to read."""
        return {
            "deliveries": len(self.took),
            "p50 ms": round(self.quantile(0.5), 1),
            "p99 ms": round(self.quantile(0.99), 1),
            "longest ms": round(self.took[-1], 1),
            "memory MB": round(self.before / (1 << 20), 1),
            "grown MB": round(self.grown / (1 << 20), 1),
        }


def pooled(turns: Sequence[Found]) -> Found:
    """Join all turns: deliveries count alike, and growth is since before the first."""
    took = chain.from_iterable(turn.took for turn in turns)
    return Found(tuple(sorted(took)), turns[0].before, max(turn.most for turn in turns))


def ratios(share: float, beside: Sequence[Found], attacked: Sequence[Found]) -> list[float]:
    """Divide the quantile under attack by that beside, in each turn."""
    pairs = zip(attacked, beside, strict=True)
    return [under.quantile(share) / left.quantile(share) for under, left in pairs]


def faults(beside: Sequence[Found], attacked: Sequence[Found]) -> list[str]:
    """
    Describe all exceeded bounds.

    The median of the turns decides, so a turn in which the machine was busy is no fault.
    """
    found = []
    for share in SHARES:
        times = median(ratios(share, beside, attacked))
        if times > RATIO:
            found.append(f"{share:.0%} of deliveries took {times:.2f} times as long, not {RATIO}")
    grown = pooled(attacked).grown
    if grown > GROWTH:
        found.append(f"memory has grown by {grown} bytes, {GROWTH} are allowed")
    return found
