"""The machine: open files, processors, shared memory, the native part, ports and extensions."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator, Mapping

from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.config import Config
from livechat.dotted_names import find
from livechat.errors import StartError
from livechat.net import fast
from livechat.net.listening import listen
from livechat.system.process import SPARE_FILES


def open_files(config: Config) -> Finding:
    """Check that as many files may be open as connections need."""
    about = "open files"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return Finding(about, "ok", "without a limit here")
    needed = config.max_connections + SPARE_FILES
    text = f"{hard} are allowed here"
    if config.max_connections == 0:
        return Finding(about, "ok", f"{text}, and --max-connections is no limit")
    if hard < needed:
        text += f", and --max-connections {config.max_connections} needs {needed}"
        cure = "raise it: LimitNOFILE of the unit, ulimit -n here; or lower --max-connections"
        return ill(about, text, cure)
    return Finding(about, "ok", f"{text}, of {needed} that --max-connections needs")


def fast_path() -> Finding:
    """Check that the native part runs."""
    if fast.WHY_PURE is None:
        return Finding("fast path", "ok", fast.described())
    cure = "install gcc and python3-dev, and livechat again; or take LIVECHAT_PURE out"
    return doubtful("fast path", f"{fast.described()}: it takes about twice the CPU", cure)


def workers(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the workers have processors, and memory to count in."""
    if config.workers == 1:
        return
    about, cores = "workers", len(os.sched_getaffinity(0))
    if config.workers > cores:
        text = f"--workers {config.workers} on {cores} processors: they wait for each other"
        yield doubtful(about, text, f"start {cores} at most")
    else:
        yield Finding(about, "ok", f"{config.workers}, on {cores} processors")
    places = (environment.get("RUNTIME_DIRECTORY"), "/dev/shm")  # noqa: S108 - it is only examined
    if not any(each and os.access(each, os.W_OK | os.X_OK) for each in places):
        text = f"figures are kept in {tempfile.gettempdir()}: where that is a disk that is full,"
        cure = "mount /dev/shm, or give the unit RuntimeDirectory=livechat"
        yield doubtful(about, f"{text} workers are killed", cure)


def ports(config: Config) -> Iterator[Finding]:
    """Check that a server that does not run could listen at its addresses."""
    for address in config.listen:
        # A socket file cannot be tried without making it, so its directory is checked.
        if address.path is not None:
            if not os.access(address.path.parent, os.W_OK | os.X_OK):
                text = f"{address} cannot be made: {address.path.parent} cannot be written"
                cure = "make that directory for livechat's user, as RuntimeDirectory= does"
                yield ill("port", text, cure)
            continue
        try:
            for each in listen([address]):
                each.close()
        except StartError as reason:
            cure = "stop what listens there (ss -ltnp says what), or take another one"
            if "taken" not in str(reason):
                cure = (
                    "use a port from 1024 on, or let systemd keep it (deploy/livechat.socket);"
                    " ip address says which addresses there are"
                )
            yield ill("port", str(reason), cure)


def brought(config: Config) -> Iterator[Finding]:
    """Check that extensions can be loaded."""
    named = [("--extension", each) for each in config.extension]
    named += [(f"--mount {path}", name) for path, name in config.mount]
    for option, name in named:
        try:
            find(name, option)
        except StartError as reason:
            cure = "install it into livechat's environment, or mend the name"
            yield ill("extension", str(reason), cure)
        else:
            yield Finding("extension", "ok", name)
