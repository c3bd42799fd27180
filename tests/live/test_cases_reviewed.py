"""Messages wait for a review, at two workers on one Redis and on SQLite; kills lose none."""

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
    MODERATOR,
    OPTIONS,
    OTHERS,
    act,
    ask,
    at_each_worker,
    does,
    hears,
    token,
    visit,
)
from tests.live.workers import WORKERS, ready
from tests.support.jwts import secret_file

#: Messages about which two moderators decide at the same moment.
DECIDED = 20
#: The map of cases in Redis.
CASES = "lc:{!}:shared:cases"


@pytest.fixture
def daemon(on_both: Daemon) -> Daemon:
    return on_both


def said(daemon: Daemon) -> list[str]:
    found = ask(daemon, "GET", "/chat/history/r/?limit=1000").body["chat_history"]
    return [each["message"] for each in found]


def hold(daemon: Daemon, whose: str) -> None:
    """Set `hold` and wait until all workers know it: connections reach them by chance."""
    act(daemon, "r/", type="room", set={"hold": whose})
    in_force = 0
    while in_force < 4 * WORKERS:
        settings = ask(daemon, "GET", "/chat/rooms/r/").body["settings"]
        in_force = in_force + 1 if settings.get("hold") == whose else 0


def case_of(member: Member, text: str) -> str:
    answer = does(member, type="message", message=text)
    assert answer["error"]["code"] == "held", answer
    found: str = answer["error"]["case"]
    return found


def answers(member: Member, count: int) -> dict[str, Any]:
    """The next so many answers to actions, by their nonces."""
    found: dict[str, Any] = {}
    while len(found) < count:
        frame = json.loads(member.recv())
        if frame["type"] in ("ack", "error"):
            found[frame["nonce"]] = frame
    return found


def test_decided_at_two_workers(daemon: Daemon) -> None:
    """Opposite verdicts at two workers: each message is published or not, as the ack says."""
    hold(daemon, "all")
    with ExitStack() as stack:

        def moderator() -> Member:
            return stack.enter_context(visit(daemon, "", OTHERS, token(rooms=MODERATOR)))

        # The last one is at another worker than the one before, if there are several.
        *_, one, other = [moderator(), *at_each_worker(daemon, moderator)]
        cases = []
        for number in range(DECIDED):
            author = stack.enter_context(visit(daemon, "", OTHERS, token(f"u{number}")))
            cases.append(case_of(author, f"m{number}"))
            assert hears(one, "case")["case"] == hears(other, "case")["case"] == cases[-1]
        for number, case in enumerate(cases):
            verdicts = ("approve", "reject") if number % 2 else ("reject", "approve")
            for member, verdict in zip((one, other), verdicts, strict=True):
                action = {"type": "review", "case": case, "verdict": verdict, "nonce": case}
                member.send(json.dumps(action))
        answered = [answers(each, DECIDED) for each in (one, other)]
        expected = []
        for number, case in enumerate(cases):
            done, refused = sorted((each[case] for each in answered), key=lambda one: one["type"])
            assert (done["type"], refused["error"]["code"]) == ("ack", "too_late")
            if "seq" in done:
                expected.append(f"m{number}")
        assert sorted(said(daemon)) == sorted(expected)
        assert hears(author, "case")["state"] in {"approved", "rejected"}


def test_reported_and_taken_back(
    start: Callable[..., Daemon], tmp_path: Path, redis: RedisServer
) -> None:
    """A retracted message is in no case from the ack on, at any worker and however close."""
    secret_file(tmp_path)
    daemon = ready(start(*OPTIONS, f"--redis={redis.url}", f"--workers={WORKERS}"))
    with ExitStack() as stack:
        one, *_, other = at_each_worker(
            daemon, lambda: stack.enter_context(visit(daemon, "", OTHERS, token()))
        )
        for number in range(30):
            author, reporter = (one, other) if number % 2 else (other, one)
            ref = does(author, type="message", message=f"secret{number}")["seq"]
            reporter.send(json.dumps({"type": "report", "ref": ref, "nonce": "r"}))
            if number % 3:
                assert answers(reporter, 1)["r"]["type"] == "ack"
                assert f"secret{number}" in redis.ask("HVALS", CASES)
            assert does(author, type="retract", ref=ref)["type"] == "ack"
            if not number % 3:
                answers(reporter, 1)
            assert f"secret{number}" not in redis.ask("HVALS", CASES)


def test_a_case_outlives_a_killed_worker(
    start: Callable[..., Daemon], tmp_path: Path, redis: RedisServer
) -> None:
    """A case outlives the worker that opened it; its message is said at the other one, once."""
    secret_file(tmp_path)
    daemon = ready(start(*OPTIONS, f"--redis={redis.url}", f"--workers={WORKERS}"))
    hold(daemon, "guests")
    held = ask(daemon, "POST", f"/chat/send/r/?client={'k' * 16}", {"message": "hi"})
    assert (held.status, held.body["message"]) == (202, "Message held.")
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.log.wait_for(r"Worker 1 has ended: signal 9")
    with visit(daemon, "", OTHERS, token(rooms=MODERATOR)) as moderator:
        ack = does(moderator, type="review", case=held.body["case"], verdict="approve")
        assert ack["seq"] == 1
        again = does(moderator, type="review", case=held.body["case"], verdict="approve")
        assert again["duplicate"]
    assert said(daemon) == ["hi"]


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_case_outlives_a_killed_daemon(
    start: Callable[..., Daemon], tmp_path: Path, verdict: str
) -> None:
    """A case with SQLite outlives a kill of the whole daemon."""
    secret_file(tmp_path)
    with start(*OPTIONS) as first:
        hold(first, "guests")
        held = ask(first, "POST", f"/chat/send/r/?client={'k' * 16}", {"message": "hi"})
        first.kill()
    second = start(*OPTIONS)
    with visit(second, "", OTHERS, token(rooms=MODERATOR)) as moderator:
        ack = does(moderator, type="review", case=held.body["case"], verdict=verdict)
        assert ack["type"] == "ack", ack
    assert said(second) == (["hi"] if verdict == "approve" else [])
