"""Receivers of a store, as tests look at them."""

from __future__ import annotations

from collections.abc import Mapping

from livechat.backends.sqlite.database import Database


def keep(store: Database, *names: str) -> int:
    """Have these receivers; returns in how many steps."""
    steps = 1
    while store.cursors.keep(names):
        steps += 1
    return steps


def advance(store: Database, told: Mapping[str, int], receiver: str = "a") -> None:
    """Tell *receiver* of entries, by room."""
    store.cursors.advance(
        receiver, {room: (store.epoch(room), number) for room, number in told.items()}
    )


def waits(store: Database, room: str = "r", receiver: str = "a") -> list[int]:
    """The numbers of what waits."""
    return [entry.seq for entry in store.held.pages(receiver, {room: 10_000})[room].entries]


def sweep(store: Database) -> int:
    """Remove all that may be removed; returns in how many steps."""
    while store.walking:
        store.walk()
    steps, first = 1, True
    while store.sweep(first=first):
        first = False
        steps += 1
        assert steps < 1_000, "a sweep does not end"
    return steps
