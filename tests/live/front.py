"""Proxies in front of a daemon: nginx, HAProxy and Caddy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection
from typing import Final, Self

from tests.live.daemon import PATIENCE, ROOT, Daemon, Member, Output, eventually, tool, trusting
from tests.support.ports import free_port

#: The name in the files of deploy/.
NAME: Final = "chat.example.org"
NGINX: Final = """
events {}
http {
    server {
        listen 443 ssl;
        ssl_certificate     /etc/fullchain.pem;
        ssl_certificate_key /etc/privkey.pem;
        location / { proxy_pass https://127.0.0.1:10443; }
    }
}
"""
CADDY: Final = f"""
{NAME} {{
	#tls certificate key
	reverse_proxy https://127.0.0.1:10443 {{
		%s
		transport http {{
			tls_insecure_skip_verify
		}}
	}}
}}
"""
#: The file on which the tests' daemons listen for proxies, in their directories.
SOCKET: Final = "http.sock"
#: Proxies with their files: those of deploy/, and the least that works.
FRONTS: Final = {
    "deploy/nginx.conf": ("nginx", (ROOT / "deploy" / "nginx.conf").read_text()),
    "nginx's bare proxy_pass": ("nginx", NGINX),
    "deploy/Caddyfile": ("caddy", (ROOT / "deploy" / "Caddyfile").read_text()),
    "Caddy's default": ("caddy", CADDY % ""),
    # As newer versions do by themselves.
    "Caddy with the upstream's Host": ("caddy", CADDY % "header_up Host {upstream_hostport}"),
}


class Front:
    """
    A proxy for a daemon, on a free port, with a certificate for no name of its own.

    @ivar number: its place among `FRONTS`.
    @ivar bare: whether it says nothing of whom it asks for, and passes no WebSockets on.
    @ivar log: its access log, if it has one.
    """

    def __init__(
        self,
        kind: str,
        daemon: Daemon,
        directory: Path,
        fronts: Mapping[str, tuple[str, str]] = FRONTS,
    ) -> None:
        """
        @param fronts: proxies with their files, which name livechat's port, or its socket file,
            as those of deploy/ do.
        """
        program, text = fronts[kind]
        self.kind, self.number = kind, list(fronts).index(kind)
        self.directory = directory
        self.bare = text is NGINX
        self.port, self.plain_port = free_port(), free_port()
        self.log = directory / "access.log"
        directory.mkdir()
        chain, key = (daemon.directory / "certs" / f"livechat.{end}" for end in ("crt", "key"))
        text = text.replace("127.0.0.1:10443", f"127.0.0.1:{daemon.port}")
        text = text.replace("/run/livechat/http.sock", str(daemon.directory / SOCKET))
        adapt = {"nginx": self._nginx, "haproxy": self._haproxy, "caddy": self._caddy}[program]
        command, text = adapt(text, directory, chain, key)
        (directory / "config").write_text(text)
        with (directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, "HOME": str(directory)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(lambda: self._listens(directory / "output"))
        except BaseException:
            self.stop()
            raise

    def _nginx(self, text: str, directory: Path, chain: Path, key: Path) -> tuple[list[str], str]:
        """Put the test's port, certificate and directory into nginx's configuration."""
        text = re.sub(r"listen \[::\].*\n", "", text)
        text = text.replace("listen 443", f"listen 127.0.0.1:{self.port}")
        text = text.replace("listen 80", f"listen 127.0.0.1:{self.plain_port}")
        text = re.sub(r"/etc/.*fullchain\.pem", str(chain), text)
        text = re.sub(r"/etc/.*privkey\.pem", str(key), text)
        text = text.replace("/var/log/nginx", str(directory))
        written = "".join(
            f"    {each}_temp_path {directory}/{each};\n"
            for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        if self.bare:
            written += f"    access_log {self.log};\n"
        text = text.replace("http {\n", f"http {{\n{written}", 1)
        # As root, its workers would be somebody who may not enter a test's directory.
        user = "user root;" if os.geteuid() == 0 else ""
        globals_ = f"daemon off; pid {directory}/pid; {user}"
        errors = str(directory / "errors")
        config = str(directory / "config")
        return [
            found("nginx"),
            "-p",
            str(directory),
            "-e",
            errors,
            "-c",
            config,
            "-g",
            globals_,
        ], text

    def _caddy(self, text: str, directory: Path, chain: Path, key: Path) -> tuple[list[str], str]:
        text = re.sub("#tls .*", f"tls {chain} {key}", text)
        text = text.replace(f"\n{NAME} {{", f"\n{NAME}:{self.port} {{")
        text = text.replace("/var/log/caddy/livechat.log", str(self.log))
        settings = (
            f"{{\n\tadmin off\n\tauto_https disable_redirects\n\thttp_port {self.plain_port}\n}}\n"
        )
        config = str(directory / "config")
        return [
            found("caddy"),
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            config,
        ], settings + text

    def _haproxy(self, text: str, directory: Path, chain: Path, key: Path) -> tuple[list[str], str]:
        pem, config = directory / "both.pem", directory / "config"
        pem.write_text(chain.read_text() + key.read_text())
        pem.chmod(0o600)
        text = re.sub(r"/etc/haproxy/.*\.pem", str(pem), text)
        text = text.replace("bind :443", f"bind 127.0.0.1:{self.port}")
        text = text.replace("bind :80", f"bind 127.0.0.1:{self.plain_port}")
        # No log of the machine, and no other user, who could not read this.
        text = re.sub(r"    (log /dev/log|user|group) .*\n", "", text)
        # As many files as a test may have.
        text = text.replace("maxconn 16384", "maxconn 500")
        text = text.replace("global\n", "global\n    log stdout format raw local0\n", 1)
        self.log = directory / "output"
        return [found("haproxy"), "-db", "-f", str(config)], text

    def _listens(self, output: Path) -> bool:
        assert self._process.poll() is None, output.read_text()
        try:
            create_connection(("127.0.0.1", self.port), PATIENCE).close()
        except ConnectionRefusedError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def address(self, number: int) -> str:
        """An address of a client, which is no other proxy's client's."""
        return f"127.1.{self.number}.{number}"

    def curl(self, address: str, path: str, *options: str) -> str:
        """Run curl from *address*; returns its output."""
        return tool(*self._curl(address, path, *options))

    @contextmanager
    def stream(self, address: str, path: str, *options: str) -> Iterator[Output]:
        """Run curl; yields its output as it comes."""
        process = subprocess.Popen(
            self._curl(address, path, "-N", *options), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        output = Output(process.stdout.fileno())
        try:
            yield output
        finally:
            process.kill()
            process.wait(PATIENCE)
            output.close()
            process.stdout.close()

    def _curl(self, address: str, path: str, *options: str) -> list[str]:
        plain = path.startswith("http:")
        port = self.plain_port if plain else self.port
        return [
            "curl", "-sSk", "--max-time", "20", "--interface", address,
            "--connect-to", f"::127.0.0.1:{port}", *options, path if plain else self.url + path,
        ]  # fmt: skip

    def socket(self, address: str, path: str, origin: str) -> Member:
        """A WebSocket of a page of *origin*."""
        return Member(
            f"wss://{NAME}:{self.port}{path}",
            origin=origin,
            host="127.0.0.1",
            port=self.port,
            local_addr=(address, 0),
            ssl=trusting(),
        )


def by_file(daemon: Daemon, url: str, *options: str) -> list[str]:
    """Return curl's command line for *url* at the daemon's socket file."""
    file = str(daemon.directory / SOCKET)
    return ["curl", "-sS", "--max-time", "20", "--unix-socket", file, *options, url]


def found(program: str) -> str:
    # Debian has nginx where only root looks.
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, f"{program} is missing: run {ROOT}/tests/clients/install"
    return path
