"""People who talk while something fails, and what of it they must have heard."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.live.daemon import PATIENCE, Daemon, eventually, trusting

SENDERS = 8
MEMBERS = 12
#: Messages of each sender.
MESSAGES = 100
ROOM = "r"


class Talk:
    """
    Senders over HTTP, and members who listen.

    @ivar members: some on each worker.
    @ivar answered: what was answered with 200.
    @ivar refused: what was not.
    @ivar broken: of these, of which the connection broke instead.
    @ivar slowest: seconds until the last of all answers came.
    @ivar heard: what each member heard that is connected still.
    @ivar closed: why the others are not.
    """

    def __init__(
        self,
        daemon: Daemon,
        room: str = ROOM,
        *,
        members: int = MEMBERS,
        messages: int = MESSAGES,
        padding: int = 0,
        pause: float = 0.0,
    ) -> None:
        """
        @param messages: of each sender.
        @param pause: seconds between two of them.
        """
        self._daemon = daemon
        self._room = room
        self._messages = messages
        self._pause = pause
        self._padding = "x" * padding
        self._lock = threading.Lock()
        self._half = threading.Event()
        # An unbounded queue keeps members answering pings.
        self.members = daemon.members(members, room, max_queue=None)
        self.answered: list[str] = []
        self.refused: list[str] = []
        self.broken = 0
        self.slowest = 0.0
        self.heard: list[list[str]] = []
        self.closed: list[str] = []

    def go_on(self, fault: Callable[[], None]) -> None:
        """Talk, with *fault* in the middle, until everybody was answered."""
        with ThreadPoolExecutor(SENDERS) as pool:
            sending = [pool.submit(self._send, sender) for sender in range(SENDERS)]
            assert self._half.wait(self._messages * self._pause + PATIENCE)
            fault()
            for each in sending:
                each.result()

    def _send(self, sender: int) -> None:
        connection: http.client.HTTPSConnection | None = None
        for number in range(self._messages):
            text = f"{sender}-{number} {self._padding}"
            if connection is None:
                connection = http.client.HTTPSConnection(
                    "localhost", self._daemon.port, context=trusting(), timeout=PATIENCE
                )
            status, began = 0, time.monotonic()
            try:
                body = json.dumps({"message": text})
                headers = {"Content-Type": "application/json"}
                connection.request("POST", f"/chat/send/{self._room}/", body, headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
            assert status in (0, 200, 503)
            with self._lock:
                self.broken += status == 0
                self.slowest = max(self.slowest, time.monotonic() - began)
                (self.answered if status == 200 else self.refused).append(text)
                if len(self.answered) + len(self.refused) == SENDERS * self._messages // 2:
                    self._half.set()
            time.sleep(self._pause)
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
        # A repeated request is stored once.
        once = ("-H", f"Idempotency-Key: {'the-last-one':x<32}")
        url = f"{self._daemon.url}/chat/send/{self._room}/"
        eventually(lambda: "sent" in self._daemon.curl(*json_type, *once, "-d", body, url))
        stored = [each["message"] for each in whole_history(self._daemon, self._room)]
        assert len(set(stored)) == len(stored)
        assert set(self.answered) <= set(stored)
        assert set(stored) <= {*self.answered, *self.refused, last}
        for sender in range(SENDERS):
            own = [
                int(text.split()[0].split("-")[1]) for text in stored if text[:2] == f"{sender}-"
            ]
            late = [after for before, after in pairwise(own) if after < before]
            assert not late, f"{sender}: {late} were stored behind later ones"
        for member in self.members:
            frames: list[str] = []
            try:
                member.recv_until(json.dumps({"message": last}, separators=(",", ":")), frames)
            except ConnectionClosed as reason:
                self.closed.append(str(reason))
            else:
                heard = [json.loads(frame)["message"] for frame in frames]
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
    """Print a line for runs with -s."""
    counted = f"\n{name}: {counts}; lost 0, duplicated 0, out of order 0"
    print(counted)  # noqa: T201 - it is for people


def whole_history(daemon: Daemon, room: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := _page(daemon, f"{room}/?limit=1000&after={len(found)}"):
        found += page
    return found


def _page(daemon: Daemon, query: str) -> list[dict[str, Any]]:
    """A page of a history, from a worker that may just have been started and cannot read yet."""
    answers: list[dict[str, Any]] = []

    def read() -> bool:
        answers.append(json.loads(daemon.curl(f"{daemon.url}/chat/history/{query}")))
        return "chat_history" in answers[-1]

    eventually(read)
    page: list[dict[str, Any]] = answers[-1]["chat_history"]
    return page
