"""
Measures idle members, as many as the machine holds: ``python -m bench.crowd``.

The server's processes share a core, and the load generators another. A process holds as many
members as it may open files; more members need --workers. Printed are the memory of a member, at
once and after rounds of pings, and the CPU of connecting, of a ping, of one message to all and of
leaving.
"""

from __future__ import annotations

import argparse
import json
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import ON_DISK
from bench.ours import TWISTD, Cluster, Livechat
from bench.peers.serving import Running, serving
from bench.run import LOADGEN, cores
from bench.usage import catches, cpu, files, load, low_port, memory, raise_limits, say, slab
from livechat.net.certificates import load_or_make

#: The limit, in seconds, until all are connected, and until all have a message.
PATIENCE = 1_800.0
#: The limit of members of one load generator, from its files and the kernel's ports an address.
PER_LOAD = 16_800
#: Seconds of hardly any CPU after which a server is at rest.
REST = 1.5
#: Headers that a proxy adds.
FORWARDED = (
    *("--header", "X-Forwarded-For: 192.0.2.1"),
    *("--header", "X-Forwarded-Proto: https"),
)
#: Source addresses, 127.0.0.2 and up, each with 28,000 ports.
SOURCES = 8


class Load:
    """A load generator that holds members."""

    def __init__(self, url: str, members: int, rooms: int, core: int, *more: str) -> None:
        self._said: dict[str, Any] = {}
        self._process = subprocess.Popen(
            [
                *("taskset", "--cpu-list", str(core), str(LOADGEN), "--mode", "idle"),
                *("--url", url, "--conns", str(members), "--rooms", str(rooms)),
                *("--srcs", str(SOURCES), "--conc", "8", "--settle", "0", "--warmup", "0"),
                *("--duration", "1000000", "--ramp-timeout", str(PATIENCE), *more),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        while not catches(self._process.pid, signal.SIGUSR1):
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        return self._process.pid

    def status(self) -> dict[str, Any]:
        """Ask for the counts so far."""
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGUSR1)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a load generator has ended")
        self._said = json.loads(line)
        return self._said

    def end(self) -> None:
        """Make all members leave."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until the process has ended."""
        assert self._process.stdout is not None
        self._process.stdout.read()
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Crowd:
    """Several load generators, counted together."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self.loads = loads

    def total(self, key: str) -> int:
        return sum(int(each.status()[key]) for each in self.loads)

    def until(self, key: str, count: int, every: float) -> int:
        """
        Wait until the load generators have counted *count*, less the members that were lost.

        @return: the members lost since the beginning.
        @raise RuntimeError: the wait takes too long, or one member in a hundred is lost.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            statuses = [each.status() for each in self.loads]
            lost = sum(int(each["failed_conns"]) + int(each["disconnects"]) for each in statuses)
            if sum(each[key] for each in statuses) >= count - lost:
                return lost
            if 100 * lost > count or time.monotonic() > deadline:
                raise RuntimeError(f"{key}: not {count:,}; {lost:,} members were lost")
            time.sleep(every)

    def first_error(self) -> str:
        """Return the first error of any load generator."""
        said = (each.status()["first_error"] for each in self.loads)
        return next(filter(None, said), "nothing went wrong")


class Bill:
    """Tracks the CPU of a server and of its Redis between two moments."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._before = self._now()

    def _now(self) -> tuple[float, float]:
        return cpu(self._server.pids), cpu(self._server.aux_pids)

    def take(self) -> tuple[float, float]:
        """Return the CPU used since the last call."""
        before, self._before = self._before, self._now()
        return self._before[0] - before[0], self._before[1] - before[1]

    def until_at_rest(self) -> tuple[float, float]:
        """Wait until hardly any CPU is used; return the CPU used since the last call."""
        server = redis = 0.0
        while True:
            time.sleep(REST)
            used = self.take()
            server, redis = server + used[0], redis + used[1]
            if sum(used) < 0.05 * REST:
                return server, redis


def peer(workers: int, plain: int) -> Livechat:
    """
    Make a livechat with this number of processes.

    @param plain: see `Livechat`.
    """
    if workers == 1:
        return Livechat(name="livechat", title="", program=TWISTD, plain=plain)
    return Cluster(name="cluster", title="", program=TWISTD, plain=plain, workers=workers)


class Measurement:
    """Measures a server and its crowd, step by step."""

    def __init__(self, server: Running, crowd: Crowd, members: int) -> None:
        self._server = server
        self._crowd = crowd
        self._members = members
        self._empty = memory(server.pids)
        self._redis = memory(server.aux_pids)
        self._slab = slab()
        self._files = sum(map(files, server.pids))
        self._bill = Bill(server)

    def connected(self) -> None:
        """Wait until all are connected, and print the cost."""
        begun = time.monotonic()
        lost = self._crowd.until("ready", self._members, 1.0)
        seconds = time.monotonic() - begun
        server, redis = self._bill.take()
        resumed = self._crowd.total("hs_resumed")
        say(
            f"{self._members:,} members ({resumed:,} by tickets): "
            f"{1e6 * server / self._members:.0f} µs of CPU for each,"
            f" {self._members / server:.0f} a CPU-second; Redis {redis:.1f} s;"
            f" {seconds:.0f} s in all ({load()})"
        )
        if lost:
            say(f"{lost:,} of them did not get in: {self._crowd.first_error()}")
        self.memory("at once")
        slab_each = 1024 * (slab() - self._slab) / self._members
        say(f"  in the kernel, for both ends: {slab_each:.1f} KB a member")
        clients = sum(memory([each.pid]) for each in self._crowd.loads)
        say(f"  the load generators: {clients:.0f} MB")

    def memory(self, when: str) -> None:
        grown = memory(self._server.pids) - self._empty
        redis = memory(self._server.aux_pids) - self._redis if self._server.aux_pids else 0
        say(
            f"{when}: {1024 * grown / self._members:.2f} KB a member (empty: {self._empty:.0f} MB,"
            f" grown by {grown:.0f}; Redis by {redis:.1f})"
        )

    def pings(self, seconds: float) -> None:
        """Print the cost of pings alone."""
        pings = self._crowd.total("pings")
        self._bill.take()
        time.sleep(seconds)
        server, redis = self._bill.take()
        pings = self._crowd.total("pings") - pings
        say(
            f"{pings:,} pings in {seconds:.0f} s: {server:.2f} s of CPU,"
            f" {1e6 * server / max(1, pings):.1f} µs for each; Redis {redis:.2f} s"
        )
        self.memory(f"after {seconds:.0f} s more")

    def message(self, said: int) -> None:
        """Print the cost of one message to all."""
        before = self._crowd.total("foreign")
        self._bill.take()
        time.sleep(2 * REST)
        pinging = self._bill.take()[0] / (2 * REST)
        begun = time.monotonic_ns()
        post(self._server, "room0", f"~L{0:032x}Z message {said}")
        self._crowd.until("foreign", before + self._members, 0.5)
        last = max(int(each.status()["last_foreign_ns"]) for each in self._crowd.loads)
        time.sleep(0.5)
        server, redis = self._bill.take()
        # Pings go on meanwhile, and are not the message's cost.
        server -= pinging * (time.monotonic_ns() - begun) / 1e9
        say(
            f"a message to all: {server:.2f} s of CPU, "
            f"{1e6 * server / self._members:.1f} µs a member; Redis {1000 * redis:.0f} ms; the last"
            f" has it after {(last - begun) / 1e9:.1f} s ({load()})"
        )

    def leave(self) -> None:
        """Make all leave at once, and print the cost."""
        self._bill.take()
        begun = time.monotonic()
        for each in self._crowd.loads:
            each.end()
        for each in self._crowd.loads:
            each.wait()
        while sum(map(files, self._server.pids)) > self._files + 20 * len(self._server.pids):
            time.sleep(0.2)
        seconds = time.monotonic() - begun
        server, redis = self._bill.until_at_rest()
        say(
            f"all leave: {server:.2f} s of CPU, {1e6 * server / self._members:.0f} µs a member;"
            f" Redis {redis:.2f} s; {seconds:.1f} s ({load()})"
        )
        self.memory("when all have left")


def post(server: Running, room: str, text: str) -> None:
    """Send a message to a room over HTTP."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{server.port}/chat/send/",
        json.dumps({"room": room, "message": text}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        answer.read()


def measure(given: argparse.Namespace, chain: Path, key: Path) -> None:
    server_core, load_core = cores()
    port = low_port()
    plain = low_port() if given.plain else 0
    with ExitStack() as stack:
        server = stack.enter_context(
            serving(
                peer(given.workers, plain),
                port,
                chain,
                key,
                cpu=server_core,
                aux_cpu=load_core,
                parent=ON_DISK,
                patience=120.0,
            )
        )
        path = server.peer.path
        url = f"ws://127.0.0.1:{plain}{path}" if plain else f"wss://127.0.0.1:{port}{path}"
        count = -(-given.members // PER_LOAD)
        shares = [given.members // count + (n < given.members % count) for n in range(count)]
        more = [*(("--resume",) if given.resume else ()), *(FORWARDED if plain else ())]
        crowd = Crowd([])
        found = Measurement(server, crowd, given.members)
        loads = [Load(url, share, given.rooms, load_core, *more) for share in shares]
        for each in loads:
            stack.callback(each.kill)
        crowd.loads = loads
        found.connected()
        for _ in range(given.rounds):
            found.pings(given.seconds)
        for number in range(given.messages if given.rooms == 1 else 0):
            found.message(number)
        if given.messages:
            found.memory("after the messages")
        found.leave()


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.crowd", description=__doc__)
    parser.add_argument("--members", type=int, default=15_000)
    parser.add_argument("--rooms", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=1, help="processes; more than one have a Redis"
    )
    parser.add_argument("--plain", action="store_true", help="without TLS, as behind a proxy")
    parser.add_argument("--resume", action="store_true", help="resume TLS by tickets")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of pings")
    parser.add_argument("--seconds", type=float, default=50, help="length of each")
    parser.add_argument(
        "--messages", type=int, default=3, help="messages to all, if there is one room"
    )
    given = parser.parse_args(words)
    raise_limits()
    with TemporaryDirectory() as directory:
        load_or_make(Path(directory))
        measure(given, Path(directory, "livechat.crt"), Path(directory, "livechat.key"))


if __name__ == "__main__":
    main()
