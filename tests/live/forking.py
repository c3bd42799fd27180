"""
Daemons that are forked from a process which has imported everything: `tests.live.template`.

To import all of it again takes most of the time of a start, and hundreds start in the tests.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

PROGRAM: Final = Path(__file__).with_name("template.py")


def run(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], output: int
) -> subprocess.Popen[bytes]:
    """
    A process by exec.

    @param output: where it writes.
    """
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


#: Seconds that a daemon of another program may live: as long as all its tests.
LONGEST_LIFE: Final = 120.0
#: Variables that a daemon reads when it has imported everything; a test's own do not count.
#: Tests give a PYTHONPATH only for what options name.
READ_LATE: Final = re.compile(
    r"LIVECHAT_\w+|REDIS_URL|RUNTIME_DIRECTORY|PYTHONPATH|PYTEST_CURRENT_TEST"
)


class Template:
    """The process that forks."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._lock = Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End it; what it has forked goes on."""
        self._socket.close()
        self._process.wait()

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Return True if *environment* would have led to the same imports."""
        differing = dict(environment.items() ^ self._environment.items())
        return all(map(READ_LATE.fullmatch, differing))

    def start(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str], output: int
    ) -> Forked:
        """
        A process that does not run *command*, twistd and its arguments, but does what it does.

        @param output: where it writes.
        """
        request = {"run": command, "directory": str(directory), "environment": environment}
        child, descriptors = self._ask(request, output)
        return Forked(self, child, descriptors[0])

    def say(
        self, words: Sequence[str], directory: Path, environment: Mapping[str, str], *files: int
    ) -> Forked:
        """
        A process that does what the command `livechat` does.

        @param files: its input, its output and its errors.
        """
        request = {
            "say": ["livechat", *words], "directory": str(directory), "environment": environment,
        }  # fmt: skip
        child, descriptors = self._ask(request, *files)
        return Forked(self, child, descriptors[0])

    def wait(self, child: int) -> int:
        """The exit code of a child that has ended."""
        return self._ask({"wait": child})[0]

    def _ask(self, request: Mapping[str, Any], *descriptors: int) -> tuple[int, list[int]]:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            data, received, _, _ = socket.recv_fds(self._socket, 64, 1)
        answer: int = json.loads(data)
        return answer, received


class Forked:
    """A child of the template: as much of `subprocess.Popen` as tests use."""

    def __init__(self, template: Template, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._template = template
        self._descriptor = descriptor
        self._lock = Lock()

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the exit code and return it."""
        with self._lock:
            if self.returncode is None:
                end = select.poll()
                end.register(self._descriptor, select.POLLIN)
                if not end.poll(1_000 * timeout):
                    raise subprocess.TimeoutExpired(str(PROGRAM), timeout)
                self.returncode = self._template.wait(self.pid)
                os.close(self._descriptor)
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


template: Final = cache(Template)


@contextmanager
def forks_on_demand(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """
    A port of this machine at which other programs get daemons, one for each connection.

    They send a line of JSON, ``{"directory": "/…", "options": […]}``.  What comes back is the
    daemon's output, and somewhere in it a line ``pid …``; it ends when the daemon is gone.

    @param command: what goes before the options.
    """

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile() as lines:
            asked = json.loads(lines.readline())
            given = [*command, *asked["options"]]
            directory = Path(asked["directory"])
            made = template().start(given, directory, environment, connection.fileno())
            connection.sendall(b"pid %d\n" % made.pid)
            made.wait(LONGEST_LIFE)

    def listen() -> None:
        while True:
            connection, _ = listening.accept()
            if not going:
                connection.close()
                return
            Thread(target=serve, args=[connection], daemon=True).start()

    going = True
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        thread = Thread(target=listen, daemon=True)
        thread.start()
        yield address[1]
        going = False
        socket.create_connection(address).close()
        thread.join()
