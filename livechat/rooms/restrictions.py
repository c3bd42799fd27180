"""
Restrictions of people, as all processes share them.

The shared map ``restrictions`` has two kinds of keys, with a room's name or ``*`` for all rooms
before the bar:

    ROOM|u:ID, ROOM|g:ID    a user of the site, a guest (`livechat.protocol.messages.User.subject`)
    ROOM|a:MARK             everybody at an address, of which only a keyed hash is known
                            (`livechat.limits.source.Source.mark`)

A forgotten person has a pseudonym in place of the id (`livechat.identity.pseudonyms`).  Every
process remembers users' recent addresses.  If a restriction says so, each process that knows an
address of the person restricts it, too, so that a new key does not help.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.identity.actor import Actor
from livechat.identity.pseudonyms import Pseudonyms, is_pseudonym
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.messages import User
from livechat.protocol.moderation import LONGEST_ADDRESS, Restriction
from livechat.system.time import Time

#: The most restrictions at a time; beyond, none is made.
MOST_RESTRICTIONS: Final = 50_000
#: The most bytes of one: names, a reason.
_LARGEST: Final = 4_096
#: Seconds for which a process remembers a user's addresses, and the most users that it remembers.
REMEMBERED: Final = 3_600.0
MOST_REMEMBERED: Final = 100_000
#: Seconds, and users, of one generation of remembered users.
GENERATION: Final = 600.0
FULL: Final = MOST_REMEMBERED // 10
#: The most addresses remembered of one user.
MOST_ADDRESSES: Final = 8
#: The beginning of an address's key.
_ADDRESS: Final = "a:"

_decoder: Final = msgspec.json.Decoder(Restriction)
_log = Logger()


class Restrictions:
    """Finds the restrictions of actors, and keeps them."""

    def __init__(
        self, shared: ISharedMap, time: Time, pseudonyms: Pseudonyms | None = None
    ) -> None:
        """
        @param shared: `restrictions_map`.
        @param pseudonyms: of people who were forgotten; None if forgetting is not possible.
        """
        self._shared = shared
        self._pseudonyms = pseudonyms
        # Keys of people who were forgotten.
        self._forgotten: set[str] = set()
        self._time = time
        self._known: dict[str, Restriction] = {}
        self._watchers: list[Callable[[Collection[str]], None]] = []
        self._origins = Origins(time)
        self._read_all()
        shared.watch(self._changed)

    def of(self, actor: Actor, room: str) -> list[Restriction]:
        """The restrictions in *room* that concern *actor* now, binding or not."""
        if not self._known:
            return []
        now = self._time.wall()
        found = (self._known.get(key) for key in self._keys(actor, room))
        return [each for each in found if each is not None and not _is_over(each, now)]

    def _keys(self, actor: Actor, room: str) -> Iterator[str]:
        names = names_of(actor)
        if self._forgotten and actor.user is not None:
            names += self._pseudonym(actor.user.subject)
        for name in names:
            yield f"{room}|{name}"
            yield f"{EVERYWHERE}|{name}"

    def _pseudonym(self, subject: str) -> list[str]:
        """The name under which *subject* may be restricted since it was forgotten, if any."""
        found = None if self._pseudonyms is None else self._pseudonyms.of(subject)
        return [] if found is None else [found]

    def get(self, room: str, subject: str) -> Restriction | None:
        """The restriction of *subject* in *room*, or in all rooms if that is `EVERYWHERE`."""
        now = self._time.wall()
        names = [subject, *self._pseudonym(subject)] if self._forgotten else [subject]
        found = (self._known.get(f"{room}|{name}") for name in names)
        return next((each for each in found if each is not None and not _is_over(each, now)), None)

    def items(self) -> Iterator[tuple[str, str, Restriction]]:
        """All restrictions of people, in no order: the room, the subject, the restriction."""
        now = self._time.wall()
        for key, each in self._known.items():
            if not each.via and not _is_over(each, now):
                room, _, subject = key.partition("|")
                yield room, subject, each

    def all(self) -> Iterator[tuple[str, Restriction]]:
        """All restrictions, those of addresses included, each with its room."""
        for key, each in list(self._known.items()):
            yield key.partition("|")[0], each

    def saw(self, actor: Actor) -> None:
        """Remember the address of *actor*."""
        if actor.user is not None and actor.source.mark is not None:
            self._origins.add(actor.user.subject, actor.source.mark)

    async def put(self, room: str, subject: str, restriction: Restriction) -> None:
        """
        Restrict *subject*, in place of any former restriction, of its addresses too.  Returns once
        that is in force here.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`.
        """
        await self._put(f"{room}|{subject}", restriction)
        if not restriction.address:
            await self._drop_addresses(room, subject)

    def _put(self, key: str, restriction: Restriction) -> Deferred[bool]:
        return self._shared.put(key, msgspec.json.encode(restriction), restriction.until)

    async def drop(self, room: str, subject: str) -> None:
        """
        End the restriction of *subject*, and those of addresses that followed from it.  No-op if
        there is none.

        @raise ChatError: as `livechat.interfaces.ISharedMap.drop`.
        """
        for name in [subject, *self._pseudonym(subject)] if self._forgotten else [subject]:
            # The person's own comes first, or a process might restrict an address once more.
            await self._shared.drop(f"{room}|{name}")
            await self._drop_addresses(room, name)

    async def forget(self, subject: str, pseudonym: User) -> None:
        """
        Replace *subject* by *pseudonym*: in its restrictions, in force all the while, and in those
        that it has made.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`; some may be done.
        """
        for key, before in list(self._known.items()):
            room, _, name = key.partition("|")
            after = _veiled(before, subject, pseudonym)
            if name == subject:
                await self._put(f"{room}|{pseudonym.subject}", after)
                await self._shared.drop(key)
            elif after != before:
                await self._put(key, after)

    def forget_origin(self, subject: str) -> None:
        """Forget from where *subject* came."""
        self._origins.drop(subject)

    async def _drop_addresses(self, room: str, subject: str) -> None:
        begins = f"{room}|{_ADDRESS}"
        found = [
            key
            for key, each in self._known.items()
            if each.via == subject and key.startswith(begins)
        ]
        for key in found:
            await self._shared.drop(key)

    def bound(self, room: str, subject: str, since: int) -> bool:
        """Tell whether an address of *subject* is restricted in *room*, since this second."""
        begins = f"{room}|{_ADDRESS}"
        return any(
            each.via == subject and each.made >= since and key.startswith(begins)
            for key, each in self._known.items()
        )

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        """Call *changed* with the keys whose restrictions have changed; none: perhaps all."""
        self._watchers.append(changed)

    def _changed(self, keys: Collection[str]) -> None:
        for key in keys:
            self._read(key, self._shared.get(key))
        if not keys:
            self._read_all()
        for watcher in self._watchers:
            watcher(keys)
        for key in keys or tuple(self._known):
            self._bind_addresses(key)

    def _read_all(self) -> None:
        kept = dict(self._shared.items())
        for key in self._known.keys() - kept.keys():
            self._read(key, None)
        for key, value in kept.items():
            self._read(key, value)

    def _read(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._known.pop(key, None)
            self._forgotten.discard(key)
            return
        if is_pseudonym(key.partition("|")[2]):
            self._forgotten.add(key)
        try:
            self._known[key] = _decoder.decode(value)
        except msgspec.DecodeError as reason:
            _log.error("The restriction {key} cannot be read: {reason}", key=key, reason=reason)

    def _bind_addresses(self, key: str) -> None:
        """Restrict the addresses of a person whose restriction says so."""
        restriction = self._known.get(key)
        if restriction is None or not restriction.address or restriction.via:
            return
        room, _, subject = key.partition("|")
        ends = restriction.made + LONGEST_ADDRESS
        until = ends if restriction.until is None else min(ends, restriction.until)
        if until <= self._time.wall():
            return
        made = msgspec.structs.replace(restriction, until=until, address=False, via=subject)
        for mark in self._origins.of(subject):
            at = f"{room}|{_ADDRESS}{mark}"
            if self._known.get(at) != made:
                self._put(at, made).addErrback(_not_bound)


class Origins:
    """
    Marks of the addresses from which users came lately, by subject.

    Users seen within `GENERATION` seconds have the same time, that of the generation.  So a
    guest costs two pointers and a key: a flood of guests leaves as many as are remembered.
    """

    def __init__(self, time: Time) -> None:
        self._time = time
        # Generations, the newest first: when each began, and a subject's marks with blanks between
        # them.
        self._generations: deque[tuple[float, dict[str, str]]] = deque()

    def add(self, subject: str, mark: str) -> None:
        """Remember that *subject* came from the address of *mark*."""
        now = self._time.seconds()
        if self._is_over(now):
            self._begin(now)
        newest = self._generations[0][1]
        marks = [each for each in newest.get(subject, "").split() if each != mark]
        # Interned: users of one address have one string.
        newest[subject] = sys.intern(" ".join([*marks, mark][-MOST_ADDRESSES:]))

    def drop(self, subject: str) -> None:
        """Forget from where *subject* came."""
        for _, seen in self._generations:
            seen.pop(subject, None)

    def _is_over(self, now: float) -> bool:
        """Tell whether the newest generation takes no more users."""
        if not self._generations:
            return True
        began, seen = self._generations[0]
        return began <= now - GENERATION or len(seen) >= FULL

    def _begin(self, now: float) -> None:
        """Begin a generation; forget generations that are too old, and the oldest of too many."""
        left = MOST_REMEMBERED - FULL
        kept: deque[tuple[float, dict[str, str]]] = deque([(now, {})])
        for began, seen in self._generations:
            left -= len(seen)
            if began > now - REMEMBERED and left >= 0:
                kept.append((began, seen))
        self._generations = kept

    def of(self, subject: str) -> list[str]:
        """The marks of *subject* that are not too old, the newest first."""
        since = self._time.seconds() - REMEMBERED
        marks: dict[str, None] = {}
        for began, seen in self._generations:
            if began > since:
                marks |= dict.fromkeys(reversed(seen.get(subject, "").split()))
        return [*marks][:MOST_ADDRESSES]


def restrictions_map(backend: IBackend) -> ISharedMap:
    """The map of restrictions."""
    return backend.shared_map("restrictions", most=MOST_RESTRICTIONS, largest=_LARGEST)


def names_of(actor: Actor) -> list[str]:
    """The names under which *actor* may be restricted."""
    names = [] if actor.user is None else [actor.user.subject]
    if actor.source.mark is not None:
        names.append(f"{_ADDRESS}{actor.source.mark}")
    return names


def _veiled(restriction: Restriction, subject: str, pseudonym: User) -> Restriction:
    """Return *restriction* with *pseudonym* in place of *subject*."""
    user, author, reason = restriction.user, restriction.author, restriction.reason
    if user.subject == subject:
        # A reason about a person may name the person.
        user, reason = pseudonym, ""
    if author.user is not None and author.user.subject == subject:
        author = msgspec.structs.replace(author, user=pseudonym)
    via = pseudonym.subject if restriction.via == subject else restriction.via
    return msgspec.structs.replace(restriction, user=user, author=author, reason=reason, via=via)


def _is_over(restriction: Restriction, now: float) -> bool:
    return restriction.until is not None and restriction.until <= now


def _not_bound(failure: Failure) -> None:
    _log.warn("An address could not be restricted: {reason}", reason=failure.getErrorMessage())
