"""Small runs of the measurements of docs/scaling.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import cost, crowd, large, many, moving

pytestmark = pytest.mark.bench

EXISTING = Path(crowd.__file__).with_name("existing.py")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with rooms."""
    place = tmp_path / "state"
    subprocess.run([sys.executable, str(EXISTING), str(place), "20", "3"], check=True)
    return place


@pytest.mark.parametrize(
    "words", [[], ["--plain"], ["--workers", "2", "--resume"], ["--rooms", "20"]]
)
def test_members_of_a_crowd_come_hear_and_leave(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Members come, get a message, and leave."""
    crowd.main(["--members", "40", "--seconds", "1", "--rounds", "1", "--messages", "1", *words])
    said = capsys.readouterr().out
    assert "40 members" in said
    assert "did not get in" not in said
    assert ("a message to all: " in said) == ("--rooms" not in words)
    assert "when all have left" in said


def test_all_areas_run_on_fifty_rooms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All areas, of fifty rooms."""
    words = ["--rooms", "50", "--active", "20", "--seconds", "1", "--times", "2", "--rounds", "1"]
    many.main([*words, "--directory", str(tmp_path)])
    said = capsys.readouterr().out
    for each in ("backup: ", "export of 50 entries", "import into Redis", "export out of Redis"):
        assert each in said
    assert "GET /admin/: 200" in said
    assert "(with a key): 200" in said
    assert list(tmp_path.iterdir()) == []


def test_all_kinds_of_processes_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """All kinds of processes."""
    words = ["--members", "3", "--rooms", "2", "--small", "2", "--seconds", "1", "--rounds", "1"]
    cost.main(words)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 * len(cost.KINDS)
    assert all("Redis 0;" in line for line in lines if "; one:" in line)
    assert not any("Redis 0;" in line for line in lines if "; workers:" in line)


def test_servers_take_turns_on_one_large_file(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Servers take turns, and the file stays."""
    large.main(["--state", str(state), "--pairs", "2", "--seconds", "5"])
    assert "median of 2 pairs" in capsys.readouterr().out
    assert (state / "livechat.sqlite3").exists()


def test_rooms_move_both_ways_while_members_talk(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways, while members talk."""
    moving.main(["--state", str(state), "--rounds", "1", "--seconds", "1"])
    said = capsys.readouterr().out
    assert "an export: p99" in said
    assert "an import: p99" in said
