"""
Every option, once: its name, its default, what it may be and what it is for.

A field of `Config` is an option ``--like-this`` and an environment variable
``LIVECHAT_LIKE_THIS``; the option wins over the variable, the variable over
the default.  A secret is a variable only: everybody on the machine can read
its command lines.  Paths are relative to the daemon's working directory, which is
twistd's ``--rundir`` if that is given.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from twisted.python import usage

from livechat.errors import ChatError, StartError
from livechat.protocol.names import room_name
from livechat.protocol.origins import is_host, origin

#: In a worker's environment: its number, from 1.  It is not to be mistaken for an option.
WORKER: Final = "_LIVECHAT_WORKER_NUMBER"
#: Where an access log may go besides a file: the daemon's own log.
STANDARD_LOG: Final = Path("-")
_SHORTEST_TOKEN: Final = 16
#: Seconds by the letter that a duration may end in.
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,15}", text) is None or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def _rate(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) is None:
        raise ValueError("must be a number, such as 20 or 0.5; 0 is no limit")
    return float(text)


def _duration(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if found is None:
        raise ValueError("must be a time, such as 90s, 15m, 12h or 30d; 0 is no limit")
    return int(found[1]) * _UNITS[found[2] or "s"]


def _lifetime(text: str) -> int:
    with suppress(ValueError):
        if _duration(text) >= 60:
            return _duration(text)
    raise ValueError("must be a time of at least a minute, such as 30m or 12h")


def _address(text: str) -> str:
    if text == "loopback":
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(
            "must be an IP address, such as 0.0.0.0 or ::, or the word loopback"
        ) from None


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def _metrics(text: str) -> str:
    if text not in ("loopback", "open", "off"):
        raise ValueError("must be loopback, open or off")
    return text


def _token(text: str) -> str:
    if len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable():
        raise ValueError(f"must have at least {_SHORTEST_TOKEN} printable characters of ASCII")
    return text


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "must be an address, or a network such as 10.0.0.0/8 or fd00::/8"
        ) from None


def _host(text: str) -> str:
    # Which port it is makes no difference, and one that was given would never be met.
    if text != "*" and (":" in text or not is_host(text.removeprefix("*."))):
        raise ValueError("must be a name, such as chat.example.org or *.example.org, or *")
    return text


def _prefix(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text) is None:
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 _ -")
    return text


def _mount(text: str) -> tuple[str, str]:
    path, equals, name = text.partition("=")
    if not path.startswith("/") or not equals or not name:
        raise ValueError("must be a path and a dotted name, such as /docs=acme.docs.resource")
    return path, name


def _room(text: str) -> str:
    try:
        return room_name(text)
    except ChatError as error:
        raise ValueError(f"is not a valid room name: {error.detail}") from None


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("must be a path")
    return Path(text)


def _dotted(text: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")):
        raise ValueError("must be a dotted name, such as package.module.Extension")
    return text


def _url(text: str) -> str:
    if re.match(r"[a-z][a-z0-9+.-]*:", text) is None:
        raise ValueError("must be a URL of a kind that an extension brings, such as memory:")
    return text


def _log_path(text: str) -> Path:
    return STANDARD_LOG if text == "-" else _path(text)


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """All different *values*, in the order given."""
    return tuple(dict.fromkeys(values))


def _option(
    default: str | None,
    parse: Callable[[str], Any],
    doc: str,
    *,
    many: Callable[[Iterable[Any]], Any] | None = None,
    secret: bool = False,
    private: bool = False,
    also: str | None = None,
) -> Any:
    """
    @param many: makes the option's value of all that were given; it may be repeated.
    @param secret: it is never on a command line.
    @param private: there may be a secret in it, so it is never shown.
    @param also: the name of another variable, which others know too.
    """
    metadata = {
        "default": default,
        "parse": parse,
        "doc": doc,
        "many": many,
        "secret": secret,
        "private": private or secret,
        "also": also,
    }
    return field(metadata=metadata, repr=not metadata["private"])


@dataclass(frozen=True)
class Config:
    """
    What the operator asked for, checked; paths are absolute.

    @ivar directory: the daemon's working directory, which is twistd's affair.
    @ivar worker: the number of this process, from 1, if it is one of several; or 0.
    """

    directory: Path
    worker: int
    port: int = _option("10443", _integer(0, 65535), "The TLS port; 0 takes a free one.")
    interface: str = _option(
        "loopback",
        _address,
        "The address to listen on: 0.0.0.0 for all of IPv4, :: for all, "
        "loopback for 127.0.0.1 and ::1.",
    )
    certificate: Path | None = _option(
        None,
        _path,
        "PEM file with the certificate and its chain. "
        "Without it certs/livechat.crt is used, and made if it is missing.",
    )
    private_key: Path | None = _option(
        None,
        _path,
        "PEM file with the certificate's private key. Without it: the file of --certificate.",
    )
    state: Path = _option(
        "state", _path, "The directory of the database, and of what operators need to sign in."
    )
    redis: tuple[str, ...] = _option(
        "",
        lambda text: tuple(text.split()),
        "URL of the Redis that rooms are kept in, for more than one process; several, separated by "
        "blanks, share the rooms. Without one, rooms are in --state, of this process alone.",
        private=True,
        also="REDIS_URL",
    )
    redis_ca: Path | None = _option(
        None,
        _path,
        "PEM file with the certificates that may vouch for a rediss:// server. "
        "Without it: those that the system trusts.",
    )
    redis_prefix: str = _option(
        "lc",
        _prefix,
        "What the names of all keys and channels in Redis begin with: 1 to 32 of A-Z a-z 0-9 _ -. "
        "Installations that share a Redis have different ones, or different databases.",
    )
    backend: str | None = _option(
        None,
        _url,
        "URL of the place that rooms are kept in, of a kind that an extension brings, such as "
        "memory:. Without one: --redis, or --state.",
        private=True,
    )
    extension: tuple[str, ...] = _option(
        None,
        _dotted,
        "Dotted name of an extension to load, besides those that are installed as plugins; may be "
        "repeated (in the environment: separated by blanks).",
        many=_distinct,
    )
    workers: int = _option(
        "1",
        _integer(1, 256),
        "Processes that share the port, on this machine; more than one need --redis.",
    )
    mount: tuple[tuple[str, str], ...] = _option(
        None,
        _mount,
        "A path and the dotted name of a web resource (an IResource, or a function that makes one) "
        "that is beside the chat, such as /docs=acme.docs.resource; may be repeated (in the "
        "environment: separated by blanks).",
        many=_distinct,
    )
    default_room: str = _option("lobby", _room, "The room of HTTP requests that name none.")
    history_limit: int = _option(
        "1000", _integer(0, 10**12), "Messages kept in each room; 0 is no limit."
    )
    history_age: int = _option(
        "30d", _duration, "Age at which messages expire (s, m, h, d); 0 is no limit."
    )
    max_message: int = _option(
        "16384", _integer(1, 1 << 20), "Most bytes of UTF-8 in a message, up to 1048576."
    )
    origin: frozenset[str] = _option(
        None,
        origin,
        "An origin whose pages may use this server, besides its own; may be repeated "
        "(in the environment: separated by blanks).",
        many=frozenset,
    )
    host: frozenset[str] = _option(
        None,
        _host,
        "A name by which clients may ask for this server, besides its certificate's, addresses and "
        "localhost; * for any, may be repeated (in the environment: separated by blanks).",
        many=frozenset,
    )
    trust_proxy: frozenset[IPv4Network | IPv6Network] = _option(
        None,
        _network,
        "An address or network of proxies, whose X-Forwarded-For, -Host and -Proto, or Forwarded, "
        "are believed; may be repeated (in the environment: separated by blanks).",
        many=frozenset,
    )
    proxy_protocol: bool = _option(
        "off",
        _switch,
        "Whether connections of --trust-proxy begin with a header of the PROXY protocol (on, off).",
    )
    rate: float = _option(
        "20", _rate, "Messages per second per connection, with bursts of twice that; 0: no limit."
    )
    rate_per_ip: float = _option(
        "200", _rate, "Messages per second per address, with bursts of twice that; 0: no limit."
    )
    max_connections: int = _option(
        "10000", _integer(0, 10**7), "Connections in all; 0 is no limit."
    )
    max_connections_per_ip: int = _option(
        "200", _integer(0, 10**7), "Connections of one address; 0 is no limit."
    )
    max_unsent: int = _option(
        "1048576",
        _integer(1, 1 << 30),
        "Bytes that may wait for a member that does not read: over it, it is closed.",
    )
    admin_password: str | None = _option(
        None, str, "The password of the admin page; only in the environment.", secret=True
    )
    admin_password_file: Path | None = _option(
        None,
        _path,
        "File with the admin page's password, or with its argon2id hash. "
        "Without it, admin-password in the state directory, which is made if it is missing.",
    )
    admin_session: int = _option(
        "12h", _lifetime, "Time after which an operator has to sign in again (s, m, h, d)."
    )
    metrics: Literal["loopback", "open", "off"] = _option(
        "loopback",
        _metrics,
        "Who may read /metrics: loopback (this machine, or who has the token), open (all), off.",
    )
    metrics_token: str | None = _option(
        None,
        _token,
        "A token of at least 16 characters with which /metrics may be read from anywhere, as "
        "Authorization: Bearer; only in the environment.",
        secret=True,
    )
    access_log: Path | None = _option(
        None, _log_path, "File to which a line is added for each HTTP request; - is the log itself."
    )

    @classmethod
    def of(
        cls, given: Mapping[str, Any], environment: Mapping[str, str], directory: Path
    ) -> Config:
        """
        @param given: option names (``max-message``) and their values, as text;
            a list of texts for a repeatable one.
        @param directory: the daemon's working directory.
        @raise StartError: a value is not allowed; the text says which and why.
        """
        values: dict[str, Any] = {"directory": directory}
        values["worker"] = int(environment.get(WORKER, 0))
        for option in options():
            values[option.name] = _value(option, given, environment)
        for name, value in values.items():
            if isinstance(value, Path) and value is not STANDARD_LOG:
                values[name] = directory / value
        if values["private_key"] is not None and values["certificate"] is None:
            raise StartError("--private-key: needs --certificate as well")
        if values["proxy_protocol"] and not values["trust_proxy"]:
            raise StartError("--proxy-protocol: needs --trust-proxy, whose header is believed")
        if values["backend"] is not None and values["redis"]:
            raise StartError("--backend: --redis is given as well")
        if values["workers"] > 1 and not (values["redis"] or values["backend"]):
            raise StartError("--workers: more than one need --redis, which has the rooms of all")
        if values["admin_password"] is not None and values["admin_password_file"] is not None:
            raise StartError("LIVECHAT_ADMIN_PASSWORD: --admin-password-file is given as well")
        return cls(**values)


def options() -> list[Field[Any]]:
    """The fields of `Config` that are options."""
    return [each for each in fields(Config) if each.metadata]


def _doc(name: str) -> str:
    return str(next(option.metadata["doc"] for option in options() if option.name == name))


def flag(option: Field[Any]) -> str:
    """An option's name on the command line, without its dashes."""
    return option.name.replace("_", "-")


def variable(option: Field[Any]) -> str:
    """An option's name in the environment."""
    return f"LIVECHAT_{option.name.upper()}"


def _value(option: Field[Any], given: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    secret = option.metadata["secret"]
    source, text = f"--{flag(option)}", None if secret else given.get(flag(option))
    if text is None or text == []:
        source, text = variable(option), environment.get(variable(option))
    if text is None and option.metadata["also"] is not None:
        source, text = option.metadata["also"], environment.get(option.metadata["also"])
    many = option.metadata["many"]
    if text is None:
        text = option.metadata["default"]
    if text is None:
        return None if many is None else many(())
    parse = option.metadata["parse"]
    try:
        if many is not None:
            return many(map(parse, text.split() if isinstance(text, str) else text))
        return parse(text)
    except ValueError as reason:
        shown = "" if option.metadata["private"] else f" {text!r}"
        raise StartError(f"{source}:{shown} {reason}") from None


class Options(usage.Options):
    """twistd's view of `Config`: takes texts, checks nothing."""

    synopsis: ClassVar[str] = "[options]"
    longdesc: ClassVar[str] = (
        "A live chat server: rooms over WebSockets and HTTP, on one TLS port. "
        "Each option can also be given in the environment: --max-message as "
        "LIVECHAT_MAX_MESSAGE."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        [
            flag(option),
            None,
            None,
            option.metadata["doc"]
            + (f" [{option.metadata['default']}]" if option.metadata["default"] else ""),
        ]
        for option in options()
        if not option.metadata["many"] and not option.metadata["secret"]
    ]

    def opt_origin(self, value: str) -> None:
        self.setdefault("origin", []).append(value)

    def opt_extension(self, value: str) -> None:
        self.setdefault("extension", []).append(value)

    def opt_mount(self, value: str) -> None:
        self.setdefault("mount", []).append(value)

    def opt_host(self, value: str) -> None:
        self.setdefault("host", []).append(value)

    def opt_trust_proxy(self, value: str) -> None:
        self.setdefault("trust-proxy", []).append(value)

    opt_origin.__doc__ = _doc("origin")
    opt_extension.__doc__ = _doc("extension")
    opt_mount.__doc__ = _doc("mount")
    opt_host.__doc__ = _doc("host")
    opt_trust_proxy.__doc__ = _doc("trust_proxy")
