"""A full disk."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable

from tests.live.daemon import Daemon


def test_full_disk(start: Callable[..., Daemon]) -> None:
    """When nothing can be written senders are told, readers are not affected; then it goes on."""
    daemon = start("--rate=0", "--rate-per-ip=0")
    member = daemon.socket("lobby")

    def send(text: str) -> str:
        return daemon.curl("-d", f"message={text}", f"{daemon.url}/chat/send/")

    def allow(size: int) -> None:
        """Let no file of the daemon grow beyond *size* bytes, as a full disk would."""
        _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    assert "sent" in send("before")
    allow(1)
    assert json.loads(send("lost"))["code"] == "unavailable"
    member.send('{"message": "lost too"}')
    assert json.loads(member.recv(timeout=10)) == {"message": "before"}
    assert json.loads(member.recv(timeout=10))["error"]["code"] == "unavailable"
    assert json.loads(daemon.curl(f"{daemon.url}/readyz"))["code"] == "unavailable"
    assert json.loads(daemon.curl(f"{daemon.url}/healthz")) == {"status": "ok"}
    assert [each["message"] for each in daemon.history()] == ["before"]

    allow(resource.RLIM_INFINITY)
    daemon.log.wait_for("can be stored again")
    assert json.loads(daemon.curl(f"{daemon.url}/readyz")) == {"status": "ready"}
    assert "sent" in send("after")
    assert json.loads(member.recv(timeout=10)) == {"message": "after"}
    member.close()
    stored = [(each["seq"], each["message"]) for each in daemon.history()]
    assert stored == [(1, "before"), (2, "after")]
    assert daemon.log.text.count("cannot be stored") == 1


def test_unwritable_file(start: Callable[..., Daemon]) -> None:
    """If the database is taken away, senders are told, and it goes on when it is back."""
    daemon = start("--rate=0", "--rate-per-ip=0")
    daemon.curl("-d", "message=before", f"{daemon.url}/chat/send/")
    state, away = daemon.directory / "state", daemon.directory / "away"
    path = state / "livechat.sqlite3"
    path.chmod(0o400)
    state.rename(away)
    answer = json.loads(daemon.curl("-d", "message=x", f"{daemon.url}/chat/send/"))
    away.rename(state)
    path.chmod(0o600)
    daemon.curl("-d", "message=after", f"{daemon.url}/chat/send/")
    texts = [each["message"] for each in daemon.history()]
    # Linux lets a process go on with the files that it has open, wherever they went.
    expected = ["before", "after"] if "code" in answer else ["before", "x", "after"]
    assert texts == expected
