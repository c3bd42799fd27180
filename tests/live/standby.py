"""
Processes that become a daemon's workers, forked before the daemon has a reactor.

`tests.live.template` has as many of them as a daemon is to have workers: each would import again
what the daemon has imported.  A worker that takes another's place is started by exec, as always.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from twisted.internet.process import Process

#: Bytes of an order: an environment is a few kilobytes.
LONGEST: Final = 1 << 20
#: Files of a worker: pipes, and the sockets at which it accepts.
MOST_FILES: Final = 64
#: Descriptors from here on are no worker's.
BEYOND: Final = 256
#: Before the words of a worker's command line that twistd gets: Python, -P, -c and its program.
BEFORE: Final = 4


class _Standby(NamedTuple):
    pid: int
    orders: socket.socket


_standing: Final[list[_Standby]] = []


def wanted(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return the number of workers of a daemon."""
    given = (re.fullmatch(r"--workers=(\d+)", word) for word in command)
    counts = [int(found[1]) for found in given if found]
    count = counts[-1] if counts else int(environment.get("LIVECHAT_WORKERS", 1))
    return count if count > 1 else 0


def fork(count: int) -> dict[str, Any] | None:
    """
    Fork so many; return None, and in a child its order, when there is one.

    A child ends when the daemon has ended without an order for it.
    """
    for _ in range(count):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if not pid:
            mine.close()
            for each in _standing:
                each.orders.close()
            return _ordered(theirs)
        theirs.close()
        _standing.append(_Standby(pid, mine))
    return None


def _ordered(orders: socket.socket) -> dict[str, Any]:
    data, files, _, _ = socket.recv_fds(orders, LONGEST, MOST_FILES)
    orders.close()
    if not data:
        os._exit(0)
    order: dict[str, Any] = json.loads(data)
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD, BEYOND) for each in files]
    for each in files:
        os.close(each)
    for each, place in zip(moved, order["files"], strict=True):
        os.dup2(each, place)
        os.close(each)
    return order


def replace_exec() -> None:
    """Have Twisted give its next orders for workers to those that stand by."""
    twisted: Any = Process
    usual = twisted._trySpawnInsteadOfFork

    def spawned(
        process: Any,
        path: str | None,
        uid: int | None,
        gid: int | None,
        executable: str | bytes,
        words: Sequence[str | bytes],
        environment: Mapping[str, str],
        given: Mapping[str, Any],
    ) -> bool:
        if not _standing or "livechat" not in words:
            return bool(usual(process, path, uid, gid, executable, words, environment, given))
        chosen = _standing.pop(0)
        files: dict[int, int] = given["fdmap"]
        order = {
            "run": ["-c", *map(os.fsdecode, words[BEFORE:])],
            "environment": dict(environment),
            "files": list(files),
        }
        with chosen.orders:
            socket.send_fds(chosen.orders, [json.dumps(order).encode()], list(files.values()))
        process.pid = chosen.pid
        process.status = -1
        return True

    twisted._trySpawnInsteadOfFork = spawned
