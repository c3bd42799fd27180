"""Messages that are to be published."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure


def note(failure: Failure, found: list[Any]) -> None:
    error: Any = failure.value
    found.append(error.kind)
