"""`livechat.backends.schema`."""

from __future__ import annotations

import pytest

from livechat.errors import StartError
from tests.backends.disk import Disk, say, shown


def test_newer_schema(disk: Disk) -> None:
    """A file of a newer livechat is refused in one clear line, and not touched."""
    say(disk.store(), "a")
    disk.close()
    disk.change("PRAGMA user_version = 4")
    with pytest.raises(
        StartError, match=r"newer livechat \(schema 4; this one knows 3\)"
    ) as caught:
        disk.store()
    assert "\n" not in str(caught.value)
    assert disk.rows() == [1]


def test_somebody_elses_file(disk: Disk) -> None:
    """A database that is not livechat's is refused, and not touched."""
    disk.directory.mkdir()
    disk.change("CREATE TABLE precious (x)")
    before = disk.path.read_bytes()
    with pytest.raises(StartError, match="not a livechat database"):
        disk.store()
    assert disk.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all", b"x" * 10_000])
def test_no_database(disk: Disk, content: bytes) -> None:
    """A file that is no database is moved aside, whole."""
    disk.directory.mkdir()
    disk.path.write_bytes(content)
    store = disk.store()
    assert store.broken is not None
    aside, reason = store.broken
    assert reason == "file is not a database"
    assert aside.read_bytes() == content
    assert say(store, "a") == [1]


@pytest.mark.parametrize("version", [1, 2])
def test_older_schema(disk: Disk, version: int) -> None:
    """A file of an earlier livechat is taken on, with all that it holds."""
    say(disk.store(), "a", "b")
    disk.close()
    disk.change("DROP TABLE nonces")
    if version == 1:
        disk.change("INSERT INTO messages SELECT * FROM recent")
        disk.change("DROP TABLE recent")
    else:
        disk.change("ALTER TABLE recent DROP COLUMN user")
    disk.change("ALTER TABLE messages DROP COLUMN user")
    disk.change(f"PRAGMA user_version = {version}")
    store = disk.store()
    assert say(store, "c") == [3]
    assert shown(store) == [1, 2, 3]
