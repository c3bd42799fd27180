"""Builds the load generator."""

from __future__ import annotations

import subprocess

import pytest

from tests.bench.loadgen.running import DIRECTORY


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    made = subprocess.run(
        ["make", "--silent", "--directory", DIRECTORY], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
