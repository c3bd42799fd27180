"""
The address of a Redis, as its URL says it:

    redis://[user:password@]host[:port][/database]           rediss:// for TLS
    unix://[user:password@]/path[?db=database]
    redis+sentinel://[user:password@]host[:port],.../service[/database][?sentinel=user:password]
                                                    rediss+sentinel:// for TLS, Sentinels too
    redis+cluster://[user:password@]host[:port],...
                                                    rediss+cluster:// for TLS

User, password and service are percent-encoded where they hold other signs than letters
and digits.  A password alone is ``redis://:password@host``.  Sentinels have users of their own:
without ``?sentinel=`` they are asked without a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_SCHEMES: Final = (
    "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster",
    "rediss+cluster",
)  # fmt: skip


@dataclass(frozen=True)
class Login:
    """Credentials for a Redis; anonymous without a password."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Address:
    """
    A Redis, or those who know where it is.

    @ivar name: the URL without its secrets, for people.
    @ivar hosts: hosts and ports: one, those of Sentinel, or some nodes of a cluster; none with a
        `path`.
    @ivar path: of a Unix socket.
    @ivar service: what Sentinel calls the Redis.
    @ivar sentinel: how to sign in to Sentinel.
    @ivar cluster: it is a cluster, to which `hosts` lead.
    """

    name: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int | None = None
    sentinel: Login = Login()
    cluster: bool = False


def parse(url: str) -> Address:
    """
    @raise ValueError: it is not such a URL; the text goes on after it.
    """
    parts = _split(url)
    if parts.scheme not in _SCHEMES or parts.fragment:
        raise _wrong()
    secrets, at, places = parts.netloc.rpartition("@")
    login = _login(secrets) if at else Login()
    name = f"{parts.scheme}://{places}{parts.path}"
    kind, _, asks = parts.scheme.partition("+")
    readers = {"unix": _unix, "sentinel": _sentinel, "cluster": _cluster}
    read = readers.get(asks or kind, _plain)
    hosts, path, service, database = read(parts, places)
    return Address(
        name=name if database is None or parts.scheme != "unix" else f"{name}?db={database}",
        hosts=hosts,
        path=path,
        service=service,
        tls=kind == "rediss",
        user=login.user,
        password=login.password,
        database=database,
        sentinel=_login(parts.query.partition("=")[2]) if service and parts.query else Login(),
        cluster=asks == "cluster",
    )


def _split(url: str) -> SplitResult:
    """Split *url* whose authority may be several hosts, of which `urlsplit` takes no [address]."""
    scheme, mark, rest = url.partition("://")
    places = re.split("[/?#]", rest, maxsplit=1)[0] if mark else ""
    try:
        return urlsplit(f"{scheme}{mark}{rest.removeprefix(places)}")._replace(netloc=places)
    except ValueError:
        raise _wrong() from None


def _login(text: str) -> Login:
    user, _, password = text.partition(":")
    if not password:
        raise ValueError("names a user without a password")
    return Login(unquote(user) or None, unquote(password))


_Read = tuple[tuple[tuple[str, int], ...], str, str, int | None]


def _plain(parts: SplitResult, places: str) -> _Read:
    if parts.query:
        raise _wrong()
    return (_host(places, _PORT),), "", "", _database(parts.path.strip("/"))


def _unix(parts: SplitResult, places: str) -> _Read:
    query = parse_qs(parts.query, keep_blank_values=True)
    if places or len(parts.path) < 2 or query.keys() - {"db"} or len(query.get("db", ())) > 1:
        raise _wrong()
    return (), unquote(parts.path), "", _database(query.get("db", [""])[0])


def _sentinel(parts: SplitResult, places: str) -> _Read:
    service, _, database = parts.path.strip("/").partition("/")
    if not service or (parts.query and not parts.query.startswith("sentinel=")):
        raise _wrong()
    hosts = tuple(_host(place, _SENTINEL_PORT) for place in places.split(","))
    return hosts, "", unquote(service), _database(database)


def _cluster(parts: SplitResult, places: str) -> _Read:
    if parts.path.strip("/") or parts.query:
        raise ValueError("must name no database: a cluster has one")
    return tuple(_host(place, _PORT) for place in places.split(",")), "", "", None


def _host(place: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        found = parts.port if parts.port is not None else port
    except ValueError:
        raise _wrong() from None
    if not parts.hostname or found == 0 or parts.netloc != place or "," in place:
        raise _wrong()
    return parts.hostname, found


def _database(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise ValueError("has no number where the database's is to be")
    return int(text)


def _wrong() -> ValueError:
    return ValueError(
        "must be redis://host:port/database, rediss://..., unix:///path, "
        "redis+sentinel://host1,host2/service or redis+cluster://host1,host2"
    )
