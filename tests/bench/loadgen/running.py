"""Runs the load generator against a server of a test."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.loadgen.server import MEMBERS, MESSAGES, Server

DIRECTORY = Path(__file__).parents[3] / "bench" / "loadgen"
PROGRAM = DIRECTORY / "build" / "loadgen"

#: Open loop, so that no fault holds messages up. A run ends with the last message, long before
#: its duration does. Where messages are lost, it waits for them as long as --drain says.
RUN = (
    *("--conns", str(MEMBERS), "--conc", "1", "--rate", "6000", "--max-msgs", str(MESSAGES)),
    *("--settle", "0.02", "--warmup", "0.01", "--duration", "5", "--drain", "1"),
)
#: Counts that must be 0 unless a test says otherwise.
FAULTS = (
    *("lost", "lost_on_disconnected", "members_short", "dup", "out_of_order", "corrupt"),
    *("foreign", "misrouted", "stalls", "expired", "unsent", "failed_conns", "disconnects"),
)


class Result(NamedTuple):
    """The load generator's exit code and report."""

    code: int
    report: dict[str, Any]

    def says(self, **expected: object) -> bool:
        """Assert that the named counts are as *expected*, and all other faults 0."""
        expected = dict.fromkeys(FAULTS, 0) | expected
        found = {key: self.report[key] for key in expected}
        assert found == expected, self.report["first_error"]
        return True


async def run(server: Server, *options: str, tls: ssl.SSLContext | None = None) -> Result:
    """Run the load generator against *server*, whose port replaces ``PORT`` in *options*."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    async with listener:
        port = str(listener.sockets[0].getsockname()[1])
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *(option.replace("PORT", port) for option in options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            output, errors = await process.communicate()
    assert process.returncode is not None
    assert output, errors.decode()
    return Result(process.returncode, json.loads(output))


def play(server: Server, *more: str, path: str = "/room{r}/{i}") -> Result:
    """Run it with :data:`RUN` and *more* options."""
    return asyncio.run(run(server, "--url", f"ws://127.0.0.1:PORT{path}", *RUN, *more))


def refusal(*options: str) -> str:
    """Return the load generator's complaint about *options*."""
    done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert not done.stdout
    return done.stderr
