"""A site that hangs, while people chat: nobody who does not ask it waits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.daemon import Daemon
from tests.support.site import PlainSite, hangs

SENDERS = 20
#: Windows in which each daemon is talked to, by turns, and the seconds of one: longer than a pause
#: of the asking, so that each has all that happens.
WINDOWS = 4
SECONDS = 8.0
#: Bound on the p99 where a site is asked: so many times the other's, and so many seconds more.
RATIO = 1.5
SLACK = 0.005
#: Seconds within which a message is answered: its own question and the one before it end.
WITHIN = 2.5


@pytest.fixture
def site() -> Iterator[PlainSite]:
    with PlainSite(hangs) as there:
        yield there


def talked(daemon: Daemon) -> tuple[list[float], list[float]]:
    """Talk for one window; return how long signs of life took, and messages."""
    url = f"wss://localhost:{daemon.port}/ws/chat"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak.talking", url, str(SENDERS), str(SECONDS)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    quick, took = map(json.loads, ran.stdout.splitlines())
    return quick, took


def p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * len(times))]


@pytest.mark.parametrize("failing", ["refuse", "accept"])
def test_a_hanging_site_keeps_other_frames_fast(
    start: Callable[..., Daemon], site: PlainSite, failing: str
) -> None:
    """
    While messages wait for a site that hangs, other frames are answered as fast as where none is
    asked, in the same minute; and each message has its answer: those that are asked about, and
    those behind them.
    """
    unlimited = ("--rate=0", "--rate-per-ip=0")
    plain = start("--state=plain", *unlimited)
    asking = start(f"--ask={site.url()}", f"--ask-failing={failing}", *unlimited)
    usual: list[float] = []
    meanwhile: list[float] = []
    answered: list[float] = []
    for number in range(WINDOWS):
        for daemon in (plain, asking) if number % 2 else (asking, plain):
            quick, took = talked(daemon)
            if daemon is plain:
                usual += quick
            else:
                meanwhile += quick
                answered += took
    print(  # noqa: T201 - it is for people
        f"p99 of {len(usual)} signs of life {1000 * p99(usual):.1f} ms, of {len(meanwhile)} beside"
        f" a site that hangs {1000 * p99(meanwhile):.1f} ms; {len(answered)} messages answered"
        f" within {max(answered):.2f} s, {len(site.requests)} questions"
    )
    assert p99(meanwhile) < RATIO * p99(usual) + SLACK
    assert max(answered) < WITHIN
    # All ask until five questions have failed; after each pause of five seconds one does.
    assert 0 < len(site.requests) < 2 * SENDERS + 3 * WINDOWS
