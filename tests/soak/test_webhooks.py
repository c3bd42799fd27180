"""Webhooks at 2,000 messages a second, to a receiver that fails every third time."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from livechat.identity.local_key import read_local_key
from tests.live.daemon import Daemon, trusting
from tests.live.hook import SECRET, Hook, told

MINUTES = float(os.environ.get("LIVECHAT_SOAK_MINUTES", "10"))
RATE = 2_000
ROOMS = 20
#: Messages of a request, connections, and seconds between two looks at the daemon.
BATCH = 100
CONNECTIONS = 8
#: The part of the rate that has to be reached: other work on the machine takes some of it.
ENOUGH = 0.95
LOOK_EVERY = 5.0
#: Bound on the entries that wait, as seconds of sending.
LAG = 30


class Sender:
    """
    Sends at a steady rate by the API of back ends, over several connections at a time.

    @ivar sent: messages that were stored.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.sent = 0
        self._daemon = daemon
        self._counting = threading.Lock()
        self._begun = 0.0
        self._number = 0
        grants = {"name": "soak", "rooms": {"*": ["*"]}, "rate": 100_000}
        self._key = read_local_key(daemon.directory / "state")
        with closing(self.connect()) as connection:
            self._key = self._ask(connection, "POST", "/chat/keys/", grants)["key"]

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self._daemon.port, context=trusting(), timeout=60
        )

    def _ask(
        self, to: http.client.HTTPSConnection, method: str, path: str, body: object = None
    ) -> dict:  # type: ignore[type-arg]
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        to.request(method, path, None if body is None else json.dumps(body), headers)
        answer = to.getresponse()
        found: dict = json.loads(answer.read())  # type: ignore[type-arg]
        assert answer.status == 200, found
        return found

    def run(self, seconds: float) -> None:
        """Send for so long; a connection that waits for its answer holds up no other."""
        self._begun = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for done in [pool.submit(self._send, seconds) for _ in range(CONNECTIONS)]:
                done.result()

    def _due(self) -> int | None:
        """Count a request, and return its number; None if the next one is not due yet."""
        with self._counting:
            if self._number * BATCH > RATE * (time.monotonic() - self._begun):
                return None
            self._number += 1
            return self._number

    def _send(self, seconds: float) -> None:
        with closing(self.connect()) as connection:
            self._send_on(connection, seconds)

    def _send_on(self, connection: http.client.HTTPSConnection, seconds: float) -> None:
        while time.monotonic() - self._begun < seconds:
            number = self._due()
            if number is None:
                time.sleep(0.005)
                continue
            actions = [
                {"type": "message", "message": f"m{number}-{each}", "room": f"r{number % ROOMS}"}
                for each in range(BATCH)
            ]
            answer = self._ask(connection, "POST", "/chat/actions/", {"actions": actions})
            stored = sum(each["type"] == "ack" for each in answer["results"])
            with self._counting:
                self.sent += stored

    def waiting(self) -> int:
        with closing(self.connect()) as connection:
            (state,) = self._ask(connection, "GET", "/chat/webhooks/")["webhooks"]
        return int(state.get("waiting", 0))


def daemon_cpu(daemon: Daemon) -> float:
    """Seconds of a core that the daemon has used."""
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_receiver_that_fails_every_third_time(start: Callable[..., Daemon]) -> None:
    """Memory stays, the backlog is bounded and shown, and nothing is lost."""
    hook = Hook(lambda number: number % 3 == 0)
    daemon = start(
        "--rate=0", "--rate-per-ip=0", f"--webhook={hook.url}", LIVECHAT_WEBHOOK_SECRET=SECRET
    )
    sender = Sender(daemon)
    seconds = 60 * MINUTES
    sending = threading.Thread(target=sender.run, args=[seconds])
    sending.start()
    memory: list[int] = []
    waiting: list[int] = []
    while sending.is_alive():
        sending.join(LOOK_EVERY)
        memory.append(daemon.memory())
        waiting.append(sender.waiting())
    used = f"{daemon_cpu(daemon):.0f} s of CPU, of this process {time.process_time():.0f} s"
    hook.wait_for(sender.sent, 120)
    hook.go()
    third = max(1, len(memory) // 3)
    early, late = (statistics.median(part) for part in (memory[:third], memory[-third:]))
    print(  # noqa: T201 - it is for people
        f"{sender.sent} sent, {sender.sent / seconds:.0f} a second; {told(hook)}; memory"
        f" {early / 1e6:.0f} MB early, {late / 1e6:.0f} MB late, {max(memory) / 1e6:.0f} MB at"
        f" most; {max(waiting)} waiting at most, {statistics.median(waiting):.0f} in the median;"
        f" {used}"
    )
    assert (hook.count, hook.holes, hook.gaps, hook.bad) == (sender.sent, 0, 0, 0)
    assert sender.sent >= ENOUGH * RATE * seconds
    assert hook.refused >= hook.requests // 4
    assert late < 1.3 * early
    assert max(waiting) < LAG * RATE
