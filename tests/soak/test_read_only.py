"""A disk that can be read and not written any more.  Needs root, and a file system with chattr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.live.daemon import Daemon, tool


@contextmanager
def read_only(daemon: Daemon) -> Iterator[None]:
    """
    The database and its log cannot be written.

    (The index of the log stays as it is: the kernel ends a process for writing to a file that is
    mapped and cannot be written, whoever it is.)
    """
    state = daemon.directory / "state"
    files = [str(state / f"livechat.sqlite3{suffix}") for suffix in ("", "-wal")]
    tool("chattr", "+i", *files)
    try:
        yield
    finally:
        tool("chattr", "-i", *files)


def test_a_disk_that_cannot_be_written(start: Callable[..., Daemon]) -> None:
    """Senders get an error, readers notice nothing, and sending works again with the disk."""
    daemon = start("--rate=0", "--rate-per-ip=0")

    def send(text: str) -> str:
        return daemon.curl("-d", f"message={text}", f"{daemon.url}/chat/send/")

    with daemon.socket("lobby") as member:
        assert "sent" in send("before")
        assert json.loads(member.recv(timeout=10)) == {"message": "before"}
        with read_only(daemon):
            for _ in range(20):
                assert json.loads(send("lost"))["code"] == "unavailable"
                assert [each["message"] for each in daemon.history()] == ["before"]
            member.send('{"message": "lost too"}')
            assert json.loads(member.recv(timeout=10))["error"]["code"] == "unavailable"
        daemon.log.wait_for("can be stored again")
        assert "sent" in send("after")
        assert json.loads(member.recv(timeout=10)) == {"message": "after"}
    stored = [(each["seq"], each["message"]) for each in daemon.history()]
    assert stored == [(1, "before"), (2, "after")]
    assert daemon.log.text.count("cannot be stored") == 1
