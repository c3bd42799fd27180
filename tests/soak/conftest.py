"""Tests that take a minute each: ``make soak``."""

from tests.live.conftest import start

__all__ = ["start"]
