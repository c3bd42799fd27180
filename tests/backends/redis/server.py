"""A real Redis of one's own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path
from typing import Self

from tests.live.daemon import PATIENCE, eventually
from tests.support.ports import free_port


def server_program() -> str:
    """The server that tests are run with; ``REDIS_SERVER`` names another version."""
    program = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    assert program is not None, "there is no redis-server"
    return program


def server_version() -> tuple[int, ...]:
    """The server's version, in numbers."""
    told = subprocess.run([server_program(), "--version"], capture_output=True, check=True).stdout
    (found,) = re.findall(rb" v=([\d.]+)", told)
    return tuple(int(part) for part in found.split(b"."))


class RedisServer:
    """
    A ``redis-server`` on a Unix socket in a directory of its own, which it stays with.

    What it had is there again after `restart`: it writes everything at once.
    """

    def __init__(self, directory: Path, *options: str, port: int = 0, tls_port: int = 0) -> None:
        self.directory = directory
        self.port = port
        self.tls_port = tls_port
        self.socket = directory / "redis.sock"
        #: Words of redis-cli, with which it signs in.
        self.login: tuple[str, ...] = ()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                server_program(),
                *("--port", str(self.port), "--unixsocket", str(self.socket)),
                *(("--tls-port", str(self.tls_port)) if self.tls_port else ()),
                *("--dir", str(self.directory), "--save", ""),
                *("--appendonly", "yes", "--appendfsync", "always"),
                *("--logfile", str(self.directory / "redis.log")),
                *self._options,
            ],
            # Files that may grow no more are errors to it then, as on a full disk, and no signal.
            restore_signals=False,
        )
        eventually(self._answers)

    def option(self, name: str) -> str:
        """The value of an option that it was started with."""
        return self._options[self._options.index(name) + 1]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "redis.log").read_text()
        return self.ask("PING") == "PONG"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ask(self, *words: str) -> str:
        """The answer as redis-cli prints it; empty where nobody answers."""
        if self.login or words[0].startswith("-"):
            return asked("-s", str(self.socket), *self.login, *words)
        # Tests ask thousands of times: a redis-cli for each took longer than all its answers.
        with suppress(ConnectionError, FileNotFoundError), self._answering(*words) as stream:
            return printed(stream).strip()
        return ""

    def dump(self, key: str) -> bytes:
        """The value of a key, as DUMP has it; empty where there is none."""
        with self._answering("DUMP", key) as stream:
            length = int(stream.readline()[1:])
            return stream.read(max(0, length))

    @contextmanager
    def _answering(self, *words: str) -> Iterator[BufferedIOBase]:
        """A connection on which this is asked."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.socket))
            with client.makefile("rwb") as stream:
                stream.write(b"*%d\r\n" % len(words))
                for word in map(str.encode, words):
                    stream.write(b"$%d\r\n%b\r\n" % (len(word), word))
                stream.flush()
                yield stream

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the server at once, as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()


def printed(answers: BufferedIOBase) -> str:
    """The next answer, as redis-cli prints it: a line for each element."""
    line = answers.readline().decode().rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind == "*":
        return "\n".join(printed(answers) for _ in range(int(rest)))
    if kind == "$" and rest != "-1":
        return answers.read(int(rest) + 2)[:-2].decode().replace("\r\n", "\n")
    return "" if kind == "$" else rest


def asked(*words: str) -> str:
    done = subprocess.run(
        ["redis-cli", *words], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    return done.stdout.strip()


class Sentinel:
    """
    A Redis Sentinel, which watches over a Redis and its replica and decides by itself.

    @ivar login: words of redis-cli, with which it signs in.
    """

    def __init__(
        self,
        directory: Path,
        service: str,
        port: int,
        *lines: str,
        login: Sequence[str] = (),
        tls: bool = False,
    ) -> None:
        """
        @param port: of the Redis that is the master at first.
        @param lines: more of its configuration.
        @param tls: it has no port without.
        """
        self.port = free_port()
        self.login = login
        directory.mkdir()
        config = directory / "sentinel.conf"
        listens = f"port 0\ntls-port {self.port}" if tls else f"port {self.port}"
        config.write_text(
            f"{listens}\n"
            f"dir {directory}\n"
            f"logfile {directory}/sentinel.log\n"
            f"sentinel monitor {service} 127.0.0.1 {port} 1\n"
            f"sentinel down-after-milliseconds {service} 60000\n"
            f"sentinel failover-timeout {service} 2000\n" + "".join(f"{line}\n" for line in lines)
        )
        self._process = subprocess.Popen([server_program(), str(config), "--sentinel"])
        self._service = service

    def ask(self, *words: str) -> str:
        return asked("-p", str(self.port), *self.login, *words)

    def lose_patience(self) -> None:
        """Take a silent master for dead soon, from now on: before, it may only be busy."""
        self.ask("SENTINEL", "SET", self._service, "down-after-milliseconds", "300")

    def wait_for_replica(self) -> None:
        """Until it knows one that it could make the master."""
        eventually(lambda: "slave" in self.ask("SENTINEL", "REPLICAS", self._service).split())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
