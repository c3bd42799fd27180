"""Rooms that move house, between SQLite and Redis, and back after a loss; by real commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from livechat.protocol.v1 import V1
from tests.backends.redis.cluster.servers import RedisCluster
from tests.backends.redis.server import RedisServer
from tests.live.command import command
from tests.live.daemon import CHEAP, Daemon, eventually
from tests.support.furnished import MANY, furnish

KEY = "k" * 24


def ready(daemon: Daemon) -> None:
    """Wait until it can use Redis."""
    eventually(lambda: '"status":"ready"' in daemon.curl(f"{daemon.url}/readyz").replace(" ", ""))


def livechat(*words: str | Path, **environment: str) -> dict[str, Any]:
    """Run a command that must end well; return its answer."""
    ran = command(["--json", *map(str, words)], Path.cwd(), environment)
    assert ran.code == 0, ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def frames(daemon: Daemon, query: str, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """The first frames of these types, one each, that a member of a room gets."""
    with daemon.socket(f"r/?client={KEY}{query}", subprotocols=[V1]) as member:
        found: list[dict[str, Any]] = []
        for kind in kinds:
            while (frame := json.loads(member.recv()))["type"] != kind:
                pass
            found.append(frame)
        return found


def said(daemon: Daemon, *texts: str) -> None:
    for text in texts:
        answer = daemon.curl("-d", f"message={text}", f"{daemon.url}/chat/send/r/")
        assert json.loads(answer) == {"message": "Message sent!"}


def test_an_export_comes_back_from_redis_in_the_same_bytes(tmp_path: Path) -> None:
    """An export by way of Redis, and back in SQLite, has the same bytes."""
    furnish(tmp_path / "state")
    files = [tmp_path / f"{number}.ndjson" for number in range(3)]
    secret = tmp_path / "secret"
    livechat("--state", tmp_path / "state", "export", "--with-secret", secret, files[0])
    with RedisServer(tmp_path / "redis") as server:
        redis = {"LIVECHAT_REDIS": server.url}
        moved = livechat("import", "--with-secret", secret, files[0], **redis)
        assert (moved["rooms"], moved["others"], moved["unbound"]) == (5, 0, 0)
        livechat("export", files[1], **redis)
        assert files[1].read_bytes() == files[0].read_bytes()
        # Once more: nothing is there twice.
        assert livechat("import", files[0], **redis)["rooms"] == 0
        livechat("export", files[2], **redis)
        assert files[2].read_bytes() == files[0].read_bytes()
    livechat("--state", tmp_path / "other", "import", "--with-secret", secret, files[1])
    livechat("--state", tmp_path / "other", "export", files[2])
    assert files[2].read_bytes() == files[0].read_bytes()


def test_an_export_comes_back_from_a_cluster_in_the_same_bytes(tmp_path: Path) -> None:
    """The same bytes."""
    furnish(tmp_path / "state")
    livechat("--state", tmp_path / "state", "export", tmp_path / "one")
    with RedisCluster(tmp_path / "cluster", 2) as cluster:
        redis = f"--redis=redis+cluster://127.0.0.1:{cluster.nodes[1].port}"
        assert livechat("import", tmp_path / "one", "--", redis)["rooms"] == 5
        livechat("export", tmp_path / "two", "--", redis)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()


def test_a_client_comes_along(tmp_path: Path) -> None:
    """A guest resumes at another livechat: the same person, and nothing is missed."""
    file, secret = tmp_path / "rooms", tmp_path / "secret"
    with Daemon(tmp_path / "one", environment=CHEAP) as one:
        said(one, "a", "b")
        (hello,) = frames(one, "", ("hello",))
        said(one, "c")
        livechat("--state", one.directory / "state", "export", "--with-secret", secret, file)
    since = f"&since={hello['epoch']}:{hello['seq']}"
    with RedisServer(tmp_path / "redis") as server:
        livechat("import", "--with-secret", secret, file, LIVECHAT_REDIS=server.url)
        with Daemon(tmp_path / "two", f"--redis={server.url}", environment=CHEAP) as two:
            ready(two)
            again, resumed, message = frames(two, since, ("hello", "resumed", "message"))
            assert again["user"] == hello["user"]
            assert resumed == {"type": "resumed", "complete": True, "from": 3, "to": 3}
            assert (message["seq"], message["message"]) == (3, "c")
            said(two, "d")
            assert [each["message"] for each in two.history("r/")] == ["a", "b", "c", "d"]


def test_into_a_redis_that_is_used(tmp_path: Path) -> None:
    """Rooms come into it while a livechat serves others, which hears of what is in them."""
    furnish(tmp_path / "state")
    livechat("--state", tmp_path / "state", "export", tmp_path / "rooms")
    with RedisServer(tmp_path / "redis") as server:
        redis = f"--redis={server.url}"
        with Daemon(tmp_path / "one", redis, "--history-age=0", environment=CHEAP) as one:
            ready(one)
            said(one, "before")
            moved = livechat("import", tmp_path / "rooms", "--", redis)
            assert (moved["rooms"], moved["unbound"]) == (5, 1)
            said(one, "after")
            assert [each["message"] for each in one.history("r/")] == ["before", "after"]
            found = one.history("many/?limit=1000")
            assert [each["message"] for each in found] == [
                f"m{number}" for number in range(MANY - 1_000, MANY)
            ]
            assert '"title":"A"' in one.curl(f"{one.url}/chat/rooms/a/")


def test_a_lost_state_is_restored_from_a_backup(tmp_path: Path) -> None:
    """
    The state is lost, and a backup takes its place: its messages are there, and a client that has
    seen later ones is told of the gap.
    """
    backup = tmp_path / "livechat.tar"
    with Daemon(tmp_path / "one", environment=CHEAP) as one:
        said(one, "a", "b")
        livechat("--state", one.directory / "state", "backup", backup)
        said(one, "lost", "lost, too")
        (hello,) = frames(one, "", ("hello",))
        one.kill()
    livechat("--state", tmp_path / "two" / "state", "restore", backup)
    with Daemon(tmp_path / "two", environment=CHEAP) as two:
        said(two, "c", "d", "e")
        since = f"&since={hello['epoch']}:{hello['seq']}"
        again, resumed = frames(two, since, ("hello", "resumed"))
        assert again["user"] == hello["user"]
        assert (resumed["complete"], resumed["reason"]) == (False, "epoch")
        assert [each["message"] for each in two.history("r/")] == ["a", "b", "c", "d", "e"]
