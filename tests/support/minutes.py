"""Minutes of a process, as it counts them."""

from __future__ import annotations

from livechat.system.day import EVERY, Minute


def minute(at: float) -> Minute:
    return Minute(at, EVERY, {"stored": at}, {}, {})
