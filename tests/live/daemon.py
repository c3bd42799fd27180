"""A real daemon, and real clients of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from socket import create_connection
from socket import socket as RawSocket  # noqa: N812 - not to be taken for a WebSocket
from typing import Any, Final, Self, TypeVar

from argon2 import PasswordHasher
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Close

from tests.live.forking import Forked, run, template
from tests.support.ports import free_port

_T = TypeVar("_T")

#: Seconds after which a test no longer waits for what must come.
PATIENCE = 20.0
PASSWORD: Final = "correct horse battery staple"

#: Makes hashes that take no time: a real one costs each daemon at its start, and each sign-in, as
#: much as a third of a start.
QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
#: The operators' password.
CHEAP: Final = {"LIVECHAT_ADMIN_PASSWORD": QUICK.hash(PASSWORD)}

ROOT = Path(__file__).parent.parent.parent
TWISTD: Final = str(Path(sys.executable).with_name("twistd"))


class Output:
    """Lines that a process writes, as they come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._text = ""
        self._ended = False
        self._change = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._descriptor, 65_536)
            except OSError:  # a terminal whose other end was closed
                data = b""
            with self._change:
                self._text += data.decode(errors="replace")
                self._ended = not data
                self._change.notify_all()
            if not data:
                return

    def close(self) -> None:
        """Wait for the end of it."""
        self._reader.join(PATIENCE)

    @property
    def text(self) -> str:
        with self._change:
            return self._text

    def wait_for(self, pattern: str, count: int = 1, within: float = PATIENCE) -> re.Match[str]:
        """The *count*-th match of *pattern*, when it is there."""
        deadline = time.monotonic() + within
        with self._change:
            while True:
                found = list(re.finditer(pattern, self._text))
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if self._ended or left <= 0 or not self._change.wait(left):
                    raise AssertionError(f"no {pattern!r} in:\n{self._text}")


class Daemon:
    """
    ``twistd -n livechat`` in a directory of its own, on a free port.

    @ivar port: its port with TLS; 0 if it has none.
    @ivar log: what it writes.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        twistd: str | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        """
        @param twistd: the program; without one, it is forked from a process that has imported
            everything, unless *environment* could change what is imported.
        @param environment: variables that are set; None unsets one.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._terminated = False
        self._shown = False
        given: dict[str, str | None] = dict(os.environ)
        # Workers' shared files: killed daemons leave none elsewhere.
        given |= {"RUNTIME_DIRECTORY": str(directory), **(environment or {})}
        variables = {name: value for name, value in given.items() if value is not None}
        # With --port=0 another test could be given the port, when the daemon is to be back there.
        listens = any(each.startswith("--listen") for each in options)
        where = () if listens else (f"--port={free_port()}",)
        command = [twistd or TWISTD, "--nodaemon", "--pidfile=", "livechat", *where, *options]
        forks = twistd is None and template().suits(variables)
        self.process, self._output = _launched(command, directory, variables, forks=forks)
        self.log = Output(self._output.fileno())
        try:
            self.log.wait_for("livechat.+ is ready")
            secure = re.search(r"https://[^ /]+:(\d+)/", self.log.text)
            self.port = 0 if secure is None else int(secure[1])
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.stop()
        if error is None:
            assert "Traceback" not in self.log.text, self.log.text

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def terminate(self) -> None:
        """Ask it to end, once."""
        if not self._terminated and self.process.poll() is None:
            self._terminated = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask it to end, and wait for it; returns how it ended."""
        self.terminate()
        return self._gone()

    def kill(self) -> None:
        self.process.kill()
        self._gone()

    def kill_all(self) -> None:
        """Kill the workers, too: else they go on until they notice."""
        workers = self.workers()
        self.kill()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(map(links, workers)))

    def _gone(self) -> int:
        code = self.process.wait(PATIENCE)
        self.log.close()
        self._output.close()
        return code

    def socket(self, room: str = "r", **options: Any) -> Member:
        """A WebSocket, by PyPI's websockets."""
        return Member(f"wss://localhost:{self.port}/ws/chat/{room}", **options)

    def raw(self, data: bytes = b"", *, tls: bool = True) -> RawSocket:
        """A connection that is as impolite as the test wants; *data* is sent on it."""
        plain = create_connection(("127.0.0.1", self.port), PATIENCE)
        made = trusting().wrap_socket(plain, server_hostname="localhost") if tls else plain
        made.sendall(data)
        return made

    def curl(self, *arguments: str) -> str:
        """Run curl and return its output."""
        return tool("curl", "-sSk", "--max-time", "20", *arguments)

    def history(self, query: str = "") -> list[dict[str, Any]]:
        """The history, as curl gets it."""
        found: list[dict[str, Any]] = json.loads(self.curl(f"{self.url}/chat/history/{query}"))[
            "chat_history"
        ]
        return found

    def worked(self) -> float:
        """Processor seconds that the daemon's reactor has used: its main thread's."""
        status = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/stat").read_text()
        user, system = status.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """The daemon's resident memory, in bytes."""
        if not self._shown:
            # The first page prepares files and templates, which the daemon does later otherwise.
            self.curl(f"{self.url}/")
            self._shown = True
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])

    def descriptors(self, pid: int | None = None) -> int:
        """The number of files that the daemon has open, or its worker *pid*."""
        return len(list(Path(f"/proc/{pid or self.process.pid}/fd").iterdir()))

    def sockets(self, pid: int | None = None) -> int:
        """The number of its connections, or of a worker's; files come and go."""
        return sum(link.startswith("socket:") for link in self.links(pid))

    def links(self, pid: int | None = None) -> list[str]:
        """The targets of its open files, or of a worker's."""
        return links(pid or self.process.pid)

    def workers(self) -> list[int]:
        """The processes that it has started, in their order."""
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(each) for each in found.split()]

    def worker_of(self, member: Member) -> int:
        """The worker that serves a member."""
        ours, its = f":{self.port:04X}", f":{member.port:04X}"
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines():
                _, here, there, *_, inode = line.split()[:10]
                if here.endswith(ours) and there.endswith(its):
                    link = f"socket:[{inode}]"
                    return next(pid for pid in self.workers() if link in links(pid))
        raise AssertionError("it has no connection")

    def members(
        self, count: int, room: str = "r", *, each: int = 1, **options: Any
    ) -> list[Member]:
        """
        So many WebSockets, or more: at least *each* on each worker.

        The kernel spreads connections by chance, and of a dozen sometimes all go to one.
        """
        least = {pid: self.sockets(pid) + each for pid in self.workers()}
        made: list[Member] = []
        while len(made) < count or any(self.sockets(pid) < least[pid] for pid in least):
            assert len(made) < 20 * count, "a worker gets no connections"
            made.append(self.socket(room, **options))
        return made


def _launched(
    command: Sequence[str], directory: Path, variables: Mapping[str, str], *, forks: bool
) -> tuple[Forked | subprocess.Popen[bytes], FileIO]:
    """A process, and where to read what it writes."""
    reading, output = os.pipe()
    source = FileIO(reading)
    process = (template().start if forks else run)(command, directory, variables, output)
    os.close(output)
    return process, source


def refused(
    directory: Path, *options: str, twistd: str | None = None, **environment: str
) -> list[str]:
    """
    The lines that a daemon says which does not start; it must end with exit code 1.

    @param twistd: the program, as for `Daemon`.
    """
    variables = {**os.environ, **environment}
    command = [twistd or TWISTD, "--nodaemon", "--pidfile=", "livechat", *options]
    forks = twistd is None and template().suits(variables)
    process, source = _launched(command, directory, variables, forks=forks)
    with source:
        try:
            said = Output(source.fileno())
            assert process.wait(PATIENCE) == 1, said.text
            said.close()
        finally:
            process.kill()
    return said.text.splitlines()


class Member:
    """
    A WebSocket of PyPI's websockets, for tests that are no coroutines.

    Not its own threaded client: that reads and writes one TLS connection in two
    threads at once, which OpenSSL does not allow, and of a thousand handshakes
    with any server one or two hang.
    """

    _loop = asyncio.new_event_loop()
    _thread: threading.Thread | None = None

    def __init__(self, uri: str, **options: Any) -> None:
        if Member._thread is None:
            Member._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            Member._thread.start()
        options.setdefault("ssl", trusting())
        options.setdefault("open_timeout", PATIENCE)

        async def connected() -> ClientConnection:
            return await connect(uri, **options)

        self._connection = self._run(connected())

    def _run(self, coroutine: Coroutine[Any, Any, _T], timeout: float = PATIENCE) -> _T:
        async def bounded() -> _T:
            return await asyncio.wait_for(coroutine, timeout)

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def port(self) -> int:
        """The port of its own end."""
        found: int = self._connection.local_address[1]
        return found

    @property
    def close_received(self) -> Close | None:
        """The close frame that the server sent."""
        return self._connection.protocol.close_rcvd

    def send(self, text: str) -> None:
        self._run(self._connection.send(text))

    def recv(self, timeout: float = PATIENCE) -> str:
        """The next text frame."""
        text = self._run(self._connection.recv(), timeout)
        assert isinstance(text, str)
        return text

    def recv_until(self, last: str, heard: list[str]) -> None:
        """
        Append text frames to *heard*, *last* too: many at a time, where `recv` changes threads
        for each.
        """

        async def until() -> None:
            async with asyncio.timeout(PATIENCE) as bound:
                while heard[-1:] != [last]:
                    text = await self._connection.recv()
                    assert isinstance(text, str)
                    heard.append(text)
                    bound.reschedule(self._loop.time() + PATIENCE)

        asyncio.run_coroutine_threadsafe(until(), self._loop).result()

    def closed(self, within: float = PATIENCE) -> Close | None:
        """The close frame of the server, which must have closed it by then."""
        self._run(self._connection.wait_closed(), within)
        return self.close_received

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._run(self._connection.close(code, reason))


def links(pid: int) -> list[str]:
    """The targets of a process's open files; none if it has ended."""
    found = []
    # Files are closed, and processes end, meanwhile.
    with suppress(FileNotFoundError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.append(str(each.readlink()))
    return found


def eventually(condition: Callable[[], bool], within: float = PATIENCE) -> None:
    """
    Wait for what no event tells: what the kernel shows of another process.

    A look that takes long is followed by a long pause, or looking would take a processor.
    """
    deadline = time.monotonic() + within
    while True:
        began = time.monotonic()
        if condition():
            return
        assert time.monotonic() < deadline, "it never came true"
        threading.Event().wait(min(max(0.05, 3 * (time.monotonic() - began)), 0.3))


def tool(*command: str, cwd: Path | None = None, **environment: str) -> str:
    """Run a program, which must be installed and succeed, and return its output."""
    assert shutil.which(command[0]), f"{command[0]} is missing: run {ROOT}/tests/clients/install"
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False,
        cwd=cwd, env=os.environ | environment,
    )  # fmt: skip
    assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
    return ran.stdout


def trusting() -> ssl.SSLContext:
    """TLS that accepts any certificate, as `curl -k` does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def rest(connection: RawSocket, seconds: float = PATIENCE) -> bytes:
    """All that comes until the other end closes, which it must within *seconds*."""
    deadline, data = time.monotonic() + seconds, b""
    while True:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            piece = connection.recv(65_536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            piece = b""
        if not piece:
            connection.close()
            return data
        data += piece
