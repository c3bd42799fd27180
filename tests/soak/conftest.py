"""Tests that take a minute each: ``make soak``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.conftest import start

__all__ = ["start"]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is long."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.soak)
