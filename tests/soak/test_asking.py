"""A site that hangs, while people chat: only those wait whose messages it is asked about."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.live.daemon import Daemon, Member
from tests.support.plain_site import PlainSite, hangs, plain_site

SENDERS = 20
#: Seconds that everything may take longer than without senders: two cores do all of it.
SLACK = 0.25
WITHIN = 1.0


@pytest.fixture
def site() -> Iterator[PlainSite]:
    with plain_site(hangs) as there:
        yield there


def pings(member: Member, count: int = 100) -> float:
    """The time within which 99 of 100 signs of life are answered."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        member.send('{"type":"ping"}')
        while json.loads(member.recv())["type"] != "pong":
            pass
        took.append(time.perf_counter() - began)
        Event().wait(0.06)
    return sorted(took)[int(0.99 * count) - 1]


def talks(daemon: Daemon, number: int, ends: Event) -> list[float]:
    """Say something again and again; return how long each message took to be refused or stored."""
    took: list[float] = []
    with daemon.socket("loud", subprotocols=["livechat.v1"]) as member:
        while not ends.is_set():
            began = time.perf_counter()
            nonce = f"{number}-{len(took)}"
            member.send(json.dumps({"type": "message", "message": "hi", "nonce": nonce}))
            while json.loads(member.recv()).get("nonce") != nonce:
                pass
            took.append(time.perf_counter() - began)
            Event().wait(0.05)
    return took


def measured(daemon: Daemon) -> tuple[float, list[float]]:
    """`pings` in a quiet room while others are talked in, and how long messages took."""
    ends = Event()
    with (
        daemon.socket("quiet", subprotocols=["livechat.v1"]) as observer,
        ThreadPoolExecutor(SENDERS) as pool,
    ):
        talking = [pool.submit(talks, daemon, number, ends) for number in range(SENDERS)]
        quick = pings(observer)
        ends.set()
        return quick, [each for one in talking for each in one.result()]


@pytest.mark.parametrize("failing", ["refuse", "accept"])
def test_hanging_site(start: Callable[..., Daemon], site: PlainSite, failing: str) -> None:
    """
    While messages wait for a site that hangs, other frames are answered as fast as where none is
    asked; and each message has its answer: those that are asked about, and those behind them.
    """
    unlimited = ("--rate=0", "--rate-per-ip=0")
    usual, _ = measured(start(*unlimited))
    asking = start(f"--ask={site.url}", f"--ask-failing={failing}", *unlimited)
    meanwhile, took = measured(asking)
    assert meanwhile < 2 * usual + SLACK
    assert max(took) < 2 * WITHIN + 2 * SLACK
    # A pause of five seconds follows five failures, which need not be asked one by one.
    assert len(site.requests) < len(took) / 2
