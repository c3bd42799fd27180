"""Retracted words are nowhere: a real daemon, on either backend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon, Member, eventually

#: Nothing else holds these words.
SECRET, EDITED = "zqx-first-words", "zqx-other-words"
WORDS = "zqx-"
#: Seconds after which they are in no file, and in no key.
GONE_WITHIN = 60.0

KEY = "k" * 16

#: An extension with which removals pause for as long as they are told, and are taken over soon.
SLOW = """
import os
from livechat.extensions import ExtensionBase
from livechat.rooms import removal, sweeping

class Slow(ExtensionBase):
    def policy(self, config):
        sweeping.PAUSE = float(os.environ["PAUSE"])
        removal.LEASE, removal.RENEW_AFTER, removal.LOOK_EVERY = 1.0, 0.1, 0.2
"""


@pytest.fixture(scope="module", params=["embedded", "Redis"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, Path | RedisServer]]:
    """A daemon, and where it keeps what is said."""
    directory = tmp_path_factory.mktemp("daemon")
    if request.param == "embedded":
        with Daemon(directory) as running:
            yield running, directory / "state"
    else:
        with (
            # Or the words would not be seen in what `words_in_keys` looks at.
            RedisServer(directory / "redis", "--rdbcompression", "no") as redis,
            Daemon(directory, f"--redis={redis.url}", "--workers=2") as running,
        ):
            running.log.wait_for("Redis at .* can be used", 2)
            yield running, redis


class Client:
    """A client of ``livechat.v1``, or a plain one."""

    def __init__(self, socket: Member) -> None:
        self._socket = socket

    def hears(self) -> Any:
        return json.loads(self._socket.recv())

    def numbered(self, count: int) -> list[tuple[int, str, str | None]]:
        """The next *count* numbered frames: number, kind and text."""
        found: list[tuple[int, str, str | None]] = []
        while len(found) < count:
            frame = self.hears()
            if frame["type"] in {"message", "event"}:
                text = frame.get("message", frame.get("text"))
                found.append((frame["seq"], frame.get("event", "message"), text))
        return found

    def says(self, **action: Any) -> None:
        self._socket.send(json.dumps(action))

    def does(self, **action: Any) -> Any:
        """Do something; its ack."""
        self.says(**action)
        while (frame := self.hears())["type"] not in {"ack", "error"}:
            pass
        return frame


def words_in_files(state: Path) -> int:
    """The number of database files that have the words."""
    files = [path for path in state.iterdir() if "sqlite3" in path.name]
    assert files
    return sum(WORDS.encode() in path.read_bytes() for path in files)


def words_in_keys(redis: RedisServer) -> int:
    """The number of Redis's values that have the words, in whichever form."""
    keys = redis.ask("--scan").split()
    dumped = [redis.dump(key) for key in keys]
    assert any(b"stays" in each for each in dumped)
    return sum(WORDS.encode() in each for each in dumped)


def test_retracted_words_are_gone(place: tuple[Daemon, Path | RedisServer]) -> None:
    """Members see the events; who comes later sees what stands there; the words are gone."""
    daemon, store = place
    with ExitStack() as open_sockets:
        be_taken_back(daemon, open_sockets)
    if isinstance(store, Path):
        eventually(lambda: not words_in_files(store), GONE_WITHIN)
    else:
        eventually(lambda: not words_in_keys(store), GONE_WITHIN)


def be_taken_back(daemon: Daemon, open_sockets: ExitStack) -> None:
    def client(query: str = "", *, plain: bool = False) -> Client:
        socket = daemon.socket(f"r/?{query}", subprotocols=None if plain else ["livechat.v1"])
        return Client(open_sockets.enter_context(socket))

    author, member, plain = client(f"client={KEY}"), client(), client(plain=True)
    start = member.hears()
    assert author.hears()["limits"]["edit"] > 0
    # Each act is heard before the next: a worker that hears all at once tells no retracted words.
    assert author.does(type="message", message=SECRET)["seq"] == 1
    assert plain.hears() == {"message": SECRET}
    assert member.numbered(1) == [(1, "message", SECRET)]
    assert author.does(type="edit", ref=1, message=EDITED)["seq"] == 2
    assert member.numbered(1) == [(2, "edited", EDITED)]
    assert author.does(type="message", message="stays", reply_to=1)["seq"] == 3
    assert plain.hears() == {"message": "stays"}
    assert member.numbered(1) == [(3, "message", "stays")]
    assert author.does(type="retract", ref=1, nonce="n")["count"] == 1
    assert author.does(type="retract", ref=1, nonce="n")["duplicate"]
    assert member.numbered(1) == [(4, "retracted", None)]
    late = client(f"since={start['epoch']}:0")
    assert late.numbered(4) == [
        (1, "gone", None), (2, "gone", None), (3, "message", "stays"), (4, "retracted", None),
    ]  # fmt: skip
    newest = client("history=9", plain=True)
    assert newest.hears() == {"message": "stays"}
    history = json.loads(daemon.curl(f"{daemon.url}/chat/history/r/"))["chat_history"]
    assert [(each["seq"], each["message"]) for each in history] == [(3, "stays")]


def test_a_killed_removal_goes_on(tmp_path: Path) -> None:
    """A process that is killed while it takes back much goes on with that when it is back."""
    (tmp_path / "slow.py").write_text(SLOW)

    def daemon(pause: str) -> Daemon:
        options = ("--extension=slow.Slow", "--rate=0", "--rate-per-ip=0")
        environment = {"PYTHONPATH": str(tmp_path), "PAUSE": pause}
        return Daemon(tmp_path, *options, environment=environment)

    def client(running: Daemon, sockets: ExitStack) -> Client:
        made = running.socket(f"r/?client={KEY}", subprotocols=["livechat.v1"])
        return Client(sockets.enter_context(made))

    def left(running: Daemon) -> int:
        return sum(WORDS in each["message"] for each in running.history("r/?limit=1000"))

    with daemon("60") as running, ExitStack() as sockets:
        author = client(running, sockets)
        known_as = author.hears()["user"]["id"]
        for number in range(600):
            author.says(type="message", message=f"{WORDS}{number}")
        eventually(lambda: left(running) == 600)
        author.says(type="retract", user=known_as, guest=True)
        eventually(lambda: left(running) < 600)
        assert left(running) > 0
        running.kill()
    with daemon("5") as running:
        assert 0 < left(running) < 600
        eventually(lambda: left(running) == 0)
