"""A daemon that the system gives too little."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Callable
from pathlib import Path

from tests.live.daemon import TWISTD, Daemon, eventually, rest

#: A program that is twistd, with a limit for its open files.
PROGRAM = """#!/bin/sh
ulimit -n 300
exec {twistd} "$@"
"""


def test_too_few_files_at_start(tmp_path: Path) -> None:
    """Too few files at the start are logged with both numbers; as many as possible are served."""
    program = tmp_path / "twistd"
    program.write_text(PROGRAM.format(twistd=TWISTD))
    program.chmod(0o700)
    with Daemon(tmp_path / "daemon", "--max-connections=1000", twistd=str(program)) as daemon:
        daemon.log.wait_for("The system allows 300 open files, too few for 1000 connections")
        assert json.loads(daemon.curl(f"{daemon.url}/healthz"))["status"] == "ok"


def test_no_more_files(start: Callable[..., Daemon]) -> None:
    """
    Without free files, new connections are closed at once and members chat on. The log says so
    once, and all is as before when files are free again.
    """
    daemon = start("--rate=0", "--rate-per-ip=0", "--max-connections-per-ip=0")
    with daemon.socket("r") as one, daemon.socket("r") as two:
        limit = daemon.descriptors() + 10
        _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (limit, hard))
        crowd = [socket.create_connection(("127.0.0.1", daemon.port), 10) for _ in range(40)]
        # As many as there is no room for are closed at once; the others may begin with TLS.
        for each in crowd[20:]:
            assert rest(each, 3) == b""
        for number in range(20):
            one.send(json.dumps({"message": str(number)}))
            for member in (one, two):
                assert json.loads(member.recv(timeout=10)) == {"message": str(number)}
        for each in crowd:
            each.close()
        eventually(lambda: daemon.descriptors() < limit)
        with daemon.socket("r") as three:
            one.send('{"message": "after"}')
            assert json.loads(three.recv(timeout=10)) == {"message": "after"}
        assert len(daemon.history("r")) == 21
    assert daemon.log.text.count("Connections are turned away") == 1
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
