"""`bench.ours`, `bench.existing` and `bench.moderated`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from bench.moderated import RESTRICTIONS, ROOMS, SETTINGS, write_maps
from bench.ours import HOOKED, LIVECHAT, PURE, SERVED, UNSTORED, Livechat, before
from bench.peers.catalogue import Place
from bench.results import Results
from bench.scenarios import SCENARIOS
from bench.table import Setting, render
from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.maps import MapsFile
from livechat.system.time import Time
from tests.bench.fakes import FANOUT, rows
from tests.support import make_free_rules


def test_livechat_of_another_working_copy(tmp_path: Path) -> None:
    """The copy's own livechat is run; a copy that is not set up is refused."""
    with pytest.raises(ValueError, match=r"there is no .*twistd"):
        before(tmp_path)
    program = tmp_path / ".venv" / "bin" / "twistd"
    program.parent.mkdir(parents=True)
    program.touch()
    assert before(tmp_path).program == (str(program),)


def test_restrictions_of_before_the_start_are_found(tmp_path: Path) -> None:
    """Livechat finds the restrictions and settings written before its start."""
    write_maps(tmp_path / "state")
    file, rules = MapsFile(tmp_path / "state"), make_free_rules(Time(Clock()))
    for name, found in (("restrictions", rules.restrictions), ("rooms", rules.settings)):
        shared: Any = found._shared
        shared.replace(file.read(name))
        shared.tell(())
    restrictions = [*rules.restrictions.items()]
    assert len(restrictions) == RESTRICTIONS
    assert {where for where, _, _ in restrictions} > {"*", "room1"}
    assert len(rules.settings.changed()) == ROOMS
    assert rules.settings.of("room0").topic == SETTINGS.topic


def test_messages_of_existing_rooms_are_found(tmp_path: Path) -> None:
    """Livechat finds a message in each of the rooms."""
    place = Place(1, tmp_path, tmp_path, tmp_path)
    assert replace(LIVECHAT, existing=3).first(place) == {}
    database = Database(tmp_path / "state", Retention(), time.time, time.monotonic)
    database.prepare()
    found = database.newest([f"existing-{number}" for number in range(4)])
    database.close()
    database.release()
    assert [newest.seq for newest in found.values()] == [1, 1, 1]


@pytest.mark.parametrize("ours", [*SERVED, UNSTORED], ids=lambda ours: ours.name)
def test_no_rooms_and_no_helpers_unless_asked_for(tmp_path: Path, ours: Livechat) -> None:
    assert ours.first(Place(1, tmp_path, tmp_path, tmp_path)) == {}
    assert not [*tmp_path.iterdir()]


def test_webhook_receiver_runs_beside_livechat(tmp_path: Path) -> None:
    (command,) = HOOKED.first(Place(1, tmp_path, tmp_path, tmp_path)).values()
    assert "bench.receiver" in command
    assert "--webhook" in HOOKED.command(Place(1, tmp_path, tmp_path, tmp_path))


def test_without_the_native_part(tmp_path: Path) -> None:
    place = Place(1, tmp_path, tmp_path, tmp_path)
    assert "LIVECHAT_PURE" not in LIVECHAT.environment(place)
    assert PURE.environment(place) == {**LIVECHAT.environment(place), "LIVECHAT_PURE": "1"}
    assert PURE.command(place) == LIVECHAT.command(place)
    assert rows(render(Results(), [FANOUT], SERVED, Setting([], 5)))[0][2:] == [
        "livechat",
        "livechat, pure",
    ]


def test_earlier_livechat_has_the_same_loads(tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "twistd"
    program.parent.mkdir(parents=True)
    program.touch()
    earlier = before(tmp_path)
    assert all(each.suits(earlier) == each.suits(LIVECHAT) for each in SCENARIOS)
