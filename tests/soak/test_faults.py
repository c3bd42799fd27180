"""
The named faults that take long, at two workers and a real Redis, with 200 members and a hundred
messages a second: nothing that was answered is lost, nothing doubled or out of order.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.cable import Cable
from tests.live.daemon import Daemon, eventually
from tests.live.talk import SENDERS, Talk, report

MEMBERS = 200
#: Seconds between two messages of a sender, of which there are eight.
PAUSE = SENDERS / 100
UNLIMITED = (
    "--rate=0", "--rate-per-ip=0", "--history-limit=0", "--max-connections-per-ip=0", "--workers=2",
)  # fmt: skip
#: Seconds in which a fault is noticed, and in which all is whole again after its end.
NOTICED = 5.0
WHOLE = 2.0


@pytest.fixture
def fsync() -> str:
    return "always"


@pytest.fixture
def redis(tmp_path: Path, fsync: str) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "--appendfsync", fsync, port=_free_port()) as server:
        yield server


@pytest.fixture
def cable(redis: RedisServer) -> Iterator[Cable]:
    with Cable(redis.port) as laid:
        yield laid


@pytest.fixture
def daemon(start: Callable[..., Daemon], cable: Cable) -> Daemon:
    daemon = start(f"--redis=redis://127.0.0.1:{cable.port}", *UNLIMITED)
    for number in (1, 2):
        daemon.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
    return daemon


def _free_port() -> int:

    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port: int = reserved.getsockname()[1]
        return port


def sends(daemon: Daemon) -> int:
    """The status of the answer to a message."""
    url = f"{daemon.url}/chat/send/probe/"
    return int(daemon.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "message=x", url))


def until(daemon: Daemon, status: int, within: float) -> float:
    """Wait until messages are answered so, by whatever worker; it must be so within its time."""
    began = time.monotonic()
    good = 0
    while good < 6:
        good = good + 1 if sends(daemon) == status else 0
        assert time.monotonic() - began < within + 4, f"{status} did not come"
    return time.monotonic() - began


def talk_through(daemon: Daemon, name: str, fault: Callable[[], None], seconds: float) -> None:
    talk = Talk(daemon, members=MEMBERS, messages=int(seconds / PAUSE), pause=PAUSE)
    talk.go_on(fault)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members), talk.closed
    report(name, counts)


def test_f_4_partition(daemon: Daemon, cable: Cable) -> None:
    """F-4: a network that swallows everything for eight seconds is noticed, and caught up with."""

    def fall_silent() -> None:
        cable.fall_silent()
        assert until(daemon, 503, NOTICED) < NOTICED + 2
        time.sleep(4)
        cable.go_on()
        assert until(daemon, 200, WHOLE) < WHOLE + 2

    talk_through(daemon, "F-4 a partition of 8 s", fall_silent, 30)


def test_f_5_flap(daemon: Daemon, cable: Cable) -> None:
    """F-5: a Redis that comes and goes for a minute leaves nothing behind, and fills no log."""
    pids = daemon.workers()
    before = [daemon.descriptors(pid) for pid in pids]
    lines = daemon.log.text.count("\n")

    def flap() -> None:
        for _ in range(60):
            cable.refused = True
            cable.cut()
            time.sleep(0.5)
            cable.refused = False
            time.sleep(0.5)

    talk_through(daemon, "F-5 flapping for 60 s", flap, 90)
    assert daemon.workers() == pids
    assert daemon.log.text.count("\n") - lines < 2 * 60 + 20
    eventually(
        lambda: all(
            daemon.descriptors(pid) <= files + 4 for pid, files in zip(pids, before, strict=True)
        )
    )


def test_f_6_lag(daemon: Daemon, cable: Cable) -> None:
    """F-6: with 300 ms on the way to Redis nothing is lost, it only takes longer."""

    def lag() -> None:
        cable.delay = 0.3
        time.sleep(10)
        cable.delay = 0
        cable.rate = 100_000
        time.sleep(5)
        cable.rate = 0

    talk_through(daemon, "F-6 300 ms, then 100 kB/s", lag, 30)


def test_f_10_rolling(daemon: Daemon) -> None:
    """F-10: workers that are restarted one by one lose nothing that was answered."""
    talk = Talk(daemon, members=MEMBERS, messages=int(20 / PAUSE), pause=PAUSE)

    def roll() -> None:
        for number, pid in enumerate(daemon.workers(), 1):
            os.kill(pid, signal.SIGTERM)
            usable = rf"\[worker {number}#info\].* Redis at \S+ can be used"
            daemon.log.wait_for(usable, 2)

    talk.go_on(roll)
    counts = talk.is_whole()
    # Whoever was at one is told to come back.
    assert counts["members"] == 0
    assert all("1012" in reason for reason in talk.closed)
    report("F-10 workers restarted one by one", counts)


@pytest.mark.parametrize("fsync", ["everysec"])
def test_f_11_disk_full(daemon: Daemon, redis: RedisServer) -> None:
    """
    F-11: where Redis cannot write, who sends is told so, and who reads is not disturbed.

    (Where it is to write through each time, `always`, Redis ends itself then: F-1.)
    """

    def fill() -> None:
        pid = int(re.findall(r"process_id:(\d+)", redis.ask("INFO", "server"))[0])
        written = sum(each.stat().st_size for each in redis.directory.rglob("*.aof"))
        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))
        assert until(daemon, 503, NOTICED) < NOTICED + 2
        assert "chat_history" in daemon.curl(f"{daemon.url}/chat/history/r/?limit=1")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        until(daemon, 200, NOTICED)

    talk_through(daemon, "F-11 Redis's disk is full", fill, 30)


def test_f_12_oom(daemon: Daemon, redis: RedisServer) -> None:
    """F-12: a Redis without memory refuses to store, and goes on when it has some again."""

    def starve() -> None:
        redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        redis.ask("CONFIG", "SET", "maxmemory", "1mb")
        assert until(daemon, 503, NOTICED) < NOTICED + 2
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        assert until(daemon, 200, WHOLE) < WHOLE + 2

    talk_through(daemon, "F-12 Redis has no memory", starve, 30)
