"""The health of a Redis: whether it can be used, why not, and what its operator is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat import metrics
from livechat.backends.redis.acts import MOST_IN_NODE, Nodes
from livechat.backends.redis.connection import Connection, RefusedError, UnansweredError
from livechat.limits.rates import LogLimit, Rate

#: The two connections, with reasons of their own.
COMMANDS: Final = "commands"
SUBSCRIPTIONS: Final = "subscriptions"
#: The knowledge of a cluster's slots, with reasons of its own.
SLOTS: Final = "slots"
#: Rate of log lines on troubles: a Redis that comes and goes must not fill the log.
LINES: Final = Rate(per_second=0.05, burst=5)

#: Settings that bound a stream's nodes, in the order of `Nodes`.
_NODES: Final = (b"stream-node-max-entries", b"stream-node-max-bytes")
_SETTINGS: Final = (b"maxmemory-policy", b"appendonly", b"save")


async def check_role(connection: Connection) -> None:
    """
    See whether it is a replica.  One that takes writes would lose them; one that takes none is
    found out later too.

    @raise UnansweredError: as `Connection.command`.
    @raise RefusedError: it is one, or takes nothing.
    """
    try:
        role = await connection.command(b"INFO", b"replication")
    except RefusedError as reason:
        if reason.code != "NOPERM":
            raise
        return
    if b"role:slave" in role:
        raise RefusedError("READONLY it is a replica")


class Health:
    """The state of one Redis.  Logs a reason once, and again when another takes its place."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        figure: str | None = None,
        *,
        parts: Sequence[str] = (COMMANDS, SUBSCRIPTIONS),
    ) -> None:
        """
        @param figure: the name in the figures; None for no figures.
        @param parts: the parts with reasons of their own.
        """
        self._name = name
        self._clock = clock
        self._figure = figure
        # The trouble of each part; "" until the first attempt has failed.
        self._reasons = dict.fromkeys(parts, "")
        # The trouble that was logged last; "" after the line that Redis is usable.
        self._said: str | None = None
        self._seldom = LogLimit(LINES)
        self._warned = False

    def trouble(self) -> str | None:
        """The reason why Redis cannot be used; None if it can."""
        reason = self.reason()
        return None if reason is None else f"Redis cannot be used: {reason}"

    def reason(self) -> str | None:
        """The same, without the words before it."""
        if not self._reasons:
            return None
        # Both connections often fail together, in different words: one reason is enough.
        found = (self._reasons.get(part) for part in (SLOTS, COMMANDS, SUBSCRIPTIONS))
        return next(filter(None, found), "it is not connected yet")

    def wrong(self, part: str, reason: str) -> None:
        """*part* cannot be used."""
        self._reasons[part] = reason
        self._count(usable=False)
        now = self.reason()
        if now == self._said:
            return
        more = self._seldom.due(self._clock.seconds())
        if more is not None:
            self._said = now
            self._log.error(
                "{name} cannot be used: {reason}{more}", name=self._name, reason=now, more=more
            )

    def fine(self, part: str) -> None:
        """*part* can be used."""
        if self._reasons.pop(part, None) is not None and not self._reasons and self._said != "":
            self._said = ""
            self._log.info("{name} can be used.", name=self._name)
        self._count(usable=not self._reasons)

    def _count(self, *, usable: bool) -> None:
        if self._figure is not None:
            metrics.redis_usable(self._figure, usable)

    async def warn(self, connection: Connection) -> None:
        """Say once what its operator should know of how it is set up."""
        if self._warned:
            return
        self._warned = True
        with suppress(UnansweredError, RefusedError):  # it may not let us look
            for warning in warnings(await settings(connection)):
                self._log.warn("{name} {warning}", name=self._name, warning=warning)


async def settings(connection: Connection) -> dict[str, str]:
    """
    Read the settings that `warnings` looks at.

    @raise UnansweredError: as `Connection.command`.
    @raise RefusedError: it may not be asked.
    """
    found = {}
    for name in _SETTINGS:
        for key, value in _pairs(await connection.command(b"CONFIG", b"GET", name)):
            found[key.decode()] = value.decode()
    return found


async def find_nodes(connection: Connection) -> Nodes:
    """
    The most that a node of a stream holds there; the usual where Redis does not say so.

    @raise UnansweredError: as `Connection.command`.
    """
    found = []
    for name, usual, most in zip(_NODES, Nodes(), MOST_IN_NODE, strict=True):
        try:
            ((_, value),) = _pairs(await connection.command(b"CONFIG", b"GET", name))
            found.append(int(value) or most)
        except (RefusedError, ValueError):
            found.append(usual)
    return Nodes(*found)


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def warnings(settings: Mapping[str, str]) -> list[str]:
    """Faults of these settings in a Redis that keeps rooms."""
    found = []
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        found.append(f"may throw rooms away: its maxmemory-policy is {policy}, not noeviction")
    if settings.get("appendonly", "yes") == "no":
        found.append(
            "has nothing on disk, and loses all rooms when it ends: appendonly is no"
            if settings.get("save") == ""
            else "loses what it was told in the last minutes if it is killed: appendonly is no"
        )
    return found
