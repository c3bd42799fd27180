"""`livechat.command.moving.exporting`, of an embedded database."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from livechat.backends.exports import Reading
from livechat.command.moving.exporting import DRAFT
from tests.backends.disk import Disk, say
from tests.command.conftest import Command
from tests.support.furnished import MANY, MAPS, furnish


@pytest.fixture
def state(tmp_path: Path) -> Path:
    furnish(tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "rooms.ndjson"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in path.read_bytes().splitlines()]


def test_an_export_has_all_rooms_and_maps_but_sessions(
    state: Path, command: Command, target: Path
) -> None:
    """All rooms and maps but sessions, for its user alone; and nothing is left beside it."""
    ran = command("--json", "export", str(target))
    assert ran.code == 0, ran
    found = lines(target)
    assert [each["name"] for each in found if each["line"] == "room"] == [
        "!audit", "a", "gone", "late", "many",
    ]  # fmt: skip
    taken = {(name, key) for name, entries in MAPS.items() for key in entries}
    assert {(each["map"], each["key"]) for each in found if each["line"] == "value"} == {
        each for each in taken if each[0] != "operators"
    }
    with target.open("rb") as file:
        reading = Reading(file)
        assert sum(1 for _ in reading.pieces()) > MANY // 200
    assert reading.end is not None
    told = json.loads(ran.out)
    assert (told["rooms"], told["values"], told["entries"]) == (5, 4, reading.end.entries)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {path.name for path in target.parent.iterdir()} == {"state", target.name}


def test_two_exports_have_the_same_bytes(state: Path, command: Command, target: Path) -> None:
    """Two exports of the same rooms do not differ; what is retracted is in neither."""
    assert command("export", str(target)).code == 0
    first = target.read_bytes()
    assert command("export", str(target)).code == 0
    assert target.read_bytes() == first
    assert b"an answer" not in first
    assert b'"hi"' not in first


def test_while_it_is_used(command: Command, target: Path, tmp_path: Path) -> None:
    """A livechat that has the directory goes on; the export has all that was stored before."""
    disk = Disk(tmp_path / "state")
    store = disk.store()
    say(store, *("x" * 100 for _ in range(50)))
    assert command("export", str(target)).code == 0
    say(store, "more")
    disk.close()
    assert len([each for each in lines(target) if each["line"] == "entry"]) == 50


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_stopped_export_goes_on_at_its_room(
    state: Path, command: Command, target: Path, share: float
) -> None:
    """An export that was stopped goes on at the room where it was, and comes to the same."""
    assert command("export", str(target)).code == 0
    whole = target.read_bytes()
    draft = target.with_name(target.name + DRAFT)
    draft.write_bytes(whole[: int(share * len(whole))])
    target.unlink()
    ran = command("--json", "export", "--resume", str(target))
    assert ran.code == 0, ran
    assert target.read_bytes() == whole
    assert json.loads(ran.out)["rooms"] == 5
    assert not draft.exists()


def test_a_draft_that_is_none(state: Path, command: Command, target: Path) -> None:
    """The export is right, whatever a draft holds."""
    target.with_name(target.name + DRAFT).write_bytes(b"nonsense\n" * 100)
    assert command("export", "--resume", str(target)).code == 0
    with target.open("rb") as file:
        list(Reading(file).pieces())


def test_the_secret_is_a_file_of_its_own(
    state: Path, command: Command, target: Path, tmp_path: Path
) -> None:
    """A file of its own, which is never replaced: it may be the only one that has it."""
    secret = tmp_path / "secret"
    assert command("export", "--with-secret", str(secret), str(target)).code == 0
    assert len(bytes.fromhex(secret.read_text().strip())) == 32
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text().strip() not in target.read_text()
    ran = command("export", "--with-secret", str(secret), str(target))
    assert (ran.code, "exists" in ran.err) == (1, True)


def test_nothing_to_export(command: Command, target: Path, tmp_path: Path) -> None:
    ran = command("export", str(target))
    assert (ran.code, "no state directory" in ran.err) == (1, True)
    ran = command("export", str(tmp_path / "nowhere" / "x"))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    ran = command("export", str(target), "--", "--nothing")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert not target.exists()
    ran = command("export", str(target), LIVECHAT_BACKEND="examples.x")
    assert ran.code == 1


def test_a_broken_database(state: Path, command: Command, target: Path) -> None:
    (state / "livechat.sqlite3").write_bytes(b"this is no database, and longer than a head" * 99)
    ran = command("export", str(target))
    assert (ran.code, ran.err.count("\n"), "Traceback" in ran.err) == (1, 1, False), ran
    assert not target.exists()
