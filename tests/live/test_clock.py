"""A wall clock that somebody sets, under a daemon that runs or starts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, eventually

#: A program that is twistd, but for the time of day, which is a file's content later, for a day,
#: which is an hour, and for the time after which a jump is believed, which can be set.
PROGRAM = """#!{python}
import os
import time

real = time.time
time.time = lambda: real() + float(open({file!r}).read())

from livechat.system import wallclock
from livechat.backends.sqlite import database, housekeeping

wallclock.HOLD = float(os.environ.get("HOLD", wallclock.HOLD))
wallclock.DAY = 3_600.0
housekeeping.SWEEP_EVERY = housekeeping.LOOK_EVERY = 0.2

sweep = database.Database.sweep


def counted(*args, **kwargs):
    go_on = sweep(*args, **kwargs)
    open({swept!r}, "a").write("x")
    return go_on


database.Database.sweep = counted

from twisted.scripts.twistd import run

run()
"""
HOUR = 3_600
DAY = 24 * HOUR

SetClock = Callable[[int], None]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program whose clock the test sets."""
    program = tmp_path / "twistd"
    program.write_text(
        PROGRAM.format(
            python=sys.executable, file=str(tmp_path / "step"), swept=str(tmp_path / "swept")
        )
    )
    program.chmod(0o700)
    return program


@pytest.fixture
def set_clock(tmp_path: Path) -> SetClock:
    """Sets it so many seconds ahead."""

    def set_clock(step: int) -> None:
        """Set the step at once: a file half written would be no time."""
        (tmp_path / "next").write_text(str(step))
        (tmp_path / "next").rename(tmp_path / "step")

    set_clock(0)
    return set_clock


def apart(daemon: Daemon, room: str) -> list[float]:
    """Seconds between the right time and that of each message of the room."""
    return [each["time"] / 1000 - time.time() for each in daemon.history(f"{room}/?limit=1000")]


@pytest.mark.parametrize("steps", [(HOUR, 0), (-HOUR, 0)], ids=["forwards", "backwards"])
def test_steps_of_the_clock_disturb_nobody(
    tmp_path: Path, program: Path, set_clock: SetClock, steps: tuple[int, ...]
) -> None:
    """Steps of the clock disturb nobody, and stamps do not follow them at once."""
    options = ("--rate=100", "--history-age=1d")
    with (
        Daemon(tmp_path / "daemon", *options, twistd=str(program)) as daemon,
        daemon.socket("r") as one,
        daemon.socket("r") as two,
    ):
        heard = []
        for step in (0, *steps):
            set_clock(step)
            for number in range(30):
                one.send(json.dumps({"message": f"{step} {number}"}))
                heard.append(json.loads(two.recv(timeout=10))["message"])
                assert json.loads(one.recv(timeout=10))["message"] == heard[-1]
        history = daemon.history("r/?limit=1000")
        assert [each["message"] for each in history] == heard
        times = [each["time"] for each in history]
        assert times == sorted(times)
        assert all(abs(seconds) < 60 for seconds in apart(daemon, "r"))
        # And a retry is known as one.
        keyed = ("-H", "Idempotency-Key: a-key-of-sixteen", "-d", "message=once")
        first = daemon.curl(*keyed, f"{daemon.url}/chat/send/r/")
        set_clock(-steps[0])
        assert daemon.curl(*keyed, f"{daemon.url}/chat/send/r/") == first
        assert len(daemon.history("r/?limit=1000")) == len(heard) + 1


def test_ahead_for_a_minute(tmp_path: Path, program: Path, set_clock: SetClock) -> None:
    """A wrong clock costs no message, before or after a start, and later stamps are right."""

    def say(text: str) -> None:
        daemon.curl("-d", f"message={text}", f"{daemon.url}/chat/send/r/")

    def shown() -> list[str]:
        return [each["message"] for each in daemon.history("r/?limit=1000")]

    def sweeps() -> int:
        """The number of sweeps of the database."""
        return (tmp_path / "swept").stat().st_size

    def see_sweeps() -> None:
        before = sweeps()
        eventually(lambda: sweeps() >= before + 2)

    where = tmp_path / "daemon"
    soon = {"HOLD": "1"}
    with Daemon(where, twistd=str(program), environment=soon) as daemon:
        say("a")
        set_clock(40 * DAY)
        daemon.log.wait_for("has jumped")
        eventually(lambda: shown() == [])
        say("b")
        see_sweeps()
        set_clock(0)
        daemon.log.wait_for("jumped back")
        say("c")
        assert shown() == ["a", "b", "c"]
        assert abs(apart(daemon, "r")[-1]) < 60
    set_clock(40 * DAY)
    with Daemon(where, twistd=str(program), environment=soon) as daemon:
        daemon.log.wait_for("cannot be trusted yet")
        assert shown() == []
        see_sweeps()
        set_clock(0)
        daemon.log.wait_for("jumped back")
        say("d")
        assert shown() == ["a", "b", "c", "d"]
        assert abs(apart(daemon, "r")[-1]) < 60
