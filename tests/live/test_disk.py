"""A full disk."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable

import pytest

from tests.live.daemon import Daemon, refused


def test_a_full_disk_fails_sends_alone(start: Callable[..., Daemon]) -> None:
    """A full disk fails sends and leaves readers alone; afterwards all goes on."""
    daemon = start("--rate=0", "--rate-per-ip=0")
    member = daemon.socket("lobby")

    def send(text: str) -> str:
        return daemon.curl("-d", f"message={text}", f"{daemon.url}/chat/send/")

    def allow(size: int) -> None:
        """Keep the daemon's files from growing beyond *size* bytes, as a full disk would."""
        _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    assert "sent" in send("before")
    allow(1)
    assert json.loads(send("lost"))["code"] == "unavailable"
    member.send('{"message": "lost too"}')
    assert json.loads(member.recv(timeout=10)) == {"message": "before"}
    assert json.loads(member.recv(timeout=10))["error"]["code"] == "unavailable"
    assert json.loads(daemon.curl(f"{daemon.url}/readyz"))["code"] == "unavailable"
    assert json.loads(daemon.curl(f"{daemon.url}/healthz"))["status"] == "ok"
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


def test_a_file_that_is_gone(start: Callable[..., Daemon]) -> None:
    """If the database cannot be opened again senders are told; when it is back, it goes on."""
    daemon = start("--rate=0", "--rate-per-ip=0")

    def send(text: str) -> str:
        return daemon.curl("-d", f"message={text}", f"{daemon.url}/chat/send/")

    send("before")
    state, away = daemon.directory / "state", daemon.directory / "away"
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1, hard))
    assert json.loads(send("lost"))["code"] == "unavailable"
    state.rename(away)
    state.mkdir(mode=0o500)
    (state / "livechat.sqlite3").mkdir()
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert json.loads(send("lost"))["code"] == "unavailable"
    assert json.loads(daemon.curl(f"{daemon.url}/chat/history/"))["code"] == "unavailable"

    (state / "livechat.sqlite3").rmdir()
    state.rmdir()
    away.rename(state)
    daemon.log.wait_for("can be stored again")
    send("after")
    assert [each["message"] for each in daemon.history()] == ["before", "after"]


@pytest.mark.parametrize("damage", ["no database", "a page in the middle", "an empty file"])
def test_a_broken_file(start: Callable[..., Daemon], damage: str) -> None:
    """A broken database is moved aside, said so, and never thrown away."""
    first = start("--rate=0", "--rate-per-ip=0")
    with first.socket("r") as member:
        for number in range(300):
            member.send(json.dumps({"message": f"{number} {'x' * 1_000}"}))
            member.recv()
    first.stop()
    file = first.directory / "state" / "livechat.sqlite3"
    whole = file.read_bytes()
    half = len(whole) // 2
    broken = {
        "no database": b"no database" * 10_000,
        "a page in the middle": whole[:half] + b"\xff" * 8_192 + whole[half + 8_192 :],
        "an empty file": b"",
    }[damage]
    file.write_bytes(broken)
    second = start()
    aside = list(file.parent.glob("*.broken-*"))
    if not broken:
        # SQLite makes a database of it, and nothing is lost that was there.
        assert aside == []
    else:
        said = second.log.wait_for(r"The database was broken \((.+)\)\. It is (\S+) now")
        assert [str(each) for each in aside] == [said[2]]
        assert aside[0].read_bytes() == broken
    assert second.history("r") == []
    second.curl("-d", "message=anew", f"{second.url}/chat/send/r/")
    assert [each["seq"] for each in second.history("r")] == [1]


def test_a_broken_file_of_maps(start: Callable[..., Daemon]) -> None:
    """The start is refused in one line, and the file is left; --without-maps starts."""
    first = start()
    first.stop()
    file = first.directory / "state" / "maps.sqlite3"
    whole = file.read_bytes()
    file.write_bytes(broken := whole[: len(whole) // 2])
    (line,) = refused(first.directory, "--port=0")
    assert f"{file} is broken" in line
    second = start("--without-maps=on")
    second.log.wait_for("--without-maps")
    assert json.loads(second.curl(f"{second.url}/readyz")) == {"status": "ready"}
    second.stop()
    assert file.read_bytes() == broken
    file.write_bytes(whole)
    start()
