"""A wall clock that somebody sets, under a daemon that runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.live.daemon import Daemon

#: A program that is twistd, but for the time of day, which is a file's content later.
PROGRAM = """#!{python}
import time

real = time.time
time.time = lambda: real() + float(open({file!r}).read())

from twisted.scripts.twistd import run

run()
"""
HOUR = 3_600


@pytest.mark.parametrize("steps", [(HOUR, 0), (-HOUR, 0)], ids=["forwards", "backwards"])
def test_steps_of_an_hour(tmp_path: Path, steps: tuple[int, ...]) -> None:
    """They disturb nobody, and the times in a room do not run backwards."""
    file, program = tmp_path / "step", tmp_path / "twistd"

    def set_clock(step: int) -> None:
        """At once: a file that is half written would be no time."""
        (tmp_path / "next").write_text(str(step))
        (tmp_path / "next").rename(file)

    set_clock(0)
    program.write_text(PROGRAM.format(python=sys.executable, file=str(file)))
    program.chmod(0o700)
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
        # The clock was indeed set: what was said first and last is an hour apart, or what is
        # said after a step back is said at the time of what was there.
        apart = times[-1] - times[0]
        assert (apart >= 1000 * HOUR) == (HOUR in steps), apart
        # And a retry is known as one.
        keyed = ("-H", "Idempotency-Key: a-key-of-sixteen", "-d", "message=once")
        first = daemon.curl(*keyed, f"{daemon.url}/chat/send/r/")
        set_clock(-steps[0])
        assert daemon.curl(*keyed, f"{daemon.url}/chat/send/r/") == first
        assert len(daemon.history("r/?limit=1000")) == len(heard) + 1
