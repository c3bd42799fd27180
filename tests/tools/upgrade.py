"""
Clients of ``livechat.v1`` that talk while livechat is renewed: ``make upgrade``, or
``python -m tests.tools.upgrade --seconds 20``.

    sqlite     one process is stopped and started again, at a socket that is kept meanwhile, by
               systemd's own systemd-socket-activate
    workers    SIGUSR2 renews two workers, with a real Redis

A client that is told to come back does so after the time that it was told.  In the end every
client has every message that was acknowledged in its room, once, in order.  No connection was
refused, and no client went without messages for long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial, reduce
from multiprocessing import get_context
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path
from typing import Any, Final

from tests.backends.redis.server import RedisServer
from tests.live.daemon import CHEAP, TWISTD, Daemon
from tests.live.kept import Kept, logged
from tests.tools.crowd import Crowd, Found

#: The most seconds without a message, by the kind of renewal.
SILENCE: Final = {"sqlite": 3.0, "workers": 1.0}
#: Seconds over which a worker sends its clients to the others.
DRAIN: Final = 5
#: Processes of clients: in one, five hundred handshakes would take longer than livechat's part.
PROCESSES: Final = 2
#: Seconds for all clients to be there.
READY_WITHIN: Final = 180.0
_UNLIMITED: Final = (
    "--rate=0", "--rate-per-ip=0", "--history-limit=0", "--max-connections-per-ip=0",
)  # fmt: skip
_SPAWN: Final = get_context("spawn")


Renewal = tuple[int, Callable[[], Awaitable[None]]]


@asynccontextmanager
async def sqlite(directory: Path, _: float) -> AsyncIterator[Renewal]:
    """Measure a daemon of one process that is restarted under its socket."""
    with Kept(directory, *_UNLIMITED) as kept:

        async def restart() -> None:
            assert await asyncio.to_thread(kept.stop) == 0, kept.log.text
            kept.start()
            await logged(kept.log, "is ready")

        await logged(kept.log, "is ready")
        yield kept.port, restart


@asynccontextmanager
async def workers(directory: Path, drain: float) -> AsyncIterator[Renewal]:
    """Measure two workers with a Redis, which are renewed."""
    with (
        RedisServer(directory / "redis") as redis,
        Daemon(
            directory / "daemon",
            f"--redis={redis.url}",
            "--workers=2",
            f"--drain={drain:g}",
            *_UNLIMITED,
            twistd=TWISTD,
            environment=CHEAP,
        ) as daemon,
    ):

        async def renew() -> None:
            daemon.process.send_signal(signal.SIGUSR2)
            for worker in (1, 2):
                await logged(daemon.log, f"The old worker {worker} has ended: exit code 0")
            await logged(daemon.log, "All workers are renewed")

        # Each has its Redis before anybody comes.
        await logged(daemon.log, "can be used", 2)
        yield daemon.port, renew


CASES: Final[dict[str, Callable[[Path, float], AbstractAsyncContextManager[Renewal]]]] = {
    "sqlite": sqlite,
    "workers": workers,
}


async def measure(
    case: str,
    directory: Path,
    *,
    clients: int,
    rooms: int,
    seconds: float,
    rate: float,
    drain: float = DRAIN,
) -> Found:
    """
    Renew livechat while *clients* talk, and count.

    @param drain: seconds over which a worker sends its clients to the others.
    """
    async with CASES[case](directory, drain) as (port, renew):
        return await _renewed(port, renew, clients, rooms, seconds=seconds, rate=rate)


async def _renewed(
    port: int,
    renew: Callable[[], Awaitable[None]],
    clients: int,
    rooms: int,
    *,
    seconds: float,
    rate: float,
) -> Found:
    """Have the clients talk in processes of their own, each with rooms of its own."""
    ready, renewed = _SPAWN.Semaphore(0), _SPAWN.Event()
    share = partial(
        _part, port, clients // PROCESSES, rooms // PROCESSES, seconds, rate / PROCESSES
    )
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(PROCESSES, _SPAWN, _given, (ready, renewed)) as pool:
        parts = [loop.run_in_executor(pool, share, f"{number}-") for number in range(PROCESSES)]
        for _ in parts:
            assert await asyncio.to_thread(ready.acquire, timeout=READY_WITHIN), (
                "clients are missing"
            )
        began = time.monotonic()
        try:
            await renew()
        finally:
            took = time.monotonic() - began
            renewed.set()
        found = reduce(Found.with_others, await asyncio.gather(*parts))
    found.renewed_in = round(took, 3)
    return found


#: A part is ready to see a renewal; and it is done.
_signals: list[tuple[Semaphore, Event]] = []


def _given(ready: Semaphore, renewed: Event) -> None:
    _signals.append((ready, renewed))


def _part(port: int, clients: int, rooms: int, seconds: float, rate: float, name: str) -> Found:
    """Have some of the clients talk, in a process of their own."""
    ready, renewed = _signals[0]

    async def renew() -> None:
        ready.release()
        await asyncio.to_thread(renewed.wait)

    return asyncio.run(Crowd(port, clients, rooms, name).run(renew, seconds, rate))


def main() -> None:
    """Run both cases, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--only", choices=tuple(CASES))
    asked = parser.parse_args()
    faults: list[str] = []
    # Seconds depend on what else the machine does.
    found: dict[str, Any] = {"load average": os.getloadavg()[0]}
    for case in CASES:
        if asked.only in (None, case):
            with tempfile.TemporaryDirectory() as directory:
                counted = asyncio.run(
                    measure(
                        case,
                        Path(directory),
                        clients=asked.clients,
                        rooms=asked.rooms,
                        seconds=asked.seconds,
                        rate=asked.rate,
                    )
                )
            found[case] = vars(counted)
            faults += (f"{case}: {each}" for each in counted.faults(SILENCE[case]))
    print(json.dumps(found, indent=1))  # noqa: T201
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
