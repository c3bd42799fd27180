"""
Measures many rooms, area by area: ``python -m bench.many --rooms 100000``.

A livechat with many rooms is compared with an empty one: file, start, memory, upkeep, pages,
backup, and the same rooms in Redis. All files are in a temporary directory under --directory. On a
busy machine CPU seconds and sizes mean more than wall times.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.machine import ON_DISK
from bench.ours import EXISTING, LIMITS
from bench.peers.catalogue import Place, redis_server
from bench.usage import Used, beside, cpu, load, memory, peak, raise_limits, say, timed

PASSWORD = "correct horse battery staple"
PYTHON = beside("python")
#: The limit, in seconds, until a server is ready.
PATIENCE = 180.0
MEGABYTE = 1 << 20


class Daemon:
    """
    A livechat in a directory of its own. Its rooms are in `state` there, or in Redis.

    @ivar begun: CPU seconds and wall seconds of the start.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.state = directory / "state"
        log = directory / "log"
        start = time.monotonic()
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [
                    *(beside("twistd"), "--nodaemon", "--pidfile=", "livechat", "--port", "0"),
                    *(word for limit in LIMITS for word in (f"--{limit}", "0")),
                    *options,
                ],
                cwd=directory,
                env={**os.environ, "LIVECHAT_ADMIN_PASSWORD": PASSWORD},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            self.port = self._until_ready(log)
        except BaseException:
            self.stop()
            raise
        self.begun = self.cpu(), time.monotonic() - start

    def _until_ready(self, log: Path) -> int:
        deadline = time.monotonic() + PATIENCE
        while "is ready" not in (text := log.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"livechat does not start: {text}")
            time.sleep(0.02)
        return int(re.findall(r"https://localhost:(\d+)/", text)[0])

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        return cpu([self.pid])

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(directory: Path, *options: str) -> Iterator[Daemon]:
    """Run a livechat until the end of the block."""
    directory.mkdir(exist_ok=True)
    daemon = Daemon(directory, *options)
    try:
        yield daemon
    finally:
        daemon.stop()


class Browser:
    """A connection that keeps its cookie."""

    def __init__(self, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._connection = http.client.HTTPSConnection(
            "localhost", port, context=context, timeout=120
        )
        self._cookie = ""

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, bytes]:
        """Send a request; return the status and body of the response."""
        if self._cookie:
            headers["Cookie"] = self._cookie
        if body and "Content-Type" not in headers:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body or None, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        for each in answer.headers.get_all("Set-Cookie", []):
            self._cookie = each.partition(";")[0]
        return answer.status, text

    def close(self) -> None:
        self._connection.close()

    def sign_in(self) -> None:
        """Sign in as an operator."""
        _, page = self.ask("GET", "/admin/sign-in/")
        (token,) = re.findall(rb'name="token" value="([^"]+)"', page)
        form = urllib.parse.urlencode({"token": token, "password": PASSWORD})
        status, _ = self.ask("POST", "/admin/sign-in/", form)
        if status != http.client.SEE_OTHER:
            raise RuntimeError(f"an operator cannot sign in: {status}")

    def send(self, room: str, text: str) -> None:
        """Send a message to a room."""
        body = f'{{"room":"{room}","message":"{text}"}}'
        status, said = self.ask("POST", "/chat/send/", body, **{"Content-Type": "application/json"})
        if status != http.client.OK:
            raise RuntimeError(said.decode())


def requests(daemon: Daemon, browser: Browser, times: int) -> None:
    """Print the cost of pages and interfaces that know all rooms."""
    key = (daemon.state / "local-key").read_text().strip()
    for path, headers in (
        ("/admin/", {}),
        ("/admin/?page=2", {}),
        ("/chat/rooms/", {}),
        ("/chat/rooms/?limit=1000", {"Authorization": f"Bearer {key}"}),
        ("/metrics", {}),
        ("/chat/history/existing-77/", {}),
    ):
        who = " (with a key)" if headers else ""
        begun, start = daemon.cpu(), time.monotonic()
        status, body = browser.ask("GET", path, **headers)
        first = 1000 * (daemon.cpu() - begun)
        begun = daemon.cpu()
        for _ in range(times):
            status, body = browser.ask("GET", path, **headers)
        each = 1000 * (daemon.cpu() - begun) / times
        wall = 1000 * (time.monotonic() - start) / (times + 1)
        say(
            f"  GET {path}{who}: {status}, {len(body) / 1024:.1f} KB; {each:.2f} ms of CPU,"
            f" the first {first:.2f}; {wall:.1f} ms ({load()})"
        )


def upkeep(daemon: Daemon, seconds: float, redis: Callable[[], float] = lambda: 0.0) -> None:
    """Print the cost of an idle server: sweeps, the walk over all rooms."""
    before, stored = daemon.cpu(), redis()
    time.sleep(seconds)
    used, stored = daemon.cpu() - before, redis() - stored
    line = f"  {seconds:.0f} s idle: {1000 * used / seconds:.2f} ms of CPU a second"
    say(f"{line}; Redis {1000 * stored / seconds:.2f}" if stored else line)


def events(daemon: Daemon, browser: Browser, seconds: float) -> None:
    """Print the cost of an operator who looks at the overview."""
    before = daemon.cpu()
    time.sleep(seconds)
    alone = daemon.cpu() - before
    context = browser._connection  # noqa: SLF001 - the stream takes the connection
    context.request("GET", "/admin/events", headers={"Cookie": browser._cookie})  # noqa: SLF001
    answer = context.getresponse()
    before, read, end = daemon.cpu(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        read += len(answer.read1(65_536))
    looked = daemon.cpu() - before
    say(
        f"  an operator looks at the overview: {1000 * (looked - alone) / seconds:.1f} ms of CPU a"
        f" second more, {read / seconds / 1024:.1f} KB/s"
    )
    context.close()


def state_of(directory: Path) -> float:
    """Return the size of a state directory's databases in MB."""
    return sum(path.stat().st_size for path in directory.glob("*.sqlite3*")) / MEGABYTE


def talk(daemon: Daemon, browser: Browser, rooms: int) -> None:
    """Send a message to each of *rooms* rooms; print the cost, and the process's growth."""
    before, begun = memory([daemon.pid]), daemon.cpu()
    for number in range(rooms):
        browser.send(f"existing-{number}", "x" * 100)
    used, grown = daemon.cpu() - begun, memory([daemon.pid]) - before
    say(
        f"  a message in each of {rooms:,}: {1e6 * used / rooms:.0f} µs of CPU a message;"
        f" the process has grown by {1024 * grown / rooms:.2f} KB a room"
    )


def in_sqlite(given: argparse.Namespace, place: Path) -> Path:
    """Measure all areas of the embedded database; return an export of it."""
    full, empty = place / "full", place / "empty"
    full.mkdir()
    used = timed(
        [PYTHON, str(EXISTING), str(full / "state"), str(given.rooms), str(given.messages)]
    )
    size = state_of(full / "state")
    entries = given.rooms * given.messages
    say(f"{given.rooms:,} rooms with {given.messages} messages of 100 bytes each: {used}")
    say(f"  file: {size:.0f} MB, {MEGABYTE * size / given.rooms:.0f} bytes a room")
    say(f"  {MEGABYTE * size / entries:.0f} bytes a message")
    for name, directory in (("nothing", empty), ("all rooms", full)) * given.rounds:
        with running(directory) as daemon:
            begun, seconds = daemon.begun
            say(
                f"started with {name}: {begun:.2f} s of CPU, {seconds:.1f} s ({load()});"
                f" {memory([daemon.pid]):.1f} MB"
            )
    with running(empty) as daemon, closing(Browser(daemon.port)) as browser:
        say("an empty one:")
        upkeep(daemon, given.seconds)
        browser.sign_in()
        requests(daemon, browser, given.times)
    with running(full) as daemon, closing(Browser(daemon.port)) as browser:
        say("one with all rooms:")
        upkeep(daemon, given.seconds)
        browser.sign_in()
        requests(daemon, browser, given.times)
        talk(daemon, browser, given.active)
        say(f"with {given.active:,} active rooms:")
        requests(daemon, browser, given.times)
        events(daemon, browser, 10)
        say(f"  peak memory of the process: {peak(daemon.pid):.0f} MB")
        command, state = beside("livechat"), str(daemon.state)
        backup = timed([command, "--state", state, "backup", str(place / "backup.tar")])
        say(f"backup: {backup}; {(place / 'backup.tar').stat().st_size / MEGABYTE:.0f} MB")
        (place / "backup.tar").unlink()
        export = place / "export.ndjson"
        used = timed([command, "--state", state, "export", str(export)])
        told(f"export of {entries:,} entries", used, export)
    return export


def told(name: str, used: Used, file: Path) -> None:
    say(f"{name}: {used}; {file.stat().st_size / MEGABYTE:.0f} MB")


def in_redis(given: argparse.Namespace, place: Path, export: Path) -> None:
    """Measure the same rooms in Redis."""
    directory = place / "redis"
    directory.mkdir()
    where = Place(0, export, export, directory)
    server = subprocess.Popen(
        redis_server(where, "--appendonly", "no", *given.redis),
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    url = f"unix://{where.redis}"

    def ask(*words: str) -> str:
        command = ["redis-cli", "-s", str(where.redis), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def used() -> int:
        return int(re.findall(r"used_memory:(\d+)", ask("INFO", "memory"))[0])

    try:
        while not where.redis.exists():
            time.sleep(0.05)
        empty, begun = used(), cpu([server.pid])
        done = timed([beside("livechat"), "import", str(export), "--", "--redis", url])
        told(f"import into Redis ({cpu([server.pid]) - begun:.1f} s of its CPU)", done, export)
        grown = used() - empty
        say(
            f"  {grown / MEGABYTE:.0f} MB, {grown / given.rooms:.0f} bytes a room; keys:"
            f" {ask('DBSIZE')}"
        )
        of_stream = ask("MEMORY", "USAGE", "lc:{existing-7}:s")
        say(f"  the stream of a room: {of_stream} bytes (MEMORY USAGE)")
        with (
            running(directory, "--redis", url) as daemon,
            closing(Browser(daemon.port)) as browser,
        ):
            begun_cpu, seconds = daemon.begun
            say(f"started: {begun_cpu:.2f} s of CPU, {seconds:.1f} s ({load()})")
            upkeep(daemon, given.seconds, lambda: cpu([server.pid]))
            browser.sign_in()
            requests(daemon, browser, given.times)
            say(f"  {memory([daemon.pid]):.1f} MB")
        again = place / "again.ndjson"
        begun = cpu([server.pid])
        done = timed([beside("livechat"), "export", str(again), "--", "--redis", url])
        told(f"export out of Redis ({cpu([server.pid]) - begun:.1f} s of its CPU)", done, again)
    finally:
        server.kill()
        server.wait()


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.many", description=__doc__)
    parser.add_argument("--rooms", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=1, help="messages in each room")
    parser.add_argument("--active", type=int, default=20_000, help="rooms that get a message")
    parser.add_argument("--seconds", type=float, default=30, help="length of idle measurements")
    parser.add_argument("--times", type=int, default=20, help="requests of each page")
    parser.add_argument("--rounds", type=int, default=3, help="starts, with rooms and without")
    parser.add_argument("--redis", nargs="*", default=[], help="options of Redis")
    parser.add_argument("--directory", type=Path, default=ON_DISK)
    given = parser.parse_args(words)
    raise_limits()
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(dir=given.directory)))
        export = in_sqlite(given, place)
        in_redis(given, place, export)


if __name__ == "__main__":
    main()
