"""
Lists the other servers: ``python -m bench.peers``, in the repository's root.

With a name and ``--port N --certificate FILE --key FILE`` that server runs until it is
interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from .catalogue import PEERS
from .serving import serving


def show() -> bool:
    """Print a line for each server; return true if any can be started."""
    any_there = False
    for peer in PEERS:
        missing = peer.missing()
        versions = ", ".join(f"{name} {version}" for name, version in peer.versions().items())
        print(f"{peer.name:12} {missing or versions}")
        any_there = any_there or not missing
    return any_there


def main() -> int:
    names = {peer.name: peer for peer in PEERS}
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names)
    parser.add_argument("--port", type=int, default=10443)
    parser.add_argument("--certificate", type=Path, default=Path("certs/livechat.crt"))
    parser.add_argument("--key", type=Path, default=Path("certs/livechat.key"))
    parser.add_argument("--cpu", type=int, default=0)
    parser.add_argument("--aux-cpu", type=int)
    given = parser.parse_args()
    if given.name is None:
        return 0 if show() else 1
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with serving(
        names[given.name],
        given.port,
        given.certificate,
        given.key,
        cpu=given.cpu,
        aux_cpu=given.aux_cpu,
    ) as running:
        pids = " ".join(map(str, running.pids))
        aux_pids = " ".join(map(str, running.aux_pids))
        print(f"{running.url} ({pids}{' + ' if aux_pids else ''}{aux_pids})", flush=True)
        signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
