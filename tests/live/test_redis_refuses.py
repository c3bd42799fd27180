"""A real daemon whose Redis refuses it: what it logs, and what it says to monitors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from livechat.net import certificates
from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon
from tests.support.ports import free_port

#: Seconds in which a dozen attempts are made, and lines that all of them may cost.
WATCHED = 3
LINES = 2


def lines_of(daemon: Daemon) -> list[str]:
    """The log since the first attempt, after some more attempts."""
    daemon.log.wait_for("cannot be used")
    threading.Event().wait(WATCHED)
    lines = daemon.log.text.splitlines()
    first = next(number for number, line in enumerate(lines) if "cannot be used" in line)
    return [line for line in lines[first:] if " is ready" not in line]


def test_an_untrusted_certificate_of_redis_is_refused(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """An untrusted certificate is refused until a trusted one takes its place."""
    wrong, right = (certificates.load_or_make(tmp_path / name) for name in ("wrong", "right"))
    port = free_port()
    options = (
        *("--tls-port", f"{port}", "--tls-auth-clients", "no"),
        *("--tls-cert-file", f"{wrong.chain}", "--tls-key-file", f"{wrong.key}"),
    )
    with RedisServer(tmp_path / "redis", *options) as redis:
        daemon = start(f"--redis=rediss://localhost:{port}", f"--redis-ca={right.chain}")
        lines = lines_of(daemon)
        assert len(lines) <= LINES, lines
        assert "certificate verify failed" in lines[-1]
        assert "certificate verify failed" in daemon.curl(f"{daemon.url}/readyz")
        pair = ("tls-cert-file", f"{right.chain}", "tls-key-file", f"{right.key}")
        assert redis.ask("CONFIG", "SET", *pair) == "OK"
        daemon.log.wait_for("can be used")
        assert daemon.curl("-f", f"{daemon.url}/readyz")


def test_a_user_without_channels(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Nothing is stored that cannot be told, and what is missing is said."""
    with RedisServer(tmp_path / "redis") as redis:
        redis.ask("ACL", "SETUSER", "ann", "on", ">secret", "~lc:*", "resetchannels", "+@all")
        daemon = start(f"--redis=unix://ann:secret@{redis.socket}")
        lines = lines_of(daemon)
        assert len(lines) <= LINES, lines
        for said in (lines[-1], daemon.curl(f"{daemon.url}/readyz")):
            assert "NOPERM PUBLISH" in said
        form = ("-o", "/dev/null", "-w", "%{http_code}", "--data-urlencode", "message=hello")
        assert daemon.curl(*form, f"{daemon.url}/chat/send/") == "503"
        redis.ask("ACL", "SETUSER", "ann", "&lc:*")
        daemon.log.wait_for("can be used")
        assert daemon.curl(*form, f"{daemon.url}/chat/send/") == "200"
        assert len(daemon.history()) == 1
