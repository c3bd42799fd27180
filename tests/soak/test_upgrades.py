"""Large files of all earlier livechats."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.disk import Disk
from tests.backends.older import check_many, downgrade, say_many


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_each_file_is_upgraded_in_one_step(tmp_path: Path, version: int) -> None:
    """Each file is upgraded in one step; everything is where it was, and goes on."""
    disk = Disk(tmp_path / "state")
    disk.store()
    disk.close()
    downgrade(disk, version)
    say_many(disk, version)
    check_many(disk)
    disk.close()
