"""A person is forgotten, with the daemon killed in the middle: in no file, no key and no answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.command import done
from tests.live.daemon import Daemon, eventually
from tests.live.moderating import OPTIONS, ask, local_key, token
from tests.live.workers import WORKERS, ready
from tests.support.jwts import secret_file

ID, NAME, WORDS = "zebra-4711", "Annegret", "confided"
SECRETS = (ID, NAME, WORDS)
ROOMS = [f"room-{number}" for number in range(8)]
#: Seconds after which nothing is anywhere.
WITHIN = 60.0
ANN = {"id": ID, "name": NAME}
BOB = {"id": "bob", "name": "Bob"}


class Site:
    """A back end of the site, which may do everything."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def asks(self, method: str, path: str, body: Any = None) -> Any:
        answer = ask(self.daemon, method, path, body, token=local_key(self.daemon), at="127.0.0.1")
        assert answer.status == 200, answer
        return answer.body

    def does(self, *actions: dict[str, Any]) -> None:
        """Up to a hundred actions; each must be done."""
        results = self.asks("POST", "/chat/actions/", {"actions": actions})["results"]
        assert [each for each in results if each["type"] != "ack"] == []

    def history(self, room: str) -> dict[int, str]:
        found = self.asks("GET", f"/chat/history/{room}/?limit=1000")["chat_history"]
        return {each["seq"]: each["message"] for each in found}


def lives(site: Site) -> None:
    """Ann says much, and something is done about her."""
    for room in ROOMS:
        for start in range(2):
            site.does(*(
                {"room": room, "type": "message", "message": f"{who['id']}-{start}-{number} {word}",
                 "as": who}
                for number in range(30)
                for who, word in ((ANN, WORDS), (BOB, "said"), (ANN, WORDS))
            ))  # fmt: skip
    room = ROOMS[0]
    first = min(site.history(room))
    site.does(
        {"room": room, "type": "edit", "ref": first, "message": f"{WORDS} anew", "as": ANN},
        {"room": room, "type": "report", "ref": first, "reason": NAME, "as": BOB},
        {"room": room, "type": "retract", "ref": first + 2},
        {"room": "*", "type": "restrict", "user": ID, "kind": "ban", "reason": f"{NAME} spams",
         "everywhere": True},
        {"type": "revoke", "user": ID},
    )  # fmt: skip


def in_files(daemon: Daemon) -> list[str]:
    """The files of the state directory that have something of hers."""
    found = []
    for path in (daemon.directory / "state").rglob("*"):
        # SQLite removes its logs as it closes a database.
        with suppress(FileNotFoundError, IsADirectoryError):
            data = path.read_bytes()
            found += [f"{path.name}: {word}" for word in SECRETS if word.encode() in data]
    return found


def in_keys(redis: RedisServer) -> list[str]:
    """The keys in whose names or dumps there is something of hers."""
    return [
        f"{key}: {word}"
        for key in redis.ask("KEYS", "*").split()
        for dumped in (redis.dump(key),)
        for word in SECRETS
        if word in key or word.encode() in dumped
    ]


@pytest.mark.parametrize("store", ["SQLite", "Redis"])
def test_a_forgotten_user_is_nowhere_within_a_minute(
    start: Callable[..., Daemon], tmp_path: Path, request: pytest.FixtureRequest, store: str
) -> None:
    """Within a minute nothing of hers is left; the numbers of others are what they were."""
    secret_file(tmp_path)
    options = [*OPTIONS]
    redis: RedisServer | None = None
    if store == "Redis":
        # Else compressed words would not be found.
        redis = request.getfixturevalue("redis")
        redis.ask("CONFIG", "SET", "rdbcompression", "no")
        options += [f"--redis={redis.url}", f"--workers={WORKERS}"]
    site = Site(start(*options))
    if redis is not None:
        ready(site.daemon)
    lives(site)
    assert in_keys(redis) if redis is not None else in_files(site.daemon)
    others = {room: {seq: text for seq, text in site.history(room).items() if WORDS not in text}
              for room in ROOMS}  # fmt: skip
    assert all(len(each) == 60 for each in others.values())
    port = site.daemon.port
    # A command would take longer to end than the work takes.
    case = site.asks("POST", "/chat/actions/", {"type": "forget", "user": ID})["case"]
    began = time.monotonic()
    site.daemon.kill_all()
    left = in_keys(redis) if redis is not None else in_files(site.daemon)
    assert left, "it was done before the kill"
    site = Site(start(*options, f"--port={port}"))
    if redis is not None:
        ready(site.daemon)
    eventually(lambda: forgotten(site, case), within=WITHIN)
    eventually(
        lambda: not (in_keys(redis) if redis is not None else in_files(site.daemon)),
        within=began + WITHIN - time.monotonic(),
    )
    assert {room: site.history(room) for room in ROOMS} == others
    answers_nothing(site)
    assert in_files(site.daemon) == []
    again = done(site.daemon, "forget", ID).partition("case ")[2].partition(";")[0]
    eventually(lambda: forgotten(site, again))
    site.daemon.stop()


def forgotten(site: Site, case: str) -> bool:
    records = site.asks("GET", "/chat/audit/?limit=1000")["records"]
    return any(each["action"].get("case") == case for each in records)


def answers_nothing(site: Site) -> None:
    """No list has anything of hers, and she is banned still."""
    for path in ("audit", "restrictions", "cases"):
        found = str(site.asks("GET", f"/chat/{path}/?limit=1000"))
        assert not any(word in found for word in SECRETS), path
    search = f"/chat/history/{ROOMS[0]}/?user={ID}"
    assert site.asks("GET", search)["chat_history"] == []
    banned = ask(site.daemon, "GET", f"/chat/history/{ROOMS[0]}/", token=token(ID))
    assert (banned.status, banned.code) in ((403, "banned"), (401, "token_revoked"))
    export = done(site.daemon, "export", "--user", ID, "-").splitlines()
    assert len(export) == 2, export
