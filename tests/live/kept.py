"""Daemons at a socket that outlives them."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from tests.live.daemon import CHEAP, PATIENCE, TWISTD, Output

#: Seconds for a line of the log.
LOGGED_WITHIN: Final = 90.0


async def logged(log: Output, pattern: str, count: int = 1) -> None:
    """Wait for a line, however busy the machine is: what is measured is what clients notice."""
    until = time.monotonic() + LOGGED_WITHIN
    while True:
        try:
            await asyncio.to_thread(log.wait_for, pattern, count)
        except AssertionError:
            if time.monotonic() > until:
                raise
        else:
            return


class Kept:
    """
    A daemon at a socket that outlives it: this process keeps it, as systemd does, and
    systemd-socket-activate hands it over.

    @ivar directory: the daemon's.
    @ivar port: that of the socket.
    """

    def __init__(
        self, directory: Path, *options: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """
        @param variables: of the daemon's environment, besides what every daemon of tests has.
        """
        program = shutil.which("systemd-socket-activate")
        assert program is not None, "there is no systemd-socket-activate"
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=4_096)
        self.port: int = self._socket.getsockname()[1]
        given = {
            "PATH": os.environ["PATH"], "RUNTIME_DIRECTORY": str(directory), **CHEAP,
            **(variables or {}),
        }  # fmt: skip
        settings = [f"--setenv={name}={value}" for name, value in given.items()]
        self._command = [
            # systemd-socket-activate passes on only a descriptor of its own, by number.
            "bash", "-c", f'exec 3<&{self._socket.fileno()}; LISTEN_PID=$$ exec "$@"', "bash",
            program, *settings, "--fdname=tls",
            TWISTD, "--nodaemon", "--pidfile=", "livechat", *options,
        ]  # fmt: skip
        self.logs: list[Output] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def descriptor(self) -> int:
        """The number of the socket here."""
        return self._socket.fileno()

    @property
    def log(self) -> Output:
        """The output of the last process."""
        return self.logs[-1]

    def start(self) -> None:
        """Start it; whoever connects is served as soon as it can."""
        self.process = subprocess.Popen(
            self._command,
            cwd=self.directory,
            env={**os.environ, "LISTEN_FDS": "1", "SYSTEMD_LOG_LEVEL": "err"},
            pass_fds=[self._socket.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        self.logs.append(Output(self.process.stdout.fileno()))
        # systemd-socket-activate waits for the first connection.
        socket.create_connection(("127.0.0.1", self.port)).close()

    def stop(self) -> int:
        """Ask it to end, and wait for it; returns how it ended."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def _gone(self) -> int:
        assert self.process is not None
        # `Popen.wait` looks every 50 ms, which is a good part of what is measured.
        ended = os.pidfd_open(self.process.pid)
        try:
            select.select([ended], [], [], PATIENCE)
        finally:
            os.close(ended)
        code = self.process.wait(0)
        self.log.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self._gone()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
