"""
Subscriptions to channels: at which master each of them is.

A master that loses a slot says so to those who listen to its channels (7.0 and later); one that
is cut off, or has become a replica of another, says nothing.  So each channel that is not confirmed
by the master of its slot is asked for again, there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime

from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import slot_of

#: Seconds after which an unconfirmed subscription is asked for again.
CONFIRM: Final = 1.0


class Channels:
    """All that one process listens to."""

    def __init__(self, clock: IReactorTime, master: Callable[[int], Node | None]) -> None:
        """
        @param master: returns the master of a slot.
        """
        self._clock = clock
        self._master = master
        # The master that has confirmed each channel; None without one.
        self._heard: dict[bytes, Node | None] = {}
        # Unconfirmed channels, with the times at which they were asked for.
        self._missing: dict[bytes, float] = {}

    def add(self, channels: Sequence[bytes]) -> None:
        for channel in channels:
            self._heard.setdefault(channel, None)
            self._missing[channel] = float("-inf")
        self._ask(channels)

    def remove(self, channels: Iterable[bytes]) -> None:
        by_node: dict[Node, list[bytes]] = {}
        for channel in channels:
            self._missing.pop(channel, None)
            node = self._heard.pop(channel, None) or self._master(slot_of(channel))
            if node is not None:
                by_node.setdefault(node, []).append(channel)
        for node, some in by_node.items():
            node.unsubscribe(some)

    def _ask(self, channels: Iterable[bytes]) -> None:
        now = self._clock.seconds()
        by_node: dict[Node, list[bytes]] = {}
        for channel in channels:
            node = self._master(slot_of(channel))
            if node is not None and node.hears and node.sharded is not None:
                self._missing[channel] = now
                by_node.setdefault(node, []).append(channel)
        for node, some in by_node.items():
            node.subscribe(some)

    def ask_again(self) -> None:
        """Ask again for subscriptions that are not confirmed in time."""
        before = self._clock.seconds() - CONFIRM
        self._ask([channel for channel, asked in self._missing.items() if asked <= before])

    def hears(self, node: Node) -> None:
        """*node* can be asked from now on."""
        self._ask([each for each in self._missing if self._master(slot_of(each)) is node])

    def confirmed(self, node: Node, channel: bytes) -> bool:
        """*node* has confirmed it; returns whether it is the one to listen to."""
        if channel not in self._heard:
            return False
        if self._master(slot_of(channel)) is not node:
            node.unsubscribe([channel])
            return False
        self._heard[channel] = node
        self._missing.pop(channel, None)
        return True

    def ended(self, node: Node, channel: bytes) -> bool:
        """*node* does not tell of it any more; returns whether it was listened to there."""
        if self._heard.get(channel) is not node:
            return False
        self._forget([channel])
        return True

    def lost(self, node: Node) -> None:
        """*node* tells of nothing any more."""
        self._forget([channel for channel, heard in self._heard.items() if heard is node])

    def moved(self, slots: Collection[int]) -> list[bytes]:
        """Note that *slots* have other masters; return the affected channels."""
        found = [channel for channel in self._heard if slot_of(channel) in slots]
        by_node: dict[Node, list[bytes]] = {}
        for channel in found:
            node = self._heard[channel]
            if node is not None:
                by_node.setdefault(node, []).append(channel)
        for node, some in by_node.items():
            node.unsubscribe(some)
        self._forget(found)
        self._ask(found)
        return found

    def _forget(self, channels: Iterable[bytes]) -> None:
        for channel in channels:
            self._heard[channel] = None
            self._missing[channel] = float("-inf")
