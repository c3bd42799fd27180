"""Tests that take a minute each: ``make soak``."""

import pytest

from tests.live.conftest import start
from tests.live.daemon import TWISTD

__all__ = ["start"]


@pytest.fixture(scope="module")
def twistd() -> str:
    """The program that everybody runs."""
    return TWISTD
