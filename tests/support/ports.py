"""Ports for servers that have to be told theirs."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import Final

#: Below the ports that the system gives to connections (`ip_local_port_range`): one of those may
#: be taken between a look and the server's start.
_PORTS: Final = range(11_000, 22_000)
#: A node of a Redis Cluster has a second port, so much higher.
BUS: Final = 10_000


def _mine() -> Iterator[int]:
    """Yield the ports of this process: no other one of these that run tests is given them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = _PORTS[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    # Hypothesis seeds the other generator, in each process alike.
    first = random.SystemRandom().randrange(len(mine))
    yield from cycle([*mine[first:], *mine[:first]])


_ports: Final = _mine()


def free_port() -> int:
    """Return a port that is free, here and `BUS` higher, and that no other test is given soon."""
    while True:
        port = next(_ports)
        with suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("", port))
            other.bind(("", port + BUS))
            return port
