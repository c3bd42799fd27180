"""Minutes of a process's figures (`livechat.system.day.Minute`)."""

from __future__ import annotations

from livechat.system.day import EVERY, Minute


def minute(at: float) -> Minute:
    return Minute(at, EVERY, {"stored": at}, {}, {})
