"""
Two workers and a Redis, of which something fails while people talk.

Whatever it is: who stays connected hears all that is stored, once, in order; what was
answered is stored; who was refused was told so.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.backends.redis.server import RedisServer
from tests.live.daemon import PATIENCE, Daemon, eventually, trusting
from tests.live.test_crash import whole_history
from tests.live.test_protocol import Client

SENDERS = 8
MEMBERS = 12
#: Of each sender.
MESSAGES = 100
ROOM = "r"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def daemon(start: Callable[..., Daemon], redis: RedisServer) -> Daemon:
    unlimited = ("--rate=0", "--rate-per-ip=0", "--history-limit=0", "--max-connections-per-ip=0")
    daemon = start(f"--redis={redis.url}", "--workers=2", *unlimited)
    for number in (1, 2):
        daemon.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
    return daemon


class Talk:
    """
    Senders over HTTP, and members who listen.

    @ivar members: some on each worker.
    @ivar answered: what was answered with 200.
    @ivar refused: what was not.
    @ivar heard: what each member heard that is connected still.
    @ivar closed: why the others are not.
    """

    def __init__(self, daemon: Daemon, padding: int = 0) -> None:
        self._daemon = daemon
        self._padding = "x" * padding
        self._lock = threading.Lock()
        self._half = threading.Event()
        self.members = daemon.members(MEMBERS, ROOM)
        self.answered: list[str] = []
        self.refused: list[str] = []
        self.heard: list[list[str]] = []
        self.closed: list[str] = []

    def go_on(self, fault: Callable[[], None]) -> None:
        """Talk, with *fault* in the middle, until everybody was answered."""
        with ThreadPoolExecutor(SENDERS) as pool:
            sending = [pool.submit(self._send, sender) for sender in range(SENDERS)]
            self._half.wait(PATIENCE)
            fault()
            for each in sending:
                each.result()

    def _send(self, sender: int) -> None:
        connection: http.client.HTTPSConnection | None = None
        for number in range(MESSAGES):
            text = f"{sender}-{number} {self._padding}"
            if connection is None:
                connection = http.client.HTTPSConnection(
                    "localhost", self._daemon.port, context=trusting(), timeout=PATIENCE
                )
            status = 0
            try:
                body = json.dumps({"message": text})
                headers = {"Content-Type": "application/json"}
                connection.request("POST", f"/chat/send/{ROOM}/", body, headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
            assert status in (0, 200, 503)
            with self._lock:
                (self.answered if status == 200 else self.refused).append(text)
                if len(self.answered) + len(self.refused) == SENDERS * MESSAGES // 2:
                    self._half.set()
            if status != 200:
                # As clients do; else all would be refused before anything is mended.
                time.sleep(0.05)
        if connection is not None:
            connection.close()

    def is_whole(self) -> dict[str, int]:
        """Check it all, and count."""
        last = f"the last one {self._padding}"
        body = json.dumps({"message": last})
        json_type = ("-H", "Content-Type: application/json")
        url = f"{self._daemon.url}/chat/send/{ROOM}/"
        eventually(lambda: "sent" in self._daemon.curl(*json_type, "-d", body, url))
        stored = [each["message"] for each in whole_history(self._daemon, ROOM)]
        assert len(set(stored)) == len(stored)
        assert set(self.answered) <= set(stored)
        assert set(stored) <= {*self.answered, *self.refused, last}
        for sender in range(SENDERS):
            own = [
                int(text.split()[0].split("-")[1]) for text in stored if text[:2] == f"{sender}-"
            ]
            assert own == sorted(own)
        for member in self.members:
            heard: list[str] = []
            try:
                while heard[-1:] != [last]:
                    heard.append(json.loads(member.recv())["message"])
            except ConnectionClosed as reason:
                self.closed.append(str(reason))
            else:
                assert heard == stored
                self.heard.append(heard)
            member.close()
        return {
            "sent": len(self.answered) + len(self.refused) + 1,
            "refused": len(self.refused),
            "stored": len(stored),
            "delivered": sum(map(len, self.heard)),
            "members": len(self.heard),
        }


def report(name: str, counts: dict[str, int]) -> None:
    """For whoever runs this with -s."""
    counted = f"\n{name}: {counts}; lost 0, duplicated 0, out of order 0"
    print(counted)  # noqa: T201 - it is for people


def test_a_worker_is_killed(daemon: Daemon) -> None:
    """Only its own connections end."""
    talk = Talk(daemon)
    talk.go_on(lambda: os.kill(daemon.workers()[0], signal.SIGKILL))
    counts = talk.is_whole()
    assert 0 < counts["members"] < len(talk.members), (talk.closed, daemon.log.text)
    report("a worker is killed", counts)


def test_redis_is_restarted(daemon: Daemon, redis: RedisServer) -> None:
    """Nobody loses the connection, and all goes on where it was."""
    talk = Talk(daemon)
    talk.go_on(redis.restart)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    report("Redis is restarted", counts)


def test_redis_stands_still(daemon: Daemon, redis: RedisServer) -> None:
    """For five seconds; meanwhile who sends is refused within two."""

    def stop() -> None:
        redis.signal(signal.SIGSTOP)
        time.sleep(5)
        redis.signal(signal.SIGCONT)

    talk = Talk(daemon)
    talk.go_on(stop)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    report("Redis stands still for 5 s", counts)


def test_connections_are_cut(daemon: Daemon, redis: RedisServer) -> None:
    """All of those to Redis, three times."""

    def cut() -> None:
        for times in range(1, 4):
            redis.ask("CLIENT", "KILL", "TYPE", "normal")
            redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
            for number in (1, 2):
                usable = rf"\[worker {number}#info\].* Redis at \S+ can be used"
                daemon.log.wait_for(usable, 1 + times)

    talk = Talk(daemon)
    talk.go_on(cut)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    report("connections are cut", counts)


def test_a_worker_that_stands_still(daemon: Daemon, redis: RedisServer) -> None:
    """Redis gives up what it does not read; when it goes on, it reads what it missed."""
    redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 64kb 1")
    talk = Talk(daemon, padding=12_000)
    before = {pid: daemon.descriptors(pid) for pid in daemon.workers()}

    def stop() -> None:
        # The one with fewer senders: those of the other one go on.
        stopped = min(before, key=lambda pid: daemon.descriptors(pid) - before[pid])
        os.kill(stopped, signal.SIGSTOP)
        eventually(lambda: redis.ask("CLIENT", "LIST", "TYPE", "pubsub").count("\n") == 0)
        os.kill(stopped, signal.SIGCONT)

    talk.go_on(stop)
    counts = talk.is_whole()
    assert counts["members"] == len(talk.members)
    report("a worker stands still", counts)


def cut_off(client: Client) -> bool:
    """Whether its connection has ended; it must have been quiet otherwise."""
    try:
        while True:
            client.recv(timeout=0.3)
    except ConnectionClosed:
        return True
    except TimeoutError:
        return False


def test_who_was_at_a_worker_that_is_killed(daemon: Daemon) -> None:
    """Leaves within 20 seconds; who has come back meanwhile has neither left nor joined."""
    pids = daemon.workers()
    before = {pid: daemon.descriptors(pid) for pid in pids}
    clients: dict[str, Client] = {}
    while len(clients) < 6 or any(daemon.descriptors(pid) <= before[pid] + 1 for pid in pids):
        assert len(clients) < 100, "a worker gets no connections"
        name = f"user{len(clients)}"
        clients[name] = Client(daemon, "r", f"?name={name}&client={name:x<16}")
    later = set(clients)
    for name, client in clients.items():
        # Until its process knows of those who came after it.
        later.remove(name)
        waits = set(later)
        while waits:
            waits.discard(client.hears("joined")["user"]["name"])
    os.kill(pids[0], signal.SIGKILL)
    killed = time.monotonic()
    gone = [name for name, client in clients.items() if cut_off(client)]
    assert 2 <= len(gone) < len(clients)
    back = gone.pop()
    daemon.log.wait_for(r"\[worker 1#info\].* Redis at \S+ can be used", 2)
    again = Client(daemon, "r", f"?name={back}&client={back:x<16}")
    watcher = next(clients[name] for name in clients if name not in (*gone, back))
    left = {watcher.hears("left")["user"]["name"] for _ in gone}
    assert left == set(gone)
    assert time.monotonic() - killed < 20
    watcher.says(type="presence")
    now = watcher.hears("presence")
    assert now["users"] == now["connections"] == len(clients) - len(gone)
    assert back in {user["name"] for user in now["members"]}
    for client in (*clients.values(), again):
        client.close()
