"""Settings of the process itself."""

from __future__ import annotations

import gc
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

_log = Logger(namespace="livechat")

#: File descriptors besides those of connections.
SPARE_FILES: Final = 64
#: Thresholds of Python's garbage collector: new objects between two collections, and collections
#: of one generation between two of the next.
GARBAGE: Final = (50_000, 20, 100)


def collect_garbage_rarely() -> None:
    """
    Have Python look for garbage in cycles less often, and not in the objects of now.

    There is little of it, and to look for it means to look at every connection.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE)


@contextmanager
def making_what_stays() -> Iterator[None]:
    """
    Make objects that live as long as the process; `collect_garbage_rarely` from then on.

    Python would look for garbage in all of them, again and again while they are made.
    """
    gc.disable()
    try:
        yield
    finally:
        collect_garbage_rarely()
        gc.enable()


def allow_files(connections: int) -> None:
    """Raise the limit of open files to what so many connections need, as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES if connections else hard
    if hard != resource.RLIM_INFINITY and wanted > hard:
        _log.warn(
            "The system allows {hard} open files, too few for {connections} connections.",
            hard=hard,
            connections=connections,
        )
        wanted = hard
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def memory() -> int | None:
    """Bytes of memory that this process really has; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


class Usage:
    """The share of a core that this process uses, its threads included."""

    def __init__(self, clock: IReactorTime, cpu: Callable[[], float] = time.process_time) -> None:
        """
        @param cpu: returns the seconds that the process has computed.
        """
        self._clock = clock
        self._cpu = cpu
        self._then = clock.seconds()
        self._used = cpu()

    def since_last(self) -> float:
        """Return the share since the last call; 0.0 if no time has passed."""
        now, used = self._clock.seconds(), self._cpu()
        took, computed = now - self._then, used - self._used
        self._then, self._used = now, used
        return computed / took if took > 0 else 0.0


def process_name() -> str:
    """The name of this process, which no other has: its machine and its number."""
    return f"{socket.gethostname()}/{os.getpid()}"
