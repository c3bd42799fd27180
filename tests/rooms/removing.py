"""Rooms from which messages are removed, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed

from livechat.errors import ChatError, Kind
from livechat.identity.actor import OPERATOR, Actor
from livechat.identity.rights import USERS_RIGHTS, Right
from livechat.interfaces import IReceiver
from livechat.protocol.audit import AuditRecord, Author, record_of_text
from livechat.protocol.messages import Draft, Entry, Message, Retracted, User
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.removal import Removal
from livechat.rooms.sweeping import Job, job_of, jobs_map
from tests.support import World, result
from tests.support.outcomes import kind as kind_of

BY = Author("operator", OPERATOR)
EVE, BOB = User("eve", "Eve"), User("bob", "Bob", verified=True)


def say(world: World, *texts: str, user: User | None = EVE, room: str = "r") -> None:
    """Store messages, of which no member is told."""
    world.store.write([Draft(room, text, user) for text in texts])


def entries(world: World, room: str = "r") -> Iterator[Entry]:
    after = 0
    while page := result(world.backend.messages.read(room, after, 1_000)).entries:
        yield from page
        after = page[-1].seq


def texts(world: World, room: str = "r") -> list[str]:
    return [each.message for each in entries(world, room) if isinstance(each, Message)]


def events(world: World, room: str = "r") -> list[Retracted]:
    return [each for each in entries(world, room) if isinstance(each, Retracted)]


def records(world: World) -> list[AuditRecord]:
    return [record_of_text(text) for text in texts(world, AUDIT_ROOM)]


def goes_on(world: World, seconds: float = 1.0) -> None:
    for _ in range(int(20 * seconds + 1)):
        world.clock.advance(0.05)


def until(world: World, done: Deferred[Any]) -> Any:
    """Wait until *done* has fired, and return its result."""
    for _ in range(100_000):
        if done.called:
            break
        world.clock.advance(0.01)
    return result(done)


def kind(world: World, done: Deferred[Any]) -> Kind:
    """Wait until *done* has failed, and return the kind of its error."""
    found = kind_of(done) if done.called else None
    while found is None:
        world.clock.advance(0.01)
        found = kind_of(done) if done.called else None
    return found


def of(world: World, user: User, *rights: Right, address: str = "192.0.2.1") -> Actor:
    """*user*, with these rights, or the usual ones."""
    return replace(world.caller(address, user), grants={"*": frozenset(rights or USERS_RIGHTS)})


def jobs(world: World) -> dict[str, Job]:
    found = {key: job_of(value) for key, value in jobs_map(world.backend).items()}
    return {key: job for key, job in found.items() if job is not None}


def process(world: World) -> Removal:
    """Another process, in the same rooms."""
    chat = world.chat
    return Removal(world.backend, chat._policy, chat.audit, world.time, lambda *_: succeed(None))


class Store:
    """The log of a world, which a test stops."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.amends: int | None = None
        self.records = True
        self._amend = world.backend.messages.amend
        self._publish = world.backend.messages.publish
        monkeypatch.setattr(world.backend.messages, "amend", self.amend)
        monkeypatch.setattr(world.backend.messages, "publish", self.publish)

    def amend(self, retraction: Any, receiver: IReceiver) -> None:
        if self.amends is not None:
            if not self.amends:
                receiver.not_stored(ChatError(Kind.UNAVAILABLE, "away"))
                return
            self.amends -= 1
        self._amend(retraction, receiver)

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        if draft.room == AUDIT_ROOM and not self.records:
            receiver.not_stored(ChatError(Kind.UNAVAILABLE, "away"))
        else:
            self._publish(draft, receiver)
