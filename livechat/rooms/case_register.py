"""
Cases, as all processes share them.

The shared map ``cases`` has them by id.  This register also finds them by owner, by the author of
the message, and by the reported message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.moderation import Case

#: The most cases at a time, and the most reports among them. Beyond these none is opened.
MOST_CASES: Final = 2_000
MOST_REPORTS: Final = 500
#: The most open cases of one subject, or of all guests of an address.
MOST_OF_AN_OWNER: Final = 5
#: The most bytes of a case.
LARGEST_CASE: Final = 20_480

#: An index of cases: the kind of key, and the keys.
Trait = tuple[str, ...]
_REPORTS: Final[Trait] = ("kind", "report")
#: The state of a case that is approved, its message not stored yet.
_UNFINISHED: Final[Trait] = ("unfinished",)
_OPEN: Final[Trait] = ("open",)

_decoder: Final = msgspec.json.Decoder(Case)
_encoder: Final = msgspec.json.Encoder()
_log = Logger()


class Found(NamedTuple):
    """
    A case that is there.

    @ivar value: as the map has it, to be compared.
    """

    id: str
    value: bytes
    case: Case


class CaseRegister:
    """Keeps cases, and finds them."""

    def __init__(self, shared: ISharedMap, changed: Callable[[str, Case], None]) -> None:
        """
        @param shared: `cases_map`.
        @param changed: told of a case that was opened or changed at any process, and its id.
        """
        self._shared = shared
        self._tell = changed
        # Cases without their messages, which the map has.
        self._known: dict[str, Case] = {}
        self._by_trait: dict[Trait, dict[str, None]] = {}
        # Cases that are being opened.
        self._opening: Counter[Trait] = Counter()
        for known_as, value in shared.items():
            self._enter(known_as, _read(known_as, value))
        shared.watch(self._changed)

    def find(self, known_as: str) -> Found | None:
        """Find a case by its id."""
        value = self._shared.get(known_as)
        case = None if value is None else _read(known_as, value)
        return None if value is None or case is None else Found(known_as, value, case)

    def of_author(self, subject: str) -> Iterator[Found]:
        """The open cases about messages of *subject*."""
        return self._of(_author(subject))

    def of_message(self, room: str, ref: int) -> Iterator[Found]:
        """The open reports of a message."""
        return self._of(_message(room, ref))

    def concerning(self, subject: str) -> list[Found]:
        """The cases, decided ones among them, in which *subject* has a part."""
        known = [self.find(key) for key in tuple(self._known)]
        return [each for each in known if each is not None and _has_part(each.case, subject)]

    def unfinished(self) -> Iterator[Found]:
        """The cases that were approved, and whose messages are not stored yet."""
        return self._of(_UNFINISHED)

    def open(self) -> Iterator[Found]:
        """All open cases, in no order."""
        return self._of(_OPEN)

    def has_unfinished(self) -> bool:
        """Tell whether some cases may be `unfinished`."""
        return _UNFINISHED in self._by_trait

    def catch_up(self) -> Deferred[None]:
        """Call `livechat.interfaces.ISharedMap.catch_up` of the map."""
        return self._shared.catch_up()

    async def add(self, known_as: str, case: Case, until: int) -> bool:
        """
        Open a case; return False if there is one with this id.

        @raise ChatError: there are too many; it is too large; or as
            `livechat.interfaces.ISharedMap.put`.
        """
        value = _encoder.encode(case)
        if len(value) > LARGEST_CASE:
            raise ChatError(Kind.MESSAGE_TOO_LONG, "The message is too long to wait for a review.")
        self._check_room(case)
        traits = tuple(_traits(case))
        self._opening.update(traits)
        try:
            return await self._shared.put(known_as, value, until, expect=None)
        finally:
            self._opening.subtract(traits)
            self._opening += Counter()

    def _check_room(self, case: Case) -> None:
        """
        @raise ChatError: there are too many.
        """
        owner = ("owner", case.owner)
        if self._count(owner) >= MOST_OF_AN_OWNER:
            raise ChatError(
                Kind.OVERLOADED,
                f"{MOST_OF_AN_OWNER} of your messages and reports wait; wait until one is decided.",
            )
        if case.kind == "report" and self._count(_REPORTS) >= MOST_REPORTS:
            raise ChatError(Kind.OVERLOADED, "There are too many reports; try again later.")
        if len(self._known) > MOST_CASES:
            self._forget(self._known)

    async def change(self, found: Found, case: Case, until: int) -> bool:
        """
        Put *case* in the place of *found*; return False if that is no longer as it was.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`.
        """
        return await self._shared.put(found.id, _encoder.encode(case), until, expect=found.value)

    def drop(self, known_as: str) -> Deferred[None]:
        """Remove a case.  Fails as `livechat.interfaces.ISharedMap.drop`."""
        return self._shared.drop(known_as)

    def _count(self, trait: Trait) -> int:
        self._forget(self._by_trait.get(trait, ()))
        return self._opening[trait] + len(self._by_trait.get(trait, ()))

    def _forget(self, those: Iterable[str]) -> None:
        """Forget the expired cases among *those*.  That is no change to tell."""
        for known_as in [each for each in those if self._shared.get(each) is None]:
            self._enter(known_as, None)

    def _of(self, trait: Trait) -> Iterator[Found]:
        for known_as in tuple(self._by_trait.get(trait, ())):
            found = self.find(known_as)
            if found is not None:
                yield found

    def _changed(self, keys: Collection[str]) -> None:
        for known_as in keys:
            value, before = self._shared.get(known_as), self._known.get(known_as)
            case = None if value is None else _read(known_as, value)
            self._enter(known_as, case)
            if case is None or _bare(case) == before:
                continue
            try:
                self._tell(known_as, case)
            except Exception:  # noqa: BLE001 - the other watchers, and the act, must not notice
                _log.failure("The change of a case could not be told.")

    def _enter(self, known_as: str, case: Case | None) -> None:
        """Know *case* by this id; None: no longer."""
        before = self._known.pop(known_as, None)
        for trait in () if before is None else _traits(before):
            those = self._by_trait[trait]
            those.pop(known_as, None)
            if not those:
                del self._by_trait[trait]
        if case is not None:
            self._known[known_as] = _bare(case)
            for trait in _traits(case):
                self._by_trait.setdefault(trait, {})[known_as] = None


def cases_map(backend: IBackend) -> ISharedMap:
    """The map of cases."""
    return backend.shared_map("cases", most=MOST_CASES, largest=LARGEST_CASE)


def data_of(case: Case) -> Raw | None:
    """The data of a case's message."""
    return Raw(case.data.encode()) if case.data else None


def data_text(data: Raw | None) -> str:
    """Data of a message, as a case has them."""
    return "" if data is None else bytes(data).decode()


def size(case: Case) -> int:
    """The bytes of *case* in the map."""
    return len(_encoder.encode(case))


def _read(known_as: str, value: bytes) -> Case | None:
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as reason:
        # As a later livechat may write them.
        _log.warn("The case {id} cannot be read: {reason}", id=known_as, reason=reason)
        return None


def _bare(case: Case) -> Case:
    return replace(case, message="", data="")


def _has_part(case: Case, subject: str) -> bool:
    reviewer = None if case.reviewer is None else case.reviewer.user
    people = [each for each in (case.user, case.reporter, reviewer) if each is not None]
    return case.owner == subject or any(each.subject == subject for each in people)


def _author(subject: str) -> Trait:
    return "author", subject


def _message(room: str, ref: int) -> Trait:
    return "message", room, str(ref)


def _traits(case: Case) -> Iterable[Trait]:
    if case.state == "open":
        yield _OPEN
        yield "owner", case.owner
        yield "kind", case.kind
        if case.user is not None:
            yield _author(case.user.subject)
        if case.ref is not None:
            yield _message(case.room, case.ref)
    elif case.state == "approved" and case.seq is None:
        yield _UNFINISHED
