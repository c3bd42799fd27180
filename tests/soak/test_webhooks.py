"""Webhooks at 2,000 messages a second, to a receiver that fails every third time."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections.abc import Callable

from livechat.identity.local_key import read_local_key
from tests.live.daemon import Daemon, trusting
from tests.live.hook import SECRET, Hook, told

MINUTES = float(os.environ.get("LIVECHAT_SOAK_MINUTES", "10"))
RATE = 2_000
ROOMS = 20
#: Messages of a request, and seconds between two looks at the daemon.
BATCH = 100
LOOK_EVERY = 5.0
#: Bound on the entries that wait, as seconds of sending.
LAG = 30


class Sender:
    """
    Sends at a steady rate by the API of back ends.

    @ivar sent: messages that were stored.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.sent = 0
        self._daemon = daemon
        self._local = read_local_key(daemon.directory / "state")
        grants = {"name": "soak", "rooms": {"*": ["*"]}, "rate": 100_000}
        self._key: str = self.ask("POST", "/chat/keys/", grants, self._local)["key"]

    def ask(self, method: str, path: str, body: object = None, key: str | None = None) -> dict:  # type: ignore[type-arg]
        connection = http.client.HTTPSConnection(
            "localhost", self._daemon.port, context=trusting(), timeout=60
        )
        headers = {"Authorization": f"Bearer {key or self._key}"}
        headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        found: dict = json.loads(answer.read())  # type: ignore[type-arg]
        connection.close()
        assert answer.status == 200, found
        return found

    def run(self, seconds: float) -> None:
        began = time.monotonic()
        number = 0
        while (elapsed := time.monotonic() - began) < seconds:
            if number * BATCH > RATE * elapsed:
                time.sleep(0.005)
                continue
            actions = [
                {"type": "message", "message": f"m{number}-{each}", "room": f"r{number % ROOMS}"}
                for each in range(BATCH)
            ]
            results = self.ask("POST", "/chat/actions/", {"actions": actions})["results"]
            self.sent += sum(each["type"] == "ack" for each in results)
            number += 1

    def waiting(self) -> int:
        (state,) = self.ask("GET", "/chat/webhooks/")["webhooks"]
        return int(state.get("waiting", 0))


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
    hook.wait_for(sender.sent, 120)
    hook.go()
    third = max(1, len(memory) // 3)
    early, late = (statistics.median(part) for part in (memory[:third], memory[-third:]))
    print(  # noqa: T201 - it is for people
        f"{sender.sent} sent, {sender.sent / seconds:.0f} a second; {told(hook)}; memory"
        f" {early / 1e6:.0f} MB early, {late / 1e6:.0f} MB late, {max(memory) / 1e6:.0f} MB at"
        f" most; {max(waiting)} waiting at most, {statistics.median(waiting):.0f} in the median"
    )
    assert (hook.count, hook.holes, hook.gaps, hook.bad) == (sender.sent, 0, 0, 0)
    assert hook.refused >= hook.requests // 4
    assert late < 1.3 * early
    assert max(waiting) < LAG * RATE
