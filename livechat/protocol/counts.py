"""Counts in words, as log lines, errors and pages say them."""

from __future__ import annotations


def counted(count: float, one: str, many: str | None = None) -> str:
    """
    Put *count* before its noun: "1 room", "2 rooms".

    @param one: the singular of the noun, and the words that follow it.
    @param many: the same of any other number; None: *one* with an s.
    """
    if count == 1:
        return f"1 {one}"
    shown = f"{count:g}" if isinstance(count, float) else str(count)
    return f"{shown} {many or f'{one}s'}"
