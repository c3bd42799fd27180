"""
A moderator ends a raid, at two workers on one Redis and on SQLite; what was done outlives kills.

The clients come from addresses of their own, all of the loopback network.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon, Member
from tests.live.moderating import (
    ELSEWHERE,
    HERE,
    KEY,
    MODERATOR,
    OPTIONS,
    OTHER_KEY,
    act,
    ask,
    at_each_worker,
    does,
    hears,
    local_key,
    token,
    visit,
)
from tests.live.workers import WORKERS, ready
from tests.support.jwts import secret_file

MEMBERS = 40


@pytest.fixture
def daemon(on_both: Daemon) -> Daemon:
    return on_both


def test_a_ban_with_address_ends_a_raid(daemon: Daemon) -> None:
    """A ban with what was said and with the address: at once, everywhere, and for all keys."""
    with ExitStack() as stack:
        members = at_each_worker(daemon, lambda: stack.enter_context(visit(daemon)))
        members += [stack.enter_context(visit(daemon)) for _ in range(MEMBERS - len(members))]
        spammers = at_each_worker(
            daemon, lambda: stack.enter_context(visit(daemon, f"?name=Eve&client={KEY}", HERE))
        )
        moderator = stack.enter_context(visit(daemon, "", HERE, token(rooms=MODERATOR)))
        hello = hears(spammers[0], "hello")
        eve = hello["user"]["id"]
        assert does(members[0], type="message", message="before")["type"] == "ack"
        for number, spammer in enumerate(spammers):
            assert does(spammer, type="message", message=f"buy {number}")["type"] == "ack"
        body = {"message": "buy by HTTP"}
        path = f"/chat/send/r/?name=Eve&client={KEY}"
        assert ask(daemon, "POST", path, body, at=ELSEWHERE).status == 200

        ack = does(
            moderator, type="restrict", user=eve, guest=True, kind="ban", reason="raid",
            retract=3_600, address=True,
        )  # fmt: skip
        assert ack.get("address") is True, ack
        assert ack["count"] == len(spammers) + 1
        for spammer in spammers:
            close = spammer.closed()
            assert close is not None
            assert (close.code, close.reason) == (4403, "You are banned: raid")
        goes_on(daemon, members, eve)
        for query in (f"?client={KEY}", f"?client={OTHER_KEY}", ""):
            stays_out(daemon, query, hello)
        stays_out(daemon, f"?client={KEY}", hello, at="127.0.0.68")
        recorded(daemon, moderator, eve, len(spammers) + 1)


def goes_on(daemon: Daemon, members: list[Member], eve: str) -> None:
    """The others hear each other, and what was taken back is in no history."""
    assert does(members[-1], type="message", message="after")["type"] == "ack"
    for member in members[:-1]:
        while hears(member, "message")["message"] != "after":
            pass
    for _ in range(2 * WORKERS):
        found = ask(daemon, "GET", "/chat/history/r/").body["chat_history"]
        assert [each["message"] for each in found] == ["before", "after"]
        assert ask(daemon, "GET", f"/chat/history/r/?q=buy&user={eve}&guest=1").body == {
            "chat_history": []
        }


def stays_out(daemon: Daemon, query: str, hello: Any, at: str = HERE) -> None:
    """Assert that the person gets in by no way and at no worker."""
    since = f"since={hello['epoch']}:{hello['seq']}"
    resuming = f"{query}&{since}" if query else f"?{since}"
    for _ in range(3 * WORKERS):
        for each in (query, resuming):
            close = visit(daemon, each, at).closed()
            assert close is not None
            assert close.code == 4403
            assert close.reason.endswith(": raid")
    for _ in range(2 * WORKERS):
        for method, path, body in (
            ("GET", f"/chat/events/r/{query}", None),
            ("GET", f"/chat/events/r/{resuming}", None),
            ("POST", f"/chat/send/r/{query}", {"message": "x"}),
            ("POST", f"/chat/actions/r/{query}", {"type": "message", "message": "x"}),
        ):
            answer = ask(daemon, method, path, body, at=at)
            assert (answer.status, answer.code) == (403, "banned"), (path, answer)
            assert answer.body["reason"] == "raid"
    with pytest.raises(Exception, match="HTTP 403"):
        Member(f"wss://127.0.0.1:{daemon.port}/ws/chat/r/{query}", local_addr=(at, 0))


def recorded(daemon: Daemon, moderator: Member, eve: str, count: int) -> None:
    """The audit says who did what to whom and why, and has what was removed."""
    records = ask(daemon, "GET", "/chat/audit/", token=local_key(daemon), at="127.0.0.1").body
    ban = next(each for each in records["records"] if each["action"]["type"] == "restrict")
    told = {"type": "restrict", "kind": "ban", "address": True, "reason": "raid"}
    assert told.items() <= ban["action"].items()
    assert (ban["room"], ban["action"]["user"]["id"]) == ("r", eve)
    assert (ban["by"]["kind"], ban["by"]["user"]["id"]) == ("user", "7")
    removed = [each.get("text", "") for each in records["records"] if each is not ban]
    assert sum(text.startswith("buy") for text in removed) == count
    assert HERE not in json.dumps(records)


def test_restrictions_outlive_a_restart(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Restrictions and settings hold after a kill and a restart."""
    secret_file(tmp_path)
    with start(*OPTIONS) as daemon:
        before = moderated(daemon)
        daemon.kill()
    after = start(*OPTIONS)
    holds(after)
    assert restrictions(after) == before


def test_restrictions_outlive_a_killed_worker(
    start: Callable[..., Daemon], tmp_path: Path, redis: RedisServer
) -> None:
    """So they do where a worker is killed: at the other one, and at the one that comes after it."""
    secret_file(tmp_path)
    daemon = ready(start(*OPTIONS, f"--redis={redis.url}", f"--workers={WORKERS}"))
    before = moderated(daemon)
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.log.wait_for(r"Worker 1 has ended: signal 9")
    holds(daemon)
    daemon.log.wait_for(r"Worker 1 is ready", 2)
    daemon.log.wait_for(r"\[worker 1#info\].* Redis at \S+ can be used", 2)
    holds(daemon)
    assert restrictions(daemon) == before


def restrictions(daemon: Daemon) -> Any:
    key = local_key(daemon)
    return ask(daemon, "GET", "/chat/restrictions/", token=key, at="127.0.0.1").body


def moderated(daemon: Daemon) -> Any:
    """Restrict and set; returns the restrictions."""
    act(daemon, "r/", type="restrict", user="1", kind="ban", seconds=600, reason="raid")
    act(daemon, "", type="restrict", user="2", kind="mute", seconds=600, everywhere=True)
    act(daemon, "", type="room", room="r*", set={"topic": "ships", "slow": 30})
    act(daemon, "r/", type="room", set={"guests": "read"})
    return restrictions(daemon)


def holds(daemon: Daemon) -> None:
    for _ in range(2 * WORKERS):
        said = {"message": "x"}
        answers = [
            ask(daemon, "POST", "/chat/send/r/", said, token=given)
            for given in (token("1"), token("2"), None)
        ]
        assert [each.code for each in answers] == ["banned", "muted", "unauthorized"]
        assert "retry-after" not in answers[2].body
        state = ask(daemon, "GET", "/chat/rooms/r/").body
        assert state["settings"] == {"topic": "ships", "slow": 30, "guests": "read"}
        assert state["can"] == ["join", "history"]
