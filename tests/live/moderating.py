"""Clients at addresses of their own, and moderators, by the protocols."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.live.daemon import PATIENCE, Daemon, Member, trusting
from tests.support.jwts import signed

#: The offender's keys and addresses, and that of everybody else.
KEY, OTHER_KEY = "k" * 16, "z" * 16
HERE, ELSEWHERE, OTHERS = "127.0.0.66", "127.0.0.67", "127.0.0.2"
MODERATOR = {"r": ["join", "history", "send", "moderate"]}
OPTIONS = ("--rate-per-ip=0", "--max-connections-per-ip=0", "--token-keys=secret")


V1: Any = ["livechat.v1"]


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def code(self) -> str:
        found: str = self.body["code"]
        return found


def ask(
    daemon: Daemon,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    at: str = OTHERS,
) -> Answer:
    """Ask from the address *at*."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", daemon.port, context=trusting(), timeout=PATIENCE, source_address=(at, 0)
    )
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, headers)
    with connection.getresponse() as answer:
        found = json.loads(answer.read())
    connection.close()
    return Answer(answer.status, found)


def token(user: str = "7", **claims: Any) -> str:
    now = int(time.time())
    return signed(now=now, sub=user, exp=now + 600, **claims)


def local_key(daemon: Daemon) -> str:
    return (daemon.directory / "state" / "local-key").read_text().strip()


def visit(daemon: Daemon, query: str = "", at: str = OTHERS, *given: str, **more: Any) -> Member:
    """A client of ``livechat.v1``, from the address *at*."""
    offered = [*V1, *(f"livechat.token.{each}" for each in given)]
    uri = f"wss://127.0.0.1:{daemon.port}/ws/chat/r/{query}"
    return Member(uri, subprotocols=offered, local_addr=(at, 0), max_queue=None, **more)


def hears(member: Member, kind: str, within: float = PATIENCE) -> Any:
    """The next frame of this type."""
    deadline = time.monotonic() + within
    while True:
        frame = json.loads(member.recv(max(0.01, deadline - time.monotonic())))
        if frame["type"] == kind:
            return frame


def does(member: Member, **action: Any) -> Any:
    """The answer to an action."""
    member.send(json.dumps({**action, "nonce": secrets.token_hex(8)}))
    while (frame := json.loads(member.recv()))["type"] not in ("ack", "error"):
        pass
    return frame


def at_each_worker(daemon: Daemon, made: Callable[[], Member]) -> list[Member]:
    """Clients of which each worker has one at least: the kernel spreads them by chance."""
    before = {pid: daemon.sockets(pid) for pid in daemon.workers() or [daemon.process.pid]}
    clients = [made()]
    while any(daemon.sockets(pid) <= before[pid] for pid in before):
        assert len(clients) < 40, "a worker gets no connections"
        clients.append(made())
    return clients


def act(daemon: Daemon, path: str, **action: Any) -> None:
    key = local_key(daemon)
    answer = ask(daemon, "POST", f"/chat/actions/{path}", action, token=key, at="127.0.0.1")
    assert answer.status == 200, answer
