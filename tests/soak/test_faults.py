"""
The named faults that take long, at two workers and a real Redis, with 200 members and a hundred
messages a second: nothing that was answered is lost, nothing doubled or out of order.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.cable import Cable
from tests.live.daemon import Daemon, eventually
from tests.live.talk import SENDERS, Talk, report
from tests.support.loops import run_apart
from tests.support.ports import free_port
from tests.tools.chaos import Chaos

MEMBERS = 200
#: Seconds between two messages of a sender, of which there are eight.
PAUSE = SENDERS / 100
UNLIMITED = (
    "--rate=0", "--rate-per-ip=0", "--history-limit=0", "--max-connections-per-ip=0", "--workers=2",
)  # fmt: skip
#: Seconds in which a fault is noticed, and in which all is whole again after its end; or after
#: the end of a long one, in which a Redis is asked less and less often.
NOTICED = 5.0
WHOLE = 2.0
WHOLE_LATER = 10.0


@pytest.fixture
def fsync() -> str:
    return "always"


@pytest.fixture
def redis(tmp_path: Path, fsync: str) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "--appendfsync", fsync, port=free_port()) as server:
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


def sends(daemon: Daemon) -> int:
    """The status of the answer to a message."""
    url = f"{daemon.url}/chat/send/probe/"
    return int(daemon.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "message=x", url))


def until(daemon: Daemon, status: int, within: float) -> float:
    """
    Wait until messages are answered so, by whatever worker; it must be so within its time.

    @return: after how many seconds it was so.
    """
    began = since = time.monotonic()
    good = 0
    while good < 10:
        asked = time.monotonic()
        if sends(daemon) == status:
            since = since if good else asked
            good += 1
        else:
            good = 0
        assert good or time.monotonic() - began < within, f"{status} did not come"
    return since - began


def talk_through(
    daemon: Daemon, name: str, fault: Callable[[], None], seconds: float, *, breaks: bool = False
) -> Talk:
    """
    @param breaks: connections of those who send may break; otherwise all of them are answered.
    """
    talk = Talk(daemon, members=MEMBERS, messages=int(seconds / PAUSE), pause=PAUSE)
    talk.go_on(fault)
    counts = talk.is_whole()
    if not breaks:
        assert counts["members"] == len(talk.members), talk.closed
        assert not talk.broken
        assert talk.slowest < NOTICED
    report(f"{name} (slowest answer {talk.slowest:.1f} s)", counts)
    return talk


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_redis_crash_f1(daemon: Daemon, redis: RedisServer) -> None:
    """F-1: Redis is killed, and is back after three seconds."""

    def crash() -> None:
        redis.kill()
        until(daemon, 503, 1)
        time.sleep(2)
        redis.start()
        until(daemon, 200, WHOLE)

    assert talk_through(daemon, "F-1 Redis is away for 3 s", crash, 20).refused


@pytest.mark.parametrize("seconds", [3, 30])
def test_redis_pause_f2(daemon: Daemon, redis: RedisServer, seconds: int) -> None:
    """F-2: Redis stands still; nobody waits until it goes on."""

    def pause() -> None:
        redis.signal(signal.SIGSTOP)
        try:
            until(daemon, 503, NOTICED)
            time.sleep(seconds - 2)
        finally:
            redis.signal(signal.SIGCONT)
        until(daemon, 200, WHOLE if seconds < WHOLE_LATER else WHOLE_LATER)

    name = f"F-2 Redis stands still for {seconds} s"
    assert talk_through(daemon, name, pause, 2 * seconds + 10).refused


def test_subscriptions_are_cut_f3(daemon: Daemon, redis: RedisServer) -> None:
    """F-3: messages that the subscriptions miss are read from the stream."""

    def cut() -> None:
        for _ in range(10):
            redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
            time.sleep(1)

    talk_through(daemon, "F-3 subscriptions are cut ten times", cut, 30)


def test_worker_kill_f7(daemon: Daemon) -> None:
    """F-7: a worker is killed: its own members lose their connections, and nobody else."""

    def kill() -> None:
        os.kill(daemon.workers()[0], signal.SIGKILL)

    talk = talk_through(daemon, "F-7 a worker is killed", kill, 20, breaks=True)
    assert 0 < len(talk.closed) < len(talk.members)


def test_worker_stop_f8(daemon: Daemon, redis: RedisServer) -> None:
    """F-8: a worker stands still for a minute; Redis keeps a bounded part of what it would read."""
    before = int(redis.ask("INFO", "memory").partition("used_memory:")[2].split()[0])

    def stop() -> None:
        stopped = daemon.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            time.sleep(60)
        finally:
            os.kill(stopped, signal.SIGCONT)
        after = int(redis.ask("INFO", "memory").partition("used_memory:")[2].split()[0])
        assert after - before < 64 << 20

    talk_through(daemon, "F-8 a worker stands still for 60 s", stop, 90, breaks=True)


def test_partition_f4(daemon: Daemon, cable: Cable) -> None:
    """F-4: a network that swallows everything for eight seconds is noticed, and caught up with."""

    def fall_silent() -> None:
        cable.fall_silent()
        until(daemon, 503, NOTICED)
        time.sleep(4)
        cable.go_on()
        until(daemon, 200, WHOLE)

    talk_through(daemon, "F-4 a partition of 8 s", fall_silent, 30)


def test_flapping_link_f5(daemon: Daemon, cable: Cable, redis: RedisServer) -> None:
    """F-5: a Redis that comes and goes for a minute leaves nothing behind, and fills no log."""
    pids = daemon.workers()
    before = [daemon.descriptors(pid) for pid in pids]
    lines = daemon.log.text.count("\n")
    listening = redis.ask("CLIENT", "LIST", "TYPE", "pubsub").count("sub=")

    def flap() -> None:
        for _ in range(60):
            cable.refused = True
            cable.cut()
            time.sleep(0.5)
            cable.refused = False
            time.sleep(0.5)

    talk_through(daemon, "F-5 flapping for 60 s", flap, 90)
    assert daemon.workers() == pids
    assert daemon.log.text.count("\n") - lines < 60
    assert redis.ask("CLIENT", "LIST", "TYPE", "pubsub").count("sub=") == listening
    eventually(
        lambda: all(
            daemon.descriptors(pid) <= files + 4 for pid, files in zip(pids, before, strict=True)
        )
    )


def test_slow_link_f6(daemon: Daemon, cable: Cable) -> None:
    """F-6: with 300 ms on the way to Redis, and with 10 kB/s, nothing that was answered is lost."""

    def lag() -> None:
        cable.delay = 0.3
        time.sleep(10)
        cable.delay = 0
        cable.rate = 10_000
        time.sleep(5)
        cable.rate = 0

    talk_through(daemon, "F-6 300 ms, then 10 kB/s", lag, 40)


def test_rolling_renewal_f10(daemon: Daemon) -> None:
    """F-10: workers that are restarted one by one lose nothing that was answered."""

    def roll() -> None:
        for number, pid in enumerate(daemon.workers(), 1):
            os.kill(pid, signal.SIGTERM)
            usable = rf"\[worker {number}#info\].* Redis at \S+ can be used"
            daemon.log.wait_for(usable, 2)

    talk = talk_through(daemon, "F-10 workers restarted one by one", roll, 20, breaks=True)
    # Members of a worker that restarts are told to come back.
    assert len(talk.closed) == len(talk.members)
    assert all("1012" in reason for reason in talk.closed)


class Rolling(Chaos):
    """All workers are restarted in order, again and again."""

    async def _break(self, daemon: Daemon, until: float, every: float) -> None:
        while time.monotonic() + every < until:
            for pid in daemon.workers():
                await asyncio.sleep(every)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                self.faults.append("a worker is restarted")


def test_clients_come_back_f10(tmp_path: Path) -> None:
    """F-10: a client that comes back misses nothing and sends nothing twice."""
    found = run_apart(Rolling(tmp_path, clients=MEMBERS, rooms=20).run(30, 5))
    assert len(found["faults"]) == 1
    assert found["connections"] > MEMBERS
    assert found["gaps"] == 0
    print(f"\nF-10 who comes back: {found}")  # noqa: T201 - it is for people


@pytest.mark.parametrize("fsync", ["everysec"])
def test_disk_full_f11(daemon: Daemon, redis: RedisServer) -> None:
    """
    F-11: while Redis cannot write, senders are told so, and readers are not disturbed.

    (A Redis that writes through each time, `always`, ends itself in this case: F-1.)
    """

    def fill() -> None:
        pid = int(re.findall(r"process_id:(\d+)", redis.ask("INFO", "server"))[0])
        written = sum(each.stat().st_size for each in redis.directory.rglob("*.aof"))
        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))
        until(daemon, 503, NOTICED)
        assert "chat_history" in daemon.curl(f"{daemon.url}/chat/history/r/?limit=1")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        until(daemon, 200, NOTICED)

    talk_through(daemon, "F-11 Redis's disk is full", fill, 30)


def test_out_of_memory_f12(daemon: Daemon, redis: RedisServer) -> None:
    """F-12: a Redis without memory refuses to store, and goes on when it has some again."""

    def starve() -> None:
        redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        redis.ask("CONFIG", "SET", "maxmemory", "1mb")
        until(daemon, 503, NOTICED)
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        until(daemon, 200, WHOLE)

    talk_through(daemon, "F-12 Redis has no memory", starve, 30)
