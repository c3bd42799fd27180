"""The kinds of livechat that are measured."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.peers.catalogue import Peer, Place, Sending, redis_server, redis_version
from bench.tokens import KEY

EXISTING = Path(__file__).with_name("existing.py")
PACKAGES = ("livechat", "twisted", "autobahn", "pyopenssl", "msgspec")
#: Limits that are switched off: the other servers have none.
LIMITS = ("rate", "rate-per-ip", "max-connections", "max-connections-per-ip")


@dataclass(frozen=True, kw_only=True)
class Livechat(Peer):
    """
    A livechat with a state directory of its own.

    @ivar program: the command that starts it: twistd, beside the Python that runs it.
    @ivar existing: rooms that exist before the start, with a message each.
    @ivar pure: true to run without the native part.
    @ivar plain: a second port, without TLS as for a proxy; 0 for none.
    """

    program: tuple[str, ...]
    existing: int = 0
    pure: bool = False
    plain: int = 0

    def versions(self) -> dict[str, str | None]:
        return {name: installed(name) for name in PACKAGES}

    def environment(self, place: Place) -> dict[str, str]:
        pure = {"LIVECHAT_PURE": "1"} if self.pure else {}
        return {"LIVECHAT_TOKEN_KEYS": str(KEY), **pure}

    def first(self, place: Place) -> dict[Path, list[str]]:
        if self.existing:
            python = Path(self.program[0]).with_name("python")
            state = str(place.directory / "state")
            subprocess.run([str(python), str(EXISTING), state, str(self.existing)], check=True)
        return {}

    def command(self, place: Place) -> list[str]:
        return [
            *self.program,
            *("--nodaemon", "--pidfile=", "--rundir", str(place.directory)),
            *("livechat", *self.listening(place)),
            *("--certificate", str(place.certificate), "--private-key", str(place.key)),
            *(word for limit in LIMITS for word in (f"--{limit}", "0")),
        ]

    def listening(self, place: Place) -> tuple[str, ...]:
        """Return the options for its ports."""
        if not self.plain:
            return "--port", str(place.port)
        both = f"tls:127.0.0.1:{place.port}", f"http:127.0.0.1:{self.plain}"
        return tuple(word for each in both for word in ("--listen", each))


@dataclass(frozen=True, kw_only=True)
class Hooked(Livechat):
    """A livechat with a webhook, whose receiver is a process on the other core."""

    def first(self, place: Place) -> dict[Path, list[str]]:
        receiver = place.directory / "receiver"
        command = [sys.executable, "-m", "bench.receiver", str(place.redis_port), str(receiver)]
        return {**super().first(place), receiver: command}

    def command(self, place: Place) -> list[str]:
        return [*super().command(place), "--webhook", f"http://127.0.0.1:{place.redis_port}/"]


#: The name of the livechat of another revision.
BEFORE = "before"
#: Processes of a cluster.
WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Cluster(Livechat):
    """
    Several workers, with a Redis that stores as safely as one process does.

    @ivar workers: the number of processes.
    """

    workers: int = WORKERS

    def versions(self) -> dict[str, str | None]:
        return {**super().versions(), "redis-server": redis_version()}

    def first(self, place: Place) -> dict[Path, list[str]]:
        super().first(place)
        durable = ("--appendonly", "yes", "--appendfsync", "always")
        return {place.redis: redis_server(place, *durable)}

    def environment(self, place: Place) -> dict[str, str]:
        return {
            **super().environment(place),
            "LIVECHAT_REDIS": f"unix://{place.redis}",
            "LIVECHAT_WORKERS": str(self.workers),
        }

    def ready(self, log: str) -> bool:
        return log.count("can be used.") == self.workers


@dataclass(frozen=True, kw_only=True)
class RedisCluster(Cluster):
    """
    Several workers with a Redis Cluster.

    @ivar masters: the number of its masters.
    """

    masters: int = 3

    def first(self, place: Place) -> dict[Path, list[str]]:
        """Start the masters. They form a cluster when livechat is started."""
        socket = place.redis
        return {
            socket.with_name(f"redis-{number}"): redis_node(place, number)
            for number in range(self.masters)
        }

    def environment(self, place: Place) -> dict[str, str]:
        meet(place, self.masters)
        url = f"redis+cluster://127.0.0.1:{place.redis_port}"
        return {**super().environment(place), "LIVECHAT_REDIS": url}

    def ready(self, log: str) -> bool:
        return log.count("can be used.") == self.workers * (1 + self.masters)


def redis_node(place: Place, number: int) -> list[str]:
    """Return the command of a cluster's master."""
    directory = place.directory / f"node-{number}"
    directory.mkdir()
    command = redis_server(place, "--appendonly", "yes", "--appendfsync", "always")
    changed = {
        "--port": str(place.redis_port + number),
        "--unixsocket": str(place.directory / f"redis-{number}"),
        "--dir": str(directory),
    }
    for option, value in changed.items():
        command[command.index(option) + 1] = value
    bus = str(place.redis_port + number + 100)
    return [*command, "--cluster-enabled", "yes", "--cluster-port", bus, "--bind", "127.0.0.1"]


def meet(place: Place, masters: int) -> None:
    """Form a cluster of the masters."""
    nodes = [f"127.0.0.1:{place.redis_port + number}" for number in range(masters)]
    command = ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def installed(name: str) -> str | None:
    """Return the version of a package; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


SENDING = Sending("/chat/send/", '{"room":"room{r}","message":"%M"}')
#: The command of this working copy's livechat.
TWISTD = (str(Path(sys.executable).with_name("twistd")),)
LIVECHAT = Livechat(
    name="livechat",
    title="as it is shipped: every message is on disk before anybody gets it",
    sending=SENDING,
    program=TWISTD,
)
PURE = Livechat(
    name="pure",
    column="livechat, pure",
    title="the same, started with LIVECHAT_PURE=1: without the native part",
    sending=SENDING,
    program=TWISTD,
    pure=True,
)
HOOKED = Hooked(
    name="hooked",
    column="livechat, a webhook",
    title="the same, with a webhook whose receiver is told of each message",
    sending=SENDING,
    program=TWISTD,
    scenarios=("rooms", "http"),
)
UNSTORED = Livechat(
    name="unstored",
    title="livechat without storing, like the other servers",
    sending=SENDING,
    program=(sys.executable, "-m", "bench.unstored"),
)
CLUSTER = Cluster(
    name="cluster",
    title="livechat, two workers and a Redis that stores as safely as one process does",
    clustered=True,
    program=TWISTD,
)
OURS: tuple[Livechat, ...] = (LIVECHAT, PURE, HOOKED, UNSTORED, CLUSTER)
#: Livechat as shipped, with its native part and without.
SERVED: tuple[Livechat, ...] = (LIVECHAT, PURE)


def before(checkout: Path) -> Livechat:
    """
    Find the livechat of another working copy, to see the cost of a change.

    @raise ValueError: the copy is not set up; ``make run`` does that.
    """
    program = checkout.resolve() / ".venv" / "bin" / "twistd"
    if not program.exists():
        raise ValueError(f"there is no {program}")
    revision = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return Livechat(
        name=BEFORE,
        like=LIVECHAT.name,
        title=f"livechat as it was at {revision or 'some time'}",
        sending=SENDING,
        program=(str(program),),
    )
