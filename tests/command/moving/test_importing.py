"""`livechat.command.moving.importing`, into an embedded database."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from livechat.backends.sqlite.moving import RoomsCopy
from tests.backends.disk import Disk, say
from tests.command.conftest import Command
from tests.support.furnished import furnish


@pytest.fixture
def exported(command: Command, tmp_path: Path) -> Path:
    """An export of rooms that have all that rooms can have, and its secret beside it."""
    furnish(tmp_path / "state")
    ran = command("export", "--with-secret", f"{tmp_path}/secret", f"{tmp_path}/rooms.ndjson")
    assert ran.code == 0, ran
    (tmp_path / "state").rename(tmp_path / "before")
    return tmp_path / "rooms.ndjson"


def secret_of(state: Path) -> bytes:
    with closing(RoomsCopy(state / "livechat.sqlite3")) as rooms:
        return rooms.secret()


def test_an_import_exports_the_same_bytes(exported: Path, command: Command, tmp_path: Path) -> None:
    """The same bytes: numbers, epochs, maps and what was changed are kept."""
    ran = command("--json", "import", str(exported))
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert (told["rooms"], told["values"], told["others"], told["unbound"]) == (5, 4, 0, 1)
    assert command("export", str(tmp_path / "again")).code == 0
    assert (tmp_path / "again").read_bytes() == exported.read_bytes()
    assert secret_of(tmp_path / "state") != secret_of(tmp_path / "before")
    # Once more changes nothing.
    ran = command("--json", "import", str(exported))
    assert ran.code == 0, ran
    assert json.loads(ran.out)["there"] == 9
    assert command("export", str(tmp_path / "again")).code == 0
    assert (tmp_path / "again").read_bytes() == exported.read_bytes()


def test_an_imported_secret_keeps_guests(exported: Path, command: Command, tmp_path: Path) -> None:
    """Guests are the same people."""
    ran = command("--json", "import", "--with-secret", f"{tmp_path}/secret", str(exported))
    assert (ran.code, json.loads(ran.out)["unbound"]) == (0, 0)
    assert secret_of(tmp_path / "state") == secret_of(tmp_path / "before")
    (tmp_path / "secret").write_text("00" * 32)
    ran = command("import", "--with-secret", f"{tmp_path}/secret", str(exported))
    assert (ran.code, "another secret" in ran.err) == (1, True)


@pytest.mark.parametrize("text", ["", "xyz", "00", "00" * 65, "\x00\xff"])
def test_a_file_without_a_secret_imports_nothing(
    exported: Path, command: Command, tmp_path: Path, text: str
) -> None:
    (tmp_path / "secret").write_text(text)
    ran = command("import", "--with-secret", f"{tmp_path}/secret", str(exported))
    assert (ran.code, "no secret" in ran.err) == (1, True)
    assert not (tmp_path / "state").exists()


def test_anew_changes_epochs_only(exported: Path, command: Command, tmp_path: Path) -> None:
    assert command("import", "--anew", str(exported)).code == 0
    assert command("export", str(tmp_path / "again")).code == 0
    one, two = exported.read_text().splitlines(), (tmp_path / "again").read_text().splitlines()
    assert len(one) == len(two)
    changed = {json.loads(each)["line"] for each in set(one) - set(two)}
    assert changed == {"room"}


def test_rooms_that_differ(exported: Path, command: Command, tmp_path: Path) -> None:
    """A room that differs stays and is named; the other rooms are imported."""
    disk = Disk(tmp_path / "state")
    say(disk.store(), "others were here", room="a")
    disk.close()
    ran = command("--json", "import", str(exported))
    told = json.loads(ran.out)
    assert (ran.code, told["other"], told["others"], told["rooms"]) == (1, ["a"], 1, 4)
    assert command("export", str(tmp_path / "again")).code == 0
    assert b"others were here" in (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_a_file_that_was_cut_off_imports_nothing(
    exported: Path, command: Command, tmp_path: Path, share: float
) -> None:
    """A file that is not whole imports nothing."""
    whole = exported.read_bytes()
    exported.write_bytes(whole[: int(share * len(whole))])
    ran = command("import", str(exported))
    assert (ran.code, "ends before" in ran.err) == (1, True), ran
    assert not (tmp_path / "state").exists()


def test_files_that_are_no_export(exported: Path, command: Command, tmp_path: Path) -> None:
    exported.write_bytes(exported.read_bytes().replace(b'"map":"rooms"', b'"map":"rumors"'))
    for name in (exported.name, "nothing", "before"):
        ran = command("import", str(tmp_path / name))
        assert (ran.code, ran.err.count("\n"), "Traceback" in ran.err) == (1, 1, False), ran
    assert not (tmp_path / "state").exists()


def test_a_state_in_use_imports_nothing(exported: Path, command: Command, tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    disk.store()
    ran = command("import", str(exported))
    disk.close()
    assert (ran.code, "another livechat" in ran.err) == (1, True)
