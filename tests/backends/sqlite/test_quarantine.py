"""`livechat.backends.sqlite.quarantine`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from livechat.backends.sqlite import quarantine


def made(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (x)")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 1_000,)] * 100)
    db.commit()
    return db


def test_a_foreign_page_is_damage(tmp_path: Path) -> None:
    """A whole file passes; one with a page of something else in it is broken."""
    path = tmp_path / "db"
    db = made(path)
    quarantine.check(db, path)
    db.close()
    content = path.read_bytes()
    path.write_bytes(content[:40_960] + b"\xff" * 4_096 + content[45_056:])
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.DatabaseError) as found:
        quarantine.check(db, path)
    assert quarantine.is_broken(found.value)
    db.close()


def test_what_is_not_broken(tmp_path: Path) -> None:
    """A file that is locked, or a statement that is wrong, breaks nothing."""
    db = made(tmp_path / "db")
    with pytest.raises(sqlite3.Error) as found:
        db.execute("SELECT nothing FROM nowhere")
    assert not quarantine.is_broken(found.value)
    assert not quarantine.is_broken(sqlite3.OperationalError("x"))
    db.close()


def test_a_file_is_set_aside_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    """All that belongs to it goes along, and keeps what is in it."""
    path = tmp_path / "db"
    for suffix in ("", "-wal"):
        Path(f"{path}{suffix}").write_text(f"content{suffix}")
    aside = quarantine.set_aside(path, 1_790_000_000)
    assert aside.name == "db.broken-20260921T141320Z"
    assert aside.read_text() == "content"
    assert Path(f"{aside}-wal").read_text() == "content-wal"
    assert sorted(each.name for each in tmp_path.iterdir()) == [aside.name, f"{aside.name}-wal"]
