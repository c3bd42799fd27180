"""The oracle of moderated rooms: rights by settings and restrictions as they were asked for."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE, Grants, Right, Rights, rights
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.messages import User
from livechat.protocol.moderation import ByRight, Restriction
from livechat.protocol.names import fits
from livechat.protocol.settings import RoomSettings, SettingsChange

USUAL: Final = RoomSettings()


class Person(NamedTuple):
    """A person as the door would know it: a new actor for each visit, with rights of its own."""

    kind: Any
    user: User | None
    address: str
    grants: Grants | None = None

    def actor(self, *, stays: bool = False) -> Actor:
        source = Source(self.address, Rate.of(0))
        source.marked(b"a secret")
        connection = "c" if stays else None
        return Actor(self.kind, source, self.user, True, connection, self.grants)


class Oracle:
    """Changes as they were asked for."""

    def __init__(self) -> None:
        self.changes: dict[str, SettingsChange] = {}
        self.restrictions: dict[tuple[str, str], Restriction] = {}

    def settings(self, room: str) -> RoomSettings:
        found = USUAL
        patterns = sorted(
            (each for each in self.changes if fits(room, each)),
            key=lambda each: (not each.endswith("*"), len(each)),
        )
        beginnings = [each for each in patterns if each.endswith("*") and each != EVERYWHERE]
        for each in patterns:
            if each not in beginnings[:-1]:
                found = self.changes[each].over(found)
        return found

    def rights(self, person: Person, room: str) -> Rights:
        actor = person.actor()
        names = [f"a:{actor.source.mark}"]
        if person.user is not None:
            names.append(person.user.subject)
        binding = [
            self.restrictions[where, name]
            for name in names
            for where in (room, EVERYWHERE)
            if (where, name) in self.restrictions
        ]
        # The rights without any restriction decide which restrictions bind.
        held = rights(person.kind, person.grants, room, self.settings(room))
        binding = [each for each in binding if not held & ({"manage"} | stronger(each.by))]
        return rights(person.kind, person.grants, room, self.settings(room), binding)

    def by(self, person: Person, where: str) -> ByRight | None:
        """The right by which somebody acts on people in a room."""
        held = self.rights(person, where)
        if "manage" in held:
            return "manage"
        return "moderate" if "moderate" in held and where != EVERYWHERE else None


def stronger(by: ByRight) -> set[Right]:
    return {"moderate"} if by == "moderate" else set()
