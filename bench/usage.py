"""Time and memory of processes, as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Tells the clock of a process's CPU time from others that have its number (clock_getcpuclockid).
_CPU_CLOCK: Final = 2
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_SLAB: Final = re.compile(r"^Slab:\s+(\d+) kB", re.MULTILINE)


def cpu(pids: Iterable[int]) -> float:
    """Seconds of a core that these have used, with all their threads."""
    return sum(time.clock_gettime((~pid << 3) | _CPU_CLOCK) for pid in pids)


def memory(pids: Iterable[int]) -> float:
    """MB that these occupy; of what they share each has its part (PSS)."""
    return sum(_kilobytes(_PSS, Path(f"/proc/{pid}/smaps_rollup")) for pid in pids) / 1024


def peak(pid: int) -> float:
    """MB that a process has occupied at most (RSS)."""
    return _kilobytes(_PEAK, Path(f"/proc/{pid}/status")) / 1024


def slab() -> float:
    """MB that the kernel has for sockets, files and the like, of all processes."""
    return _kilobytes(_SLAB, Path("/proc/meminfo")) / 1024


def _kilobytes(pattern: re.Pattern[str], path: Path) -> int:
    found = pattern.search(path.read_text())
    return int(found[1]) if found else 0


def files(pid: int) -> int:
    """Open files of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def catches(pid: int, number: int) -> bool:
    """Tell whether a process has a handler for a signal: before that it would end by it."""
    caught = re.search(r"^SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def load() -> str:
    """The load of the last minute, without which a wall time says little."""
    return f"load {os.getloadavg()[0]:.1f}"


def low_port() -> int:
    """Find a free port, below those that the kernel gives to thousands of clients."""
    while True:
        port = random.randrange(10_500, 20_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def raise_limits() -> int:
    """Raise the limit of open files of this process, and of those that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def say(*words: object) -> None:
    """Tell something at once, also where nobody but a file listens."""
    print(*words, flush=True)


@dataclass(frozen=True)
class Used:
    """
    The cost of a command.

    @ivar seconds: by the wall.
    @ivar cpu: seconds of a core.
    @ivar peak: MB.
    @ivar output: what it printed.
    """

    seconds: float
    cpu: float
    peak: float
    output: str

    def __str__(self) -> str:
        return (
            f"{self.cpu:.1f} s of CPU, {self.seconds:.1f} s ({load()}), at most {self.peak:.0f} MB"
        )


def timed(
    command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Used:
    """
    Run a command to its end.

    @raise RuntimeError: it failed; the text says what it printed.
    """
    begun = time.monotonic()
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {output}")
    seconds = time.monotonic() - begun
    return Used(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)


def beside(name: str) -> str:
    """Return the path of a command that is installed with this Python."""
    return str(Path(sys.executable).with_name(name))
