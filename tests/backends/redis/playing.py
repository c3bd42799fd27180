"""People at two workers of one Redis, and what becomes of their acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any, Final, get_args

from msgspec import convert
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from livechat.backends.redis import connect
from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.identity.actor import ALL_GRANTS, Actor
from livechat.identity.rights import EVERYWHERE, Grants, Right, grants_of
from livechat.members.base import JoinRequest
from livechat.members.session import Session
from livechat.net.fast import write_all
from livechat.protocol.actions import ChangeRoom, Pardon, Restrict
from livechat.protocol.audit import Author
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import User
from livechat.protocol.moderation import ByRight, Restriction
from livechat.protocol.settings import MODERATED, AskedChange, SettingsChange
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.rooms.history import Window
from livechat.rooms.hub import Hub
from livechat.rooms.pace import Pace
from livechat.rooms.rules import make_rules
from livechat.system.time import Time
from tests.backends.redis.oracle import USUAL, Oracle, Person
from tests.backends.redis.server import RedisServer
from tests.support import RecordingClient, RecordingSink, make_leases

#: Turns of the reactor after which what must happen has not happened.
PATIENCE: Final = 20_000
#: Refusals of acts that need a right.
REFUSED: Final = {
    Kind.FORBIDDEN, Kind.UNAUTHORIZED, Kind.BANNED, Kind.MUTED, Kind.ROOM_CLOSED,
}  # fmt: skip
_plays = count()


class Worker:
    """A worker: one of two processes."""

    def __init__(self, server: RedisServer, reactor: Any) -> None:
        self.time = Time(reactor)
        self.hub = Hub(self.time, write_all)
        self.backend = connect(server.url, reactor, Retention(0, 0))
        self.chat = Chat(
            self.backend,
            self.hub,
            self.time,
            max_message=1_000,
            default_room="lobby",
            rate=0,
            pace=Pace(self.time, per_ip=0),
            leases=make_leases(self.time),
            rules=make_rules(self.backend, self.time, USUAL),
        )
        directory = self.chat.directory
        self.backend.start(
            self.hub, lambda: directory.report("here/1", 0, 0), self.chat.presence, self.chat.record
        )


class Resident(RecordingClient):
    """A client that stays in a room until it must leave."""

    encoding = Encoding.V1

    def __init__(self, worker: Worker, person: Person, room: str) -> None:
        super().__init__()
        self.person, self.room = person, room
        self.can: list[str] = []
        request = JoinRequest(room, Encoding.V1)
        actor = person.actor(stays=True)
        self.session = Session(worker.chat, worker.time, actor, request, self)
        self.opened = Deferred.fromCoroutine(self.session.open())

    def turn_away(self, error: ChatError) -> None:
        super().turn_away(error)
        self.session.close()

    def told(self) -> list[str]:
        """Rights of the resident, as far as it was told."""
        for frame in map(json.loads, self.frames()):
            self.can = frame.get("can", self.can)
        return self.can


class Play:
    """People, two workers, and what becomes of it all."""

    def __init__(self, workers: list[Worker], reactor: Any, grants: list[Grants]) -> None:
        self.workers, self.reactor, self.oracle = workers, reactor, Oracle()
        name = f"x{next(_plays)}"
        self.rooms = [f"{name}-a", f"{name}-b"]
        self.patterns = [*self.rooms, f"{name}-*", f"{name[:1]}*", EVERYWHERE]
        own = [
            {(self.rooms[0] if room == "a" else f"{name}-*"): held for room, held in each.items()}
            for each in grants
        ]
        self.people = {
            "guest": Person("guest", User(f"{name}g", "G"), "192.0.2.1"),
            "newcomer": Person("guest", User(f"{name}n", "N"), "192.0.2.1"),
            "nobody": Person("guest", None, "192.0.2.2"),
            "user": Person("user", User(f"{name}u", "U", verified=True), "192.0.2.3"),
            "granted": Person("user", User(f"{name}v", "V", verified=True), "192.0.2.4", own[0]),
            "key": Person("key", None, "192.0.2.5", own[1]),
            "moderator": Person(
                "user", User(f"{name}m", "M", verified=True), "192.0.2.6",
                grants_of({f"{name}-*": ["join", "history", "send", "moderate"]}),
            ),
            "manager": Person(
                "user", User(f"{name}o", "O", verified=True), "192.0.2.7", ALL_GRANTS
            ),
        }  # fmt: skip
        self.residents = [
            Resident(workers[number % 2], self.people[who], room)
            for number, (who, room) in enumerate(
                (who, room)
                for who in ("guest", "user", "granted", "moderator")
                for room in self.rooms
                if "join" in self.oracle.rights(self.people[who], room)
            )
        ]
        self.until(lambda: all(each.opened.called and each.told() for each in self.residents))
        self.inside = set(self.residents)

    def until(self, holds: Callable[[], Any]) -> None:
        for _ in range(PATIENCE):
            if holds():
                return
            self.reactor.iterate(0.001)
        raise AssertionError("it did not happen")

    def outcome(self, attempt: Callable[[], Any]) -> Kind | None:
        """Why something was refused; None if it was done."""
        ended: list[Any] = []

        async def tried() -> Any:
            return await attempt()

        Deferred.fromCoroutine(tried()).addBoth(ended.append)
        self.until(lambda: ended)
        error = getattr(ended[0], "value", None)
        if error is None:
            return None
        assert isinstance(error, ChatError), error
        return error.kind

    def changes(self, who: str, worker: int, pattern: int, change: dict[str, Any]) -> None:
        """Change settings as *who*, and check the outcome."""
        person, where = self.people[who], self.patterns[pattern]
        asked = ChangeRoom(convert(change, AskedChange))
        if where.endswith("*"):
            may = "manage" in self.oracle.rights(person, EVERYWHERE)
        else:
            enough = {"manage"} | ({"moderate"} if change.keys() <= MODERATED else set())
            may = bool(self.oracle.rights(person, where) & enough)
        chat = self.workers[worker].chat
        kind = self.outcome(lambda: act(chat, person.actor(), where, asked))
        assert (kind is None, kind in REFUSED) == (may, not may), (kind, who, where, change)
        if may:
            before = self.oracle.changes.get(where, SettingsChange())
            self.oracle.changes[where] = before.changed_by(asked.set)

    def restricts(self, who: str, worker: int, whom: str, room: int, more: dict[str, Any]) -> None:
        """Restrict *whom* as *who*, and check the outcome."""
        person, user = self.people[who], self.people[whom].user
        assert user is not None
        asked = Restrict(user.id, guest=not user.verified, **more)
        where = EVERYWHERE if asked.everywhere else self.rooms[room]
        by = self.reach(person, whom, where)
        chat = self.workers[worker].chat
        kind = self.outcome(lambda: act(chat, person.actor(), self.rooms[room], asked))
        if kind is None:
            assert by is not None, (who, whom, where)
            self.restricted(asked, where, by, self.people[whom])
        elif by is not None and who != whom:
            # A moderator may be out of another's reach, where that is seen to be one.
            assert "moderate" in self.oracle.rights(self.people[whom], where), (who, whom, kind)

    def reach(self, person: Person, whom: str, where: str) -> ByRight | None:
        """The right by which *person* can do something about somebody; None if there is none."""
        user, by = self.people[whom].user, self.oracle.by(person, where)
        assert user is not None
        known = self.oracle.restrictions.get((where, user.subject))
        if by == "moderate" and known is not None and known.by == "manage":
            return None
        return by

    def restricted(self, asked: Restrict, where: str, by: ByRight, target: Person) -> None:
        assert target.user is not None
        made = Restriction(asked.kind, by, target.user, Author("user"), 0)
        subject, name = target.user.subject, f"a:{target.actor().source.mark}"
        self.oracle.restrictions[where, subject] = made
        if asked.address:
            self.oracle.restrictions[where, name] = replace(made, via=subject)
        else:
            self.forget(where, subject)

    def forget(self, where: str, subject: str) -> None:
        """Addresses are restricted as long as the person is."""
        for key, each in list(self.oracle.restrictions.items()):
            if key[0] == where and each.via == subject:
                del self.oracle.restrictions[key]

    def pardons(self, who: str, worker: int, whom: str, room: int, *, everywhere: bool) -> None:
        """Pardon *whom* as *who*, and check the outcome."""
        person, user = self.people[who], self.people[whom].user
        assert user is not None
        asked = Pardon(user.id, guest=not user.verified, everywhere=everywhere)
        where = EVERYWHERE if everywhere else self.rooms[room]
        chat, by = self.workers[worker].chat, self.reach(person, whom, where)
        kind = self.outcome(lambda: act(chat, person.actor(), self.rooms[room], asked))
        if kind is None:
            assert by is not None, (who, whom, where)
            del self.oracle.restrictions[where, user.subject]
            self.forget(where, user.subject)
        elif by is not None and who != whom and (where, user.subject) in self.oracle.restrictions:
            assert "moderate" in self.oracle.rights(self.people[whom], where), (who, whom, kind)

    def tries(self, who: str, worker: int, room: int, what: int) -> None:
        """Attempt an act as *who* on a new visit, and check the outcome."""
        needs, where, attempt = ATTEMPTS[what]
        person, name = self.people[who], self.rooms[room]
        held = self.oracle.rights(person, where or name)
        kind = self.outcome(lambda: attempt(self.workers[worker].chat, person.actor(), name))
        # A held message was accepted.
        done = kind in (None, Kind.HELD)
        assert (done, kind in REFUSED) == (needs in held, needs not in held), (
            who, name, needs, kind, held,
        )  # fmt: skip

    def settle(self) -> None:
        """Both workers know, and those that are there are told; or are there no more."""
        first, second = self.workers
        for name in ("settings", "restrictions"):
            one, other = (getattr(each.chat, name)._shared for each in (first, second))
            self.until(lambda: sorted(one.items()) == sorted(other.items()))  # noqa: B023
        for each in list(self.inside):
            if "join" not in self.oracle.rights(each.person, each.room):
                self.inside.discard(each)
        self.until(lambda: all(map(self.is_right, self.residents)))

    def is_right(self, resident: Resident) -> bool:
        if resident not in self.inside:
            return resident.refused is not None
        assert resident.refused is None, resident.refused
        held = self.oracle.rights(resident.person, resident.room)
        return resident.told() == [each for each in get_args(Right) if each in held]

    def end(self) -> None:
        for each in self.inside:
            each.session.close()
        for name in ("settings", "restrictions"):
            shared = getattr(self.workers[0].chat, name)._shared
            for key in dict(shared.items()):
                assert self.outcome(lambda: shared.drop(key)) is None  # noqa: B023
        self.oracle = Oracle()
        self.residents = []
        self.settle()


async def joins(chat: Chat, actor: Actor, room: str) -> None:
    sink = RecordingSink()
    await chat.watch(actor, room, sink)
    chat.unwatch(room, sink)


ATTEMPTS: Final[list[tuple[Right, str | None, Callable[[Chat, Actor, str], Any]]]] = [
    ("join", None, joins),
    ("join", None, lambda chat, actor, room: chat.place(actor, room)),
    ("history", None, lambda chat, actor, room: chat.history(actor, room, Window())),
    ("send", None, lambda chat, actor, room: chat.send(actor, room, "x")),
    ("moderate", EVERYWHERE, lambda chat, actor, room: chat.audit.history(actor, Window())),
    ("manage", EVERYWHERE, lambda chat, actor, room: chat.overview.rooms(actor)),
]
