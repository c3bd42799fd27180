"""Runs a server on a core of its own, for the length of a block."""

from __future__ import annotations

import os
import resource
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .catalogue import ROOT, Peer, Place

PATIENCE = 20.0  # seconds until it accepts connections
GRACE = 5.0  # seconds from SIGTERM to SIGKILL
MOST_FILES = 65_536


class NotServing(Exception):
    """A server did not start; the text has its output."""


@dataclass(frozen=True)
class Running:
    """A server that accepts connections."""

    peer: Peer
    port: int
    pids: tuple[int, ...]
    aux_pids: tuple[int, ...]  # Redis, whose CPU is counted apart

    @property
    def url(self) -> str:
        """The URL of its WebSockets."""
        return f"wss://127.0.0.1:{self.port}{self.peer.path}"

    @property
    def send_url(self) -> str | None:
        """The URL to send to over HTTP; None if it has none."""
        sending = self.peer.sending
        return f"https://127.0.0.1:{self.port}{sending.path}" if sending else None


@contextmanager
def serving(
    peer: Peer,
    port: int,
    certificate: Path,
    key: Path,
    *,
    cpu: int,
    aux_cpu: int | None = None,
    parent: Path | None = None,
    patience: float = PATIENCE,
) -> Iterator[Running]:
    """
    Start a server on one core, wait until it accepts connections, and end it with its helpers.

    Its helpers (Redis) run on the other core. Its directory is made in *parent*, by default in the
    place for temporary ones.

    @raise OSError: the port is taken.
    @raise NotServing: the server did not start.
    """
    allow_many_files()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    with ExitStack() as stack:
        temporary = TemporaryDirectory(prefix=f"{peer.name}-", dir=parent)
        directory = Path(stack.enter_context(temporary))
        place = Place(port, certificate.resolve(), key.resolve(), directory)
        aux_pids: list[int] = []
        for path, command in peer.first(place).items():
            core = cpu if aux_cpu is None else aux_cpu
            log = directory / f"{path.name}.log"
            process = stack.enter_context(running(command, {}, core, log))
            wait(path.exists, process, log, patience)
            aux_pids += family(process.pid)
        log = directory / "log"
        command, environment = peer.command(place), peer.environment(place)
        process = stack.enter_context(running(command, environment, cpu, log))
        wait(lambda: shakes_hands(port), process, log, patience)
        wait(lambda: peer.ready(log.read_text(errors="replace")), process, log, patience)
        yield Running(peer, port, tuple(family(process.pid)), tuple(aux_pids))


@contextmanager
def running(
    command: list[str], environment: dict[str, str], cpu: int, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a process and its children until the end of the block. The process ends with this one,
    even if this one is killed.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(cpu), *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait(
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    patience: float = PATIENCE,
) -> None:
    """Wait until the server is ready."""
    deadline = time.monotonic() + patience
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            why = "too slow" if process.returncode is None else f"it ended, {process.returncode}"
            said = log.read_text(errors="replace")[-4_000:]
            raise NotServing(f"does not serve ({why}): {said}")
        time.sleep(0.02)


def shakes_hands(port: int) -> bool:
    """Return true if a TLS handshake succeeds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain),
        ):
            return True
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    pids = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            pids += family(int(child))
    return pids


def allow_many_files() -> None:
    """Raise the limit of open files, for this process and its children: a connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
