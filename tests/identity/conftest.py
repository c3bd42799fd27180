"""Fixtures for operators and their sessions: a desk, and two desks of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.identity.desk import Cluster, Desk, accounts_map


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def desks(tmp_path: Path, cluster: Cluster) -> tuple[Desk, Desk]:
    """Two processes of one cluster."""
    made, accounts = [], accounts_map()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(Desk(tmp_path / name, cluster, accounts))
        made[-1].operators.start()
    return made[0], made[1]
