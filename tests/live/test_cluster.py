"""
Two workers and a Redis, of which something fails while people talk.

Whatever it is: who stays connected hears all that is stored, once, in order; what was
answered is stored; who was refused was told so.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.client import Client
from tests.live.daemon import CHEAP, TWISTD, Daemon, eventually
from tests.live.talk import Talk, report

#: The log line of a worker whose Redis is usable again.
USABLE = r"\[worker {}#info\].* Redis at \S+ can be used"
ANY = r"\d"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Daemon]:
    """The program that everybody runs; each test has a room of its own, and leaves all mended."""
    options = ("--rate=0", "--rate-per-ip=0", "--history-limit=0", "--max-connections-per-ip=0")
    directory = tmp_path_factory.mktemp("daemon")
    with Daemon(
        directory, f"--redis={redis.url}", "--workers=2", *options,
        twistd=TWISTD, environment=CHEAP,
    ) as running:  # fmt: skip
        for number in (1, 2):
            running.log.wait_for(USABLE.format(number))
        yield running


def uses(daemon: Daemon, worker: str = ANY) -> int:
    """The number of times that a worker has found its Redis usable so far."""
    return len(re.findall(USABLE.format(worker), daemon.log.text))


def test_a_worker_is_killed_f7(daemon: Daemon) -> None:
    """Only its own connections end."""
    talk, before = Talk(daemon, "killed"), uses(daemon)
    talk.go_on(lambda: os.kill(daemon.workers()[0], signal.SIGKILL))
    counts = talk.is_whole()
    assert 0 < counts["members"] < len(talk.members), (talk.closed, daemon.log.text)
    report("a worker is killed", counts)
    daemon.log.wait_for(USABLE.format(ANY), before + 1)


def test_redis_is_restarted_f1(daemon: Daemon, redis: RedisServer) -> None:
    """A restart of Redis costs no connection, and everything goes on where it was."""
    talk = Talk(daemon, "restarted")
    talk.go_on(redis.restart)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    assert not talk.broken
    report("Redis is restarted", counts)


def test_redis_stands_still_f2(daemon: Daemon, redis: RedisServer) -> None:
    """A Redis stopped for five seconds refuses senders, none of whom waits for its end."""

    def stop() -> None:
        redis.signal(signal.SIGSTOP)
        time.sleep(5)
        redis.signal(signal.SIGCONT)

    talk = Talk(daemon, "stopped")
    talk.go_on(stop)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    assert not talk.broken
    assert counts["refused"]
    report("Redis stands still for 5 s", counts)


def test_connections_are_cut_f3(daemon: Daemon, redis: RedisServer) -> None:
    """Connections to Redis that are cut, three times, cost no member and no message."""

    def cut() -> None:
        for _ in range(3):
            # The log is no sign: a worker that is back at once does not say that it was away.
            eventually(subscribed)
            redis.ask("CLIENT", "KILL", "TYPE", "normal")
            assert int(redis.ask("CLIENT", "KILL", "TYPE", "pubsub")) == 2
        eventually(subscribed)

    def subscribed() -> bool:
        return redis.ask("CLIENT", "LIST", "TYPE", "pubsub").count("\n") == 1

    talk = Talk(daemon, "cut")
    talk.go_on(cut)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    assert not talk.broken
    report("connections are cut", counts)


def test_a_worker_that_stands_still_f8(daemon: Daemon, redis: RedisServer) -> None:
    """Redis gives up what it does not read; when it goes on, it reads what it missed."""
    limit = ("CONFIG", "SET", "client-output-buffer-limit")
    redis.ask(*limit, "pubsub 256kb 64kb 1")
    talk = Talk(daemon, "still", padding=12_000)
    before = {pid: daemon.sockets(pid) for pid in daemon.workers()}

    def stop() -> None:
        # The one with fewer senders: those of the other one go on.
        stopped = min(before, key=lambda pid: daemon.sockets(pid) - before[pid])
        os.kill(stopped, signal.SIGSTOP)
        try:
            eventually(lambda: redis.ask("CLIENT", "LIST", "TYPE", "pubsub").count("\n") == 0)
        finally:
            os.kill(stopped, signal.SIGCONT)
            redis.ask(*limit, "pubsub 32mb 8mb 60")

    talk.go_on(stop)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    report("a worker stands still", counts)


def knows(client: Client, users: int) -> bool:
    """Return True if the client's process knows so many users of the room."""
    client.says(type="presence")
    return bool(client.hears("presence")["users"] == users)


def test_who_was_at_a_worker_that_is_killed(daemon: Daemon) -> None:
    """Users of a killed worker leave; one that has returned neither leaves nor joins."""
    pids = daemon.workers()
    killed = daemon.log.text.count("has ended: signal 9")
    clients: dict[str, Client] = {}
    at: dict[int, list[str]] = {pid: [] for pid in pids}
    while len(clients) < 6 or any(len(each) < 2 for each in at.values()):
        assert len(clients) < 100, "a worker gets no connections"
        name = f"user{len(clients)}"
        clients[name] = Client(daemon, "left", f"?name={name}&client={name:x<16}")
        at[daemon.worker_of(clients[name])].append(name)
    for client in clients.values():
        # A process knows another's users once it has their share; each publishes in its own turn.
        eventually(partial(knows, client, len(clients)))
    os.kill(pids[0], signal.SIGKILL)
    daemon.log.wait_for("has ended: signal 9", killed + 1)
    gone = at[pids[0]]
    back = gone.pop()
    again = Client(daemon, "left", f"?name={back}&client={back:x<16}")
    assert all(clients[name].closed() is None for name in (*gone, back))
    watcher = next(clients[name] for name in clients if name not in (*gone, back))
    left = {watcher.hears("left")["user"]["name"] for _ in gone}
    assert left == set(gone)
    watcher.says(type="presence")
    now = watcher.hears("presence")
    assert now["users"] == now["connections"] == len(clients) - len(gone)
    assert back in {user["name"] for user in now["members"]}
    for client in (*clients.values(), again):
        client.close()
