"""Counts of Hypothesis examples, scaled by the profile in use."""

from __future__ import annotations

from hypothesis import settings

#: The whole of which a profile's `max_examples` is a part, in percent.
_ALL = 100


def examples(count: int) -> int:
    """Scale *count* by the profile, in percent: fewer for each run, more for the soak."""
    return max(1, count * settings().max_examples // _ALL)
