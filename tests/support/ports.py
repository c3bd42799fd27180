"""Ports for servers that have to be told theirs."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Final

#: Below the ports that the system gives to connections (`ip_local_port_range`): one of those may
#: be taken between a look and the server's start.
_PORTS: Final = range(11_000, 22_000)
#: A node of a Redis Cluster has a second port, so much higher.
BUS: Final = 10_000
# Hypothesis seeds the other one, in each of the processes that run tests.
_RANDOM: Final = random.SystemRandom()


def free_port() -> int:
    """Return a port that is free at the moment, here and `BUS` higher."""
    while True:
        port = _RANDOM.choice(_PORTS)
        with suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("", port))
            other.bind(("", port + BUS))
            return port
