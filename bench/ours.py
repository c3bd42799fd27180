"""livechat, among the servers that it is compared with."""

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
#: What nobody is compared with: the other servers have none either.
LIMITS = ("rate", "rate-per-ip", "max-connections", "max-connections-per-ip")


@dataclass(frozen=True, kw_only=True)
class Livechat(Peer):
    """
    livechat, with its state in a directory of its own.

    @ivar program: twistd, beside the Python that runs it.
    @ivar existing: as many rooms exist before the start, with a message each.
    @ivar pure: without its native part.
    @ivar plain: a port without TLS, as for a proxy, beside the other; 0: none.
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
        """Say where it listens."""
        if not self.plain:
            return "--port", str(place.port)
        both = f"tls:127.0.0.1:{place.port}", f"http:127.0.0.1:{self.plain}"
        return tuple(word for each in both for word in ("--listen", each))


@dataclass(frozen=True, kw_only=True)
class Hooked(Livechat):
    """livechat with a webhook: a receiver in another process, on the other core."""

    def first(self, place: Place) -> dict[Path, list[str]]:
        receiver = place.directory / "receiver"
        command = [sys.executable, "-m", "bench.receiver", str(place.redis_port), str(receiver)]
        return {**super().first(place), receiver: command}

    def command(self, place: Place) -> list[str]:
        return [*super().command(place), "--webhook", f"http://127.0.0.1:{place.redis_port}/"]


#: The livechat that this one is compared with, where there is one.
BEFORE = "before"
#: Of a cluster.
WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Cluster(Livechat):
    """
    Several workers, whose rooms are in a Redis that stores as safely as one process does.

    @ivar workers: how many.
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
    The same, with a Redis Cluster.

    @ivar masters: how many.
    """

    masters: int = 3

    def first(self, place: Place) -> dict[Path, list[str]]:
        """Servers with their slots, which meet when livechat is started."""
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
    """Return what starts a master of a cluster there."""
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
    """Have the servers become a cluster."""
    nodes = [f"127.0.0.1:{place.redis_port + number}" for number in range(masters)]
    command = ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def installed(name: str) -> str | None:
    """The version of a package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


SENDING = Sending("/chat/send/", '{"room":"room{r}","message":"%M"}')
#: The command of the livechat that is here.
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
    title="the same, and a receiver outside is told of each message",
    sending=SENDING,
    program=TWISTD,
    scenarios=("rooms", "http"),
)
UNSTORED = Livechat(
    name="unstored",
    title="livechat with rooms that are stored nowhere, like the others'",
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
#: Livechat as it is shipped, with its native part and without.
SERVED: tuple[Livechat, ...] = (LIVECHAT, PURE)


def before(checkout: Path) -> Livechat:
    """
    The livechat of another working copy, to see what a change costs.

    @raise ValueError: it is not set up there; ``make run`` does that.
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
