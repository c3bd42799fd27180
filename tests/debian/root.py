"""Debians in folders: what runs there sees nothing else of this machine but its network."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.live.daemon import ROOT, Daemon, Output
from tests.live.forking import run

#: The first one stays there, and the others are copies of it.
PLACE: Final = ROOT / ".debian"
SUITE: Final = "bookworm"
MIRROR: Final = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds that a step of an installation may take.
PATIENCE: Final = 900
#: Seconds for a start: the first one reads from the disk what an installation has just written.
START: Final = 120
#: Authorities that this machine's pip trusts.
_AUTHORITIES: Final = (
    os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile or
    "/etc/ssl/certs/ca-certificates.crt"
)  # fmt: skip


class Root:
    """
    A Debian in a folder.

    @ivar path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def fresh(cls, name: str) -> Root:
        """Make a Debian as its installer leaves it."""
        first = PLACE / SUITE
        if not first.exists():
            draft = PLACE / "draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            made = ["debootstrap", "--variant=minbase", SUITE, str(draft), MIRROR]
            subprocess.run(made, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
            draft.rename(first)
        # In memory, where there is room: an installation writes tens of thousands of files.
        path = Path(mkdtemp(prefix=f"debian-{name}-"))
        subprocess.run(["cp", "-a", f"{first}/.", path], check=True)
        shutil.copy("/etc/resolv.conf", path / "etc" / "resolv.conf")
        shutil.copy(_AUTHORITIES, path / "etc" / "authorities.pem")
        return cls(path)

    def remove(self) -> None:
        shutil.rmtree(self.path)

    def command(
        self,
        words: Sequence[str],
        user: str = "root",
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Make the command line that runs a command in this Debian."""
        given = {"PATH": SYSTEM_PATH, **(environment or {})}
        return [
            "unshare", "--mount", "--pid", "--fork", "--kill-child",
            str(ROOT / "tests" / "debian" / "enter"), str(self.path), user, folder,
            *(f"{name}={value}" for name, value in given.items()), *words,
        ]  # fmt: skip

    def run(
        self,
        *words: str,
        user: str = "root",
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
        volume: Path | None = None,
        code: int = 0,
    ) -> str:
        """
        Run a command to its end; returns what it says.

        @param volume: makes it a container's.
        @param code: how it must end.
        """
        ran = subprocess.run(
            self.command(words, user, folder, environment),
            env={**os.environ, **({"VOLUME": str(volume)} if volume else {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stdout
        return ran.stdout

    def install(self, *words: str) -> str:
        """Run a step of an installation, for which packages may be fetched."""
        environment = {"PIP_CERT": "/etc/authorities.pem", "DEBIAN_FRONTEND": "noninteractive"}
        return self.run(*words, environment=environment)


class Enclosed(Daemon):
    """A daemon in a `Root`: it is the first process there."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        """
        @param command: as `Root.command` makes it.
        @param environment: for `enter`.
        """
        self.directory = ROOT
        self._terminated = False
        reading, output = os.pipe()
        self._output = FileIO(reading)
        self.process = run(command, ROOT, {**os.environ, **environment}, output)
        os.close(output)
        self.log = Output(self._output.fileno())
        try:
            self.port = int(self.log.wait_for(r"https://[^ /]+:(\d+)/", within=START)[1])
            self.log.wait_for("livechat.+ is ready", within=START)
        except BaseException:
            self.kill()
            raise

    def terminate(self) -> None:
        if not self._terminated and self.process.poll() is None:
            self._terminated = True
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._gone()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the daemon, whose parent is the process that was started."""
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), number)
