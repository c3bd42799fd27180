"""
Slots: which one a key is in, and what a cluster says of where they are.

A slot is a checksum of the key, or of what is between its first braces (the hash tag).  So all
keys of a room are in one slot.  What belongs to all rooms of a slot has a *tag* of that slot
between its braces, since a script works on keys of one slot.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Any, Final, NamedTuple

from livechat.backends.redis.connection import RefusedError
from livechat.backends.redis.keys import Keys

#: The number of slots.
SLOTS: Final = 16384
#: Errors that mean that a command was not carried out, and must be given again.
ELSEWHERE: Final = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"})

_REDIRECTION: Final = re.compile(r"(MOVED|ASK) (\d{1,5}) (\S*):(\d{1,5})$")


def slot_of(key: bytes) -> int:
    """The slot of a key, as every server of a cluster finds it."""
    begins = key.find(b"{")
    if begins >= 0:
        ends = key.find(b"}", begins + 1)
        if ends > begins + 1:
            key = key[begins + 1 : ends]
    return crc_hqx(key, 0) % SLOTS


def slot_of_room(room: str) -> int:
    """The slot of all keys of a room."""
    return crc_hqx(room.encode(), 0) % SLOTS


@cache
def tags() -> tuple[str, ...]:
    """
    A hash tag for each slot.  No room has such a name: internal ones have letters behind the ``!``.
    """
    found: list[str] = [""] * SLOTS
    left = SLOTS
    for number in count():
        slot = crc_hqx(b"!%d" % number, 0) % SLOTS
        if not found[slot]:
            found[slot] = f"!{number}"
            left -= 1
            if not left:
                break
    return tuple(found)


class ClusterKeys(Keys):
    """
    The names that one installation uses in a cluster.

        lc:{TAG}:idle    in place of lc:{!}:idle: all streams of the slot that the tag is of
        lc:{TAG}:rights  in place of lc:{!}:rights, for each master
    """

    def idle_of(self, stream: bytes) -> bytes:
        return self.idle_in(slot_of(stream))

    def idle_in(self, slot: int) -> bytes:
        """The set of idle rooms of a slot."""
        return self._of(tags()[slot], "idle")

    def trial_in(self, slot: int) -> bytes:
        """The key of `trial` at the master that has *slot*."""
        return self._of(tags()[slot], "rights")

    def trial_channel_in(self, slot: int) -> bytes:
        """The channel of `trial_channel` at the master that has *slot*."""
        return self.channel(tags()[slot]) + b":rights"

    def is_trial(self, channel: bytes) -> bool:
        return channel.endswith(b"}:rights")

    def renamed(self) -> list[tuple[bytes, bytes]]:
        # Names of the first layout have no hash tags, so it was never in a cluster.
        return []


class Place(NamedTuple):
    """The address of a node."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Redirection(NamedTuple):
    """
    The node that must get a command instead.

    @ivar asks: this once only, and after ASKING.
    """

    asks: bool
    slot: int
    place: Place


def redirection(error: RefusedError, asked: Place) -> Redirection | None:
    """
    The redirection in *error*; None if it is none.

    @param asked: who has answered so: it leaves out a host that is its own.
    """
    found = _REDIRECTION.match(str(error))
    if found is None or int(found[2]) >= SLOTS:
        return None
    place = _place(found[3], int(found[4]), asked)
    return Redirection(found[1] == "ASK", int(found[2]), place)


class Master(NamedTuple):
    """
    A master that has slots.

    @ivar id: its name, which no other node ever has; empty if the server does not say it.
    """

    place: Place
    id: str


class View(NamedTuple):
    """
    A node's view of the cluster.

    @ivar epoch: grows with each change that nodes have agreed on.
    @ivar masters: each with its slots.
    """

    epoch: int
    masters: dict[Master, frozenset[int]]


def masters(answer: Any, asked: Place) -> dict[Master, frozenset[int]]:
    """
    Read the answer to CLUSTER SLOTS: ranges, each with its master, and replicas behind it.

    @raise ValueError: it is no such answer.
    """
    found: dict[Master, set[int]] = {}
    try:
        for first, last, node, *_ in answer:
            host, port, *more = node
            name = more[0].decode() if more else ""
            place = _place((host or b"").decode(), int(port), asked)
            if not 0 <= first <= last < SLOTS:
                raise ValueError("it names a slot that does not exist")
            found.setdefault(Master(place, name), set()).update(range(first, last + 1))
    except (TypeError, AttributeError) as reason:
        raise ValueError(f"it is no answer of a cluster: {reason}") from None
    return {master: frozenset(slots) for master, slots in found.items()}


def _place(host: str, port: int, asked: Place) -> Place:
    # A node that does not know its own address leaves it empty; an unknown name is "?".
    host = host.removeprefix("[").removesuffix("]")
    return Place(host if host not in {"", "?"} else asked.host, port)


def ranges(slots: Sequence[int]) -> str:
    """Name *slots*, which are sorted, for people: ``0-5460 8000``; the first of very many."""
    found: list[list[int]] = []
    for slot in slots:
        if found and found[-1][1] == slot - 1:
            found[-1][1] = slot
        else:
            found.append([slot, slot])
    shown = [f"{first}-{last}" if last > first else f"{first}" for first, last in found[:5]]
    return " ".join(shown + ["..."] * (len(found) > len(shown)))
