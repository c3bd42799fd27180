"""
Every option, once: its name, its default, its values and its purpose.

A field of `Config` is an option ``--like-this`` and an environment variable
``LIVECHAT_LIKE_THIS``; the option wins over the variable, the variable over
the default.  A secret is a variable only: everybody on the machine can read
its command lines.  Paths are relative to the daemon's working directory, which is
twistd's ``--rundir`` if that is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, fields, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final, Literal, get_args

from livechat import addresses, option_rules, option_values
from livechat.addresses import Address
from livechat.errors import StartError
from livechat.options import option, source, value
from livechat.protocol.asking import About, Failing
from livechat.protocol.origins import origins
from livechat.protocol.receivers import USUAL_EVENTS, receiver_url
from livechat.protocol.signing import secret_of_text

#: In a worker's environment: its number, from 1.  It is not to be mistaken for an option.
WORKER: Final = "_LIVECHAT_WORKER_NUMBER"
#: In a worker's environment: "1" if another worker serves at its place until it does.
FOLLOWS: Final = "_LIVECHAT_FOLLOWS"


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return *values* without repetitions, in the order given."""
    return tuple(dict.fromkeys(values))


@dataclass(frozen=True)
class Config:
    """
    The options, checked; paths are absolute.

    @ivar directory: the daemon's working directory, which is twistd's affair.
    @ivar worker: the number of this process, from 1, if it is one of several; or 0.
    @ivar follows: another worker serves at its place until it does.
    """

    directory: Path
    worker: int
    follows: bool
    port: int = option(
        "10443", option_values.integer(0, 65535), "The TLS port; 0 takes a free one."
    )
    interface: str = option(
        "loopback",
        option_values.address,
        "The address to listen on: 0.0.0.0 for all of IPv4, :: for all, "
        "loopback for 127.0.0.1 and ::1.",
    )
    listen: tuple[Address, ...] = option(
        None,
        addresses.parse,
        "An address to listen on, in place of --port and --interface: tls:10443, tls:[::]:10443; "
        "for proxies, without TLS, http:127.0.0.1:8080 or "
        "unix:/run/chat.sock:mode=660:group=www-data; may be repeated (in the environment: "
        "separated by blanks).",
        many=tuple,
    )
    prefix: str = option(
        "",
        option_values.path_prefix,
        "The path below which everything is, such as /chat-app; a proxy must not take it away.",
    )
    certificate: Path | None = option(
        None,
        option_values.path,
        "PEM file with the certificate and its chain. "
        "Without it certs/livechat.crt is used, and made if it is missing.",
    )
    private_key: Path | None = option(
        None,
        option_values.path,
        "PEM file with the certificate's private key. Without it: the file of --certificate.",
    )
    state: Path = option(
        "state",
        option_values.path,
        "The directory of the database, and of what operators need to sign in.",
    )
    without_maps: bool = option(
        "off",
        option_values.switch,
        "Whether to start without maps.sqlite3 of --state, which is left as it is (on, off). "
        "Operators are signed out then when the process ends.",
    )
    redis: tuple[str, ...] = option(
        "",
        lambda text: tuple(text.split()),
        "URL of the Redis that rooms are kept in, for more than one process; several, separated by "
        "blanks, share the rooms. Without one, rooms are in --state, of this process alone.",
        private=True,
        also="REDIS_URL",
    )
    redis_ca: Path | None = option(
        None,
        option_values.path,
        "PEM file with the certificates that may vouch for a rediss:// server. "
        "Without it: those that the system trusts.",
    )
    redis_certificate: Path | None = option(
        None,
        option_values.path,
        "PEM file with the certificate, and its chain, that is shown to Redis, and to Sentinel, "
        "where they ask for one. Read again for each connection.",
    )
    redis_key: Path | None = option(
        None,
        option_values.path,
        "PEM file with that certificate's private key. Without it: the file of "
        "--redis-certificate.",
    )
    redis_prefix: str = option(
        "lc",
        option_values.prefix,
        "The beginning of all names of keys and channels in Redis: 1 to 32 of A-Z a-z 0-9 _ -. "
        "Installations that share a Redis have different ones, or different databases.",
    )
    backend: str | None = option(
        None,
        option_values.url,
        "URL of the place that rooms are kept in, of a kind that an extension brings, such as "
        "memory:. Without one: --redis, or --state.",
        private=True,
    )
    extension: tuple[str, ...] = option(
        None,
        option_values.dotted,
        "Dotted name of an extension to load, besides those that are installed as plugins; may be "
        "repeated (in the environment: separated by blanks).",
        many=_distinct,
    )
    workers: int = option(
        "1",
        option_values.integer(1, 256),
        "Processes that share the port, on this machine; more than one need --redis.",
    )
    linger: int = option(
        "0s",
        option_values.pause(300),
        "Time at the end, up to 5m, for which connections are still taken while /readyz is 503 "
        "already, so that load balancers choose other processes.",
    )
    drain: int = option(
        "0s",
        option_values.pause(600),
        "Time over which clients are told one by one to come back, up to 10m, when a process ends "
        "whose clients others take; 0: all at once.",
    )
    mount: tuple[tuple[str, str], ...] = option(
        None,
        option_values.mount,
        "A path and the dotted name of a web resource (an IResource, or a function that makes one) "
        "that is beside the chat, such as /docs=acme.docs.resource; may be repeated (in the "
        "environment: separated by blanks).",
        many=_distinct,
    )
    default_room: str = option(
        "lobby", option_values.room, "The room of HTTP requests that name none."
    )
    history_limit: int = option(
        "1000",
        option_values.integer(0, 10**12),
        "Entries kept in each room: messages, edits and retractions; 0 is no limit.",
    )
    history_age: int = option(
        "30d", option_values.duration, "Age at which messages expire (s, m, h, d); 0 is no limit."
    )
    audit_age: int = option(
        "180d",
        option_values.duration,
        "Age at which records of what operators did expire (s, m, h, d); 0 is no limit.",
    )
    max_message: int = option(
        "16384",
        option_values.integer(1, 1 << 20),
        "Most bytes of UTF-8 in a message, up to 1048576.",
    )
    origin: frozenset[str] = option(
        None,
        origins,
        "An origin whose pages may use this server, besides its own: https://example.org, "
        "https://*.example.org, an app's such as capacitor://localhost, or null (pages without "
        "one); may be repeated (in the environment: separated by blanks).",
        many=frozenset,
    )
    host: frozenset[str] = option(
        None,
        option_values.host,
        "A name by which clients may ask for this server, besides its certificate's, addresses and "
        "localhost; * for any, may be repeated (in the environment: separated by blanks).",
        many=frozenset,
    )
    trust_proxy: frozenset[IPv4Network | IPv6Network] = option(
        None,
        option_values.network,
        "An address or network of proxies, whose X-Forwarded-For, -Host and -Proto, or Forwarded, "
        "are believed; may be repeated (in the environment: separated by blanks).",
        many=frozenset,
    )
    proxy_protocol: bool = option(
        "off",
        option_values.switch,
        "Whether connections of --trust-proxy begin with a header of the PROXY protocol (on, off).",
    )
    rate: float = option(
        "20",
        option_values.rate,
        "Messages per second per connection, with bursts of twice that; 0: no limit.",
    )
    rate_per_ip: float = option(
        "200",
        option_values.rate,
        "Messages per second per address, with bursts of twice that; 0: no limit.",
    )
    rate_per_user: float = option(
        "20",
        option_values.rate,
        "Messages per second per user with a token, over all connections, with bursts of twice "
        "that; 0: no limit.",
    )
    guests: Literal["on", "read", "off"] = option(
        "on",
        option_values.choice("on", "read", "off"),
        "The rights of visitors without a token: on (enter any room, and say something), read, "
        "off.",
    )
    token_keys: tuple[Path | str, ...] = option(
        None,
        option_values.token_keys,
        "Keys that verify the tokens of a site's users: a PEM file, a JWK or JWK set file, a file "
        "with a secret of at least 32 bytes, or the https address of a JWK set; may be repeated "
        "(in the environment: separated by blanks).",
        many=_distinct,
    )
    token_issuer: str | None = option(
        None, option_values.words, "The issuer (iss) that tokens must have. Without it: any."
    )
    token_audience: str | None = option(
        None,
        option_values.words,
        "The audience (aud) that tokens must have. Without it: tokens must have none. Keys at an "
        "https address need it.",
    )
    token_cookie: str | None = option(
        None,
        option_values.cookie,
        "The cookie that may have a token, in requests of the server's own pages and of --origin.",
    )
    token_lifetime: int = option(
        "30d", option_values.lifetime, "Longest time from a token's iat to its exp (s, m, h, d)."
    )
    ask: str | None = option(
        None,
        receiver_url,
        "A URL that is asked about messages before they are stored, and perhaps about clients that "
        "join, by signed POSTs (https, or http on this machine).",
        private=True,
    )
    ask_about: frozenset[About] = option(
        "send",
        option_values.asked_about,
        "Acts that --ask is asked about, separated by commas: send (messages and edits), join "
        "(who a client is, and whether it may come in).",
    )
    ask_failing: Failing = option(
        "refuse",
        option_values.choice(*get_args(Failing)),
        "The outcome of an act when --ask does not answer within a second: refuse, accept.",
    )
    max_connections: int = option(
        "10000", option_values.integer(0, 10**7), "Connections in all; 0 is no limit."
    )
    max_connections_per_ip: int = option(
        "200", option_values.integer(0, 10**7), "Connections of one address; 0 is no limit."
    )
    max_unsent: int = option(
        "1048576",
        option_values.integer(1, 1 << 30),
        "Most bytes that may wait for a member that does not read; with more, its connection is "
        "closed.",
    )
    admin_password: str | None = option(
        None, str, "The password of the admin page; only in the environment.", secret=True
    )
    admin_password_file: Path | None = option(
        None,
        option_values.path,
        "File with the admin page's password, or with its argon2id hash. "
        "Without it, admin-password in the state directory, which is made if it is missing.",
    )
    admin_session: int = option(
        "12h",
        option_values.lifetime,
        "Time after which an operator has to sign in again (s, m, h, d).",
    )
    metrics: Literal["loopback", "open", "off"] = option(
        "loopback",
        option_values.choice("loopback", "open", "off"),
        "Clients that may read /metrics: loopback (this machine, or a request with the token), "
        "open (all), off.",
    )
    metrics_token: str | None = option(
        None,
        option_values.token,
        "A token of at least 16 characters with which /metrics may be read from anywhere, as "
        "Authorization: Bearer; only in the environment.",
        secret=True,
    )
    webhook: tuple[str, ...] = option(
        None,
        receiver_url,
        "A URL to which events are sent as signed POSTs (https, or http on this machine); may be "
        "repeated, up to ten times (in the environment: separated by blanks).",
        many=_distinct,
        private=True,
    )
    webhook_events: frozenset[str] = option(
        ",".join(USUAL_EVENTS),
        option_values.event_names,
        "Events that are sent to --webhook, separated by commas; joined and left are sent if they "
        "are named.",
    )
    webhook_secret: tuple[bytes, ...] = option(
        None,
        secret_of_text,
        "The secret that signs what is sent to --webhook, whsec_ and base64 of 24 to 64 bytes; "
        "while it is replaced the new one, a blank, and the old one; only in the environment. "
        "Without it, webhook-secret in the state directory, which is made if it is missing.",
        many=_distinct,
        secret=True,
    )
    access_log: Path | None = option(
        None,
        option_values.log_path,
        "File to which a line is added for each HTTP request; - is the log itself.",
    )

    def at(self, addresses: Iterable[Address]) -> Config:
        """Return these options with *addresses* to listen on."""
        return replace(self, listen=tuple(addresses))

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
        values["follows"] = environment.get(FOLLOWS) == "1"
        for each in options():
            values[each.name] = value(each, given, environment)
        for name, found in values.items():
            if isinstance(found, Path) and found is not option_values.STANDARD_LOG:
                values[name] = directory / found
        values["token_keys"] = tuple(
            directory / each if isinstance(each, Path) else each for each in values["token_keys"]
        )
        values["listen"] = _listening(values, given, environment)
        option_rules.check(values)
        return cls(**values)


def _listening(
    values: Mapping[str, Any], given: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Address, ...]:
    """
    Return the addresses to listen on.

    @raise StartError: they are given twice, or in two ways.
    """
    found: tuple[Address, ...] = values["listen"]
    if not found:
        return (Address("tls", values["interface"], values["port"], given=False),)
    for each in options():
        if each.name in ("port", "interface") and not values["worker"]:
            other = source(each, given, environment)
            if other is not None:
                raise StartError(f"{other}: --listen is given as well, which says the same")
    return tuple(each.below(values["directory"]) for each in found)


def options() -> list[Field[Any]]:
    """The fields of `Config` that are options."""
    return [each for each in fields(Config) if each.metadata]
