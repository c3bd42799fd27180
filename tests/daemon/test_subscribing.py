"""Subscribers of extensions, built as the daemon builds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livechat.daemon.subscribing import Subscribers, shared_outbox, telling
from livechat.errors import StartError
from livechat.extensions import SubscriberBase
from tests.support import World
from tests.support.outbox import MemoryOutbox
from tests.support.services import config


class Named(SubscriberBase):
    def __init__(self, name: str, kinds: Any = None) -> None:
        self.name, self.kinds = name, kinds


class Backend:
    """A backend, as far as receivers go."""

    def __init__(self, outbox: MemoryOutbox | None) -> None:
        self.outbox = outbox


def test_too_many_receivers_stop_the_start(tmp_path: Path) -> None:
    """Too many receivers stop the start."""
    backend: Any = Backend(MemoryOutbox())
    given = config(tmp_path)
    assert shared_outbox(given, backend, [Named(f"s{n}") for n in range(10)]) is not None
    with pytest.raises(StartError, match="more than 10"):
        shared_outbox(given, backend, [Named(f"s{n}") for n in range(11)])


def test_a_backend_without_an_outbox_stops_the_start(tmp_path: Path) -> None:
    """A subscriber stops the start of a backend without an outbox."""
    backend: Any = Backend(None)
    assert shared_outbox(config(tmp_path), backend, []) is None
    with pytest.raises(StartError, match="keeps no entries"):
        shared_outbox(config(tmp_path), backend, [Named("s")])


def told(world: World, directory: Path, *subscribers: Named) -> Any:
    return telling(
        config(directory), MemoryOutbox(), world.backend, subscribers,
        chat=world.chat, hub=world.hub, time=world.time,
    )  # fmt: skip


def test_without_receivers_no_event_is_written(tmp_path: Path) -> None:
    """Without a receiver no event is written, and no room is read."""
    world = World(tmp_path)
    made = told(world, tmp_path)
    assert not made.feeds
    assert world.chat.audit.announcer is None
    assert world.chat.presence.announcer is None
    assert world.chat.cases.announcer is None
    service = Subscribers(made)
    service.startService()
    service.stopService()


def test_an_event_is_written_if_any_subscriber_wants_it(tmp_path: Path) -> None:
    """Events are written if any subscriber wants them."""
    world = World(tmp_path)
    made = told(world, tmp_path, Named("a", ["message"]))
    assert world.chat.audit.announcer is None
    made = told(world, tmp_path, Named("a", ["message"]), Named("b", ["left"]))
    assert sorted(made.feeds) == ["subscriber-a", "subscriber-b"]
    announcer = world.chat.presence.announcer
    assert announcer is not None
    assert announcer.wants("left")
    assert not announcer.wants("joined")
