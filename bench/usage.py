"""Reads the kernel's counts of processes: CPU time, memory, files."""

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

#: Marks a clock id as that of a process's CPU time (clock_getcpuclockid).
_CPU_CLOCK: Final = 2
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_SLAB: Final = re.compile(r"^Slab:\s+(\d+) kB", re.MULTILINE)

#: Runs a command, and writes its use to a descriptor.  Linux counts the peak of whoever starts a
#: process as the process's own (vfork shares its memory until exec), and this one has little.
_LAUNCHER: Final = """
import os, resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), f"{used.ru_utime + used.ru_stime} {used.ru_maxrss}".encode())
sys.exit(code != 0)
"""


def cpu(pids: Iterable[int]) -> float:
    """Return the CPU seconds of processes, with all their threads."""
    return sum(time.clock_gettime((~pid << 3) | _CPU_CLOCK) for pid in pids)


def memory(pids: Iterable[int]) -> float:
    """Return the memory of processes in MB, shared pages counted in parts (PSS)."""
    return sum(_kilobytes(_PSS, Path(f"/proc/{pid}/smaps_rollup")) for pid in pids) / 1024


def peak(pid: int) -> float:
    """Return the peak memory of a process in MB (RSS)."""
    return _kilobytes(_PEAK, Path(f"/proc/{pid}/status")) / 1024


def slab() -> float:
    """Return the kernel's memory for sockets, files and the like in MB, of all processes."""
    return _kilobytes(_SLAB, Path("/proc/meminfo")) / 1024


def _kilobytes(pattern: re.Pattern[str], path: Path) -> int:
    found = pattern.search(path.read_text())
    return int(found[1]) if found else 0


def files(pid: int) -> int:
    """Count the open files of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def catches(pid: int, number: int) -> bool:
    """Return true if a process has a handler for a signal. Without one the signal would end it."""
    caught = re.search(r"^SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def load() -> str:
    """Return the machine's load of the last minute, for use beside wall times."""
    return f"load {os.getloadavg()[0]:.1f}"


def low_port() -> int:
    """Find a free port below the range that the kernel gives to clients."""
    while True:
        port = random.randrange(10_500, 20_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def raise_limits() -> int:
    """Raise the limit of open files, for this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def say(*words: object) -> None:
    """Print and flush, so that a file has the line at once."""
    print(*words, flush=True)


@dataclass(frozen=True)
class Used:
    """
    The cost of a command.

    @ivar seconds: wall time.
    @ivar cpu: CPU seconds.
    @ivar peak: peak memory in MB.
    @ivar output: the command's output.
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

    @raise RuntimeError: the command failed; the text has its output.
    """
    reading, writing = os.pipe()
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, f"{writing}", *command],
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            pass_fds=[writing],
        )
    finally:
        os.close(writing)
    seconds = time.monotonic() - begun
    with os.fdopen(reading) as told:
        used = told.read().split()
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    cpu_seconds, kilobytes = map(float, used)
    return Used(seconds, cpu_seconds, kilobytes / 1024, done.stdout)


def beside(name: str) -> str:
    """Return the path of a command installed beside this Python."""
    return str(Path(sys.executable).with_name(name))
