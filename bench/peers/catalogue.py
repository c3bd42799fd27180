"""The other servers: their needs, their versions, their commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import ClassVar

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = ROOT / ".bench" / "venv" / "bin" / "python"
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


@dataclass(frozen=True)
class Place:
    """A server's port on 127.0.0.1, its certificate, and its directory."""

    port: int
    certificate: Path
    key: Path
    directory: Path  # its own, until it ends

    @property
    def redis(self) -> Path:
        """The socket of Redis."""
        return self.directory / "redis"

    @property
    def redis_port(self) -> int:
        """The port of Redis, for clients without Unix sockets."""
        # Below the ports that the kernel gives to clients, some of which may still be in use.
        return 20_000 + self.port % 10_000

    @property
    def arguments(self) -> list[str]:
        """The options of all servers but nginx."""
        certificate, key = str(self.certificate), str(self.key)
        return ["--port", str(self.port), "--certificate", certificate, "--key", key]


@dataclass(frozen=True)
class Sending:
    """A request that sends a message: ``{r}`` is a room's number, ``%M`` the message."""

    path: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Peer(ABC):
    """A server that livechat is compared with."""

    name: str
    title: str
    sending: Sending | None = None
    clustered: bool = False  # several processes; they have scenarios of their own
    like: str = ""  # the name of another server whose scenarios it shares
    column: str = ""  # the head of its column, if other than its name
    known_as: str = ""  # its name in the overview, if other than that
    scenarios: tuple[str, ...] = ()  # names of its only scenarios, if any

    path: ClassVar = "/ws/chat/room{r}/"  # of its WebSockets

    @property
    def heading(self) -> str:
        return self.column or self.name

    @abstractmethod
    def versions(self) -> dict[str, str | None]:
        """Return the versions of its parts; None for a part that is not installed."""

    @abstractmethod
    def command(self, place: Place) -> list[str]:
        """Return the command that starts it, in the repository's root."""

    def environment(self, place: Place) -> dict[str, str]:
        """Return its additional environment variables."""
        return {}

    def first(self, place: Place) -> dict[Path, list[str]]:
        """Return the commands to run before it, by files that exist once they are ready."""
        return {}

    def ready(self, log: str) -> bool:
        """Return true if its log shows it ready. It accepts connections already."""
        return True

    def missing(self) -> str:
        """Return the reason why it cannot be started; empty if it can."""
        names = [name for name, version in self.versions().items() if version is None]
        return f"{', '.join(names)} not installed" if names else ""


@dataclass(frozen=True, kw_only=True)
class OnPython(Peer):
    """A server in a module of this package, run by the peers' own Python."""

    module: str
    packages: tuple[str, ...]
    redis: bool = False

    def versions(self) -> dict[str, str | None]:
        libraries = [str(path) for path in PYTHON.parents[1].glob("lib/python*/site-packages")]
        found = {normal(item.name): item.version for item in distributions(path=libraries)}
        versions = {name: found.get(normal(name)) for name in self.packages}
        if self.redis:
            versions["redis-server"] = redis_version()
        return versions

    def command(self, place: Place) -> list[str]:
        return [str(PYTHON), "-m", f"{__package__}.{self.module}", *place.arguments]

    def environment(self, place: Place) -> dict[str, str]:
        return {"REDIS_URL": f"unix://{place.redis}"} if self.redis else {}

    def first(self, place: Place) -> dict[Path, list[str]]:
        if not self.redis:
            return {}
        return {place.redis: redis_server(place, "--appendonly", "no")}


@dataclass(frozen=True, kw_only=True)
class OnNode(Peer):
    """A server in a script of this directory, run by Node.js."""

    script: str
    packages: tuple[str, ...]

    def versions(self) -> dict[str, str | None]:
        versions: dict[str, str | None] = {}
        for name in self.packages:
            file = HERE / "node_modules" / name / "package.json"
            versions[name] = json.loads(file.read_text())["version"] if file.exists() else None
        return {**versions, "node": said(r"v(\S+)", "node", "--version")}

    def command(self, place: Place) -> list[str]:
        return [program("node") or "", str(HERE / self.script), *place.arguments]


@dataclass(frozen=True, kw_only=True)
class OnNginx(Peer):
    """nginx with Nchan."""

    redis: bool = False

    def first(self, place: Place) -> dict[Path, list[str]]:
        if not self.redis:
            return {}
        there = ("--appendonly", "no", "--bind", "127.0.0.1", "--port", str(place.redis_port))
        return {place.redis: redis_server(place, *there)}

    def versions(self) -> dict[str, str | None]:
        nchan = None
        if NCHAN.exists():  # nginx does not know its version
            nchan = said(r"(\d.*)", "dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
            nchan = nchan or "of unknown version"
        versions = {"nchan": nchan, "nginx": said(r"nginx/(\S+)", "nginx", "-v")}
        return {**versions, "redis-server": redis_version()} if self.redis else versions

    def command(self, place: Place) -> list[str]:
        text = (HERE / "nchan.conf").read_text()
        for name, value in {
            "WORKERS": 2 if self.redis else 1,
            "UPSTREAM": f"upstream redis {{ nchan_redis_server 127.0.0.1:{place.redis_port}; }}"
            if self.redis
            else "",
            "PASS": "nchan_redis_pass redis;" if self.redis else "",
            "MODULE": NCHAN,
            "DIRECTORY": place.directory,
            "PORT": place.port,
            "CERTIFICATE": place.certificate,
            "KEY": place.key,
        }.items():
            text = text.replace(f"@{name}@", str(value))
        file = place.directory / "nginx.conf"
        file.write_text(text)
        # -e: for errors before the configuration is read, too.
        return [program("nginx") or "", "-e", "stderr", "-c", str(file)]


def redis_server(place: Place, *options: str) -> list[str]:
    """Return the command that starts a Redis."""
    given = {
        "port": "0",
        "unixsocket": str(place.redis),
        "dir": str(place.directory),
        "save": "",
        "logfile": "",
        "loglevel": "warning",
    }
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return [program("redis-server") or "", *words, *options]


def redis_version() -> str | None:
    return said(r" v=(\S+)", "redis-server", "--version")


def normal(name: str) -> str:
    """Return a package's normalised name."""
    return name.lower().replace("_", "-")


def program(name: str) -> str | None:
    """Find a program, also in /usr/sbin, where Debian has servers."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def said(pattern: str, name: str, *arguments: str) -> str | None:
    """Run a program; return the part of its output that the pattern's group matches."""
    if (path := program(name)) is None:
        return None
    run = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    match = re.search(pattern, run.stdout + run.stderr)
    return match[1] if match else None


PEERS: tuple[Peer, ...] = (
    OnPython(
        name="channels",
        title="Django Channels, daphne and Redis",
        known_as="Django Channels",
        sending=Sending("/chat/send/", '{"room":"room{r}","message":"%M"}'),
        module="channels_chat",
        packages=("channels", "channels-redis", "daphne", "django", "redis", "twisted"),
        redis=True,
    ),
    OnPython(
        name="autobahn",
        title="Autobahn, a sendMessage loop, Twisted's TLS",
        known_as="Autobahn",
        module="autobahn_naive",
        packages=("autobahn", "twisted", "pyopenssl"),
    ),
    OnPython(
        name="websockets",
        title="websockets, uvloop",
        known_as="websockets (Python)",
        module="websockets_broadcast",
        packages=("websockets", "uvloop"),
    ),
    OnNode(
        name="ws",
        title="node ws",
        known_as="ws (Node.js)",
        script="ws.mjs",
        packages=("ws",),
    ),
    OnPython(
        name="picows",
        title="picows (Cython), uvloop",
        known_as="picows (Cython)",
        module="picows_rooms",
        packages=("picows", "uvloop", "aiofastnet"),
    ),
    OnNginx(
        name="nchan",
        title="Nchan (nginx module, C)",
        known_as="Nchan (nginx)",
        sending=Sending("/chat/send/room{r}/", '{"message":"%M"}'),
    ),
    OnNginx(
        name="nchan-redis",
        title="the same, two workers and a Redis",
        clustered=True,
        redis=True,
    ),
    OnPython(
        name="uwebsockets",
        title="uWebSockets (C++), socketify",
        known_as="uWebSockets (C++)",
        module="socketify_topics",
        packages=("socketify",),
    ),
)
