"""The server itself, as the admin page shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from msgspec import Struct

from livechat.config import Config
from livechat.limits.connections import Connections
from livechat.net.certificates import Certificate, Shown
from livechat.options import flag
from livechat.protocol.receivers import ReceiverState
from livechat.system.day import Day
from livechat.web.html import span


class Limit(Struct, frozen=True):
    """A limit in force, in words, and the option that sets it."""

    name: str
    value: str
    option: str


class Server(Struct, frozen=True):
    """
    The server, as it was started.

    @ivar started: when, by the reactor's clock.
    @ivar backend: where rooms are kept, in words.
    @ivar connections: how many there are now is their length.
    @ivar day: the figures of the last day, of all processes on the port.
    @ivar receivers: returns how it goes with the receivers of webhooks.
    """

    started: float
    backend: str
    shown: Shown
    connections: Connections
    limits: tuple[Limit, ...]
    day: Day
    receivers: Callable[[], Sequence[ReceiverState]] = list

    @property
    def certificate(self) -> Certificate | None:
        """The one that the port shows just now; None where TLS ends at a proxy."""
        return self.shown.certificate


def limits(config: Config) -> tuple[Limit, ...]:
    """The limits in force."""
    flags = {option.name: f"--{flag(option)}" for option in fields(config)}

    def limit(name: str, option: str, words: str) -> Limit:
        value = getattr(config, option)
        return Limit(name, words.format(value) if value else "no limit", flags[option])

    return (
        limit("Message", "max_message", "{:,} bytes"),
        limit("Messages of a connection", "rate", "{:,g} a second"),
        limit("Messages of an address", "rate_per_ip", "{:,g} a second"),
        limit("Connections", "max_connections", "{:,}"),
        limit("Connections of an address", "max_connections_per_ip", "{:,}"),
        limit("Unread bytes of a member", "max_unsent", "{:,}"),
        limit("Messages kept of a room", "history_limit", "{:,}"),
        limit("Messages expire after", "history_age", span(config.history_age)),
        limit("Records of the audit expire after", "audit_age", span(config.audit_age)),
    )
