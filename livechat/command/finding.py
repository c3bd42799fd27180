"""
The server's address, the key to ask it with, and the certificate to know it by.

Without ``--server`` it is the one that runs on the state directory: the file `whereabouts.FILE`
there says where, and which certificate it has.  A server elsewhere must have a certificate
that the system trusts, and is never sent the local key.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from livechat.command.output import CommandError
from livechat.identity.local_key import FILE as LOCAL_KEY
from livechat.identity.local_key import read_local_key
from livechat.net import whereabouts
from livechat.net.whereabouts import Whereabouts
from livechat.option_values import path_prefix

#: The daemon's own defaults.
USUAL_STATE: Final = "state"
USUAL_PORT: Final = 10443


class NoCommandsError(CommandError):
    """The server of this state directory takes no commands."""


class Server(Struct, frozen=True):
    """
    A server that can be asked.

    @ivar host: a name or an IP address, without brackets.
    @ivar fingerprint: of its certificate; None: the system decides whether to trust that.
    @ivar key: authorizes requests; None if there is none.
    @ivar prefix: the path below which everything is.
    @ivar file: the path of a socket file, in place of a host and a port.
    @ivar is_plain: it is asked without TLS, as proxies do.
    @ivar user: the id of the user that it runs as.
    """

    host: str
    port: int
    fingerprint: str | None = None
    key: str | None = None
    prefix: str = ""
    file: str = ""
    is_plain: bool = False
    user: int = 0

    @property
    def url(self) -> str:
        if self.file:
            return f"unix:{self.file}"
        return f"{'http' if self.is_plain else 'https'}://{self.address}{self.prefix}/"

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def state_directory(given: str | None, environment: Mapping[str, str]) -> Path:
    """The state directory that the daemon would use."""
    return Path(given or environment.get("LIVECHAT_STATE") or USUAL_STATE)


def find(
    server: str | None, state: str | None, environment: Mapping[str, str], *, keyed: bool = True
) -> Server:
    """
    Find the server.

    @param server: a URL.
    @param state: a directory.
    @param keyed: whether a key is needed.
    @raise CommandError: it cannot be found, or its key cannot be used.
    """
    directory = state_directory(state, environment)
    known = _known(directory)
    if server is not None:
        host, port, prefix = _parsed(server)
        if known is None or known.is_plain or not _is_here(host) or port != known.port:
            return Server(host, port, None, _key(None, environment) if keyed else None, prefix)
        known = replace(known, host=_address_of(host, known), prefix=prefix or known.prefix)
    if known is None:
        raise CommandError(
            f"no livechat has run with the state directory {directory}: it has no"
            f" {whereabouts.FILE}; give --state DIR or --server URL"
        )
    if keyed and known.is_plain and not known.file:
        # While livechat is down, any process that takes the port would be sent the key.
        raise NoCommandsError(
            "this livechat listens for proxies at a port only (--listen): for commands add"
            " --listen tls:127.0.0.1:10443 or a socket file, or give --server and LIVECHAT_KEY to"
            " ask through the proxy"
        )
    port = known.port if known.is_plain else _port(environment, known)
    key = _key(directory, environment) if keyed else None
    user = (directory / whereabouts.FILE).stat().st_uid
    return Server(
        known.host, port, known.fingerprint, key, known.prefix, known.file, known.is_plain, user
    )


def _known(directory: Path) -> Whereabouts | None:
    path = directory / whereabouts.FILE
    try:
        return whereabouts.read(directory)
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise CommandError(f"{path} cannot be read: {reason.strerror}") from None
    except ValueError:
        raise CommandError(f"{path} is damaged; restart livechat, which writes it") from None


def _port(environment: Mapping[str, str], known: Whereabouts) -> int:
    """Find the port: the daemon's variable counts, unless it lets the daemon choose."""
    text = environment.get("LIVECHAT_PORT", "")
    if not text.isascii() or not text.isdigit():
        if text:
            raise CommandError(f"LIVECHAT_PORT: {text!r} is no port")
        return known.port
    return int(text) or known.port


def _parsed(server: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(server)
        host, port, prefix = parts.hostname, parts.port, path_prefix(parts.path)
    except ValueError:
        host, port, prefix, parts = None, None, "", urlsplit("")
    more = parts.query or parts.fragment or parts.username
    if parts.scheme != "https" or not host or more:
        raise CommandError(f"--server: {server!r} is no address such as https://chat.example:10443")
    return host, 443 if port is None else port, prefix


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address_of(host: str, known: Whereabouts) -> str:
    return known.host if host == "localhost" else host


def _key(directory: Path | None, environment: Mapping[str, str]) -> str:
    """
    @param directory: the state directory, if its key may be sent there.
    """
    given = environment.get("LIVECHAT_KEY")
    if given:
        if not given.isascii() or not given.isprintable() or " " in given:
            raise CommandError("LIVECHAT_KEY: this is no key")
        return given
    if directory is None:
        raise CommandError("LIVECHAT_KEY is needed: the local key is for this machine only")
    path = directory / LOCAL_KEY
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CommandError(
                f"{path} can be used by others (mode {mode:04o}), so it is not: remove it, and"
                " restart livechat, which makes another one"
            )
        return read_local_key(directory)
    except FileNotFoundError:
        raise CommandError(
            f"{path} is missing: livechat makes it at its start; or set LIVECHAT_KEY"
        ) from None
    except OSError as reason:
        raise CommandError(
            f"{path} cannot be read: {reason.strerror}; run this as livechat's user,"
            " or set LIVECHAT_KEY"
        ) from None
    except ValueError as reason:
        raise CommandError(f"{path} cannot be used: {reason}") from None
