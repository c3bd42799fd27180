"""How many examples of a kind are tried."""

from __future__ import annotations

from hypothesis import settings

#: The whole of which a profile's `max_examples` is a part, in percent.
_ALL = 100


def examples(count: int) -> int:
    """As many of *count* as the profile has of a hundred: fewer in each run, more in the soak."""
    return max(1, count * settings().max_examples // _ALL)
