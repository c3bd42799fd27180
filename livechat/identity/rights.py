"""
The rights of an identity in a room, as one pure function.

There are five rights.  Four inputs decide, in this order:

    the kind       guests have what the room's setting ``guests`` says; users of the site may join,
                   read and send; keys and operators have nothing
    the grants     of a token, a key or an operator take the place of that
    the settings   a room for members only takes away what the kind gives; a closed room lets in
                   only those that moderate or manage
    restrictions   take away: a ban everything, a mute the sending

Grants are by patterns: a room's name, or a prefix of names with ``*`` behind it.  The exact name
counts before the longest prefix, and only one pattern counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeGuard, get_args

from livechat.protocol.moderation import Restriction
from livechat.protocol.names import is_internal, is_pattern
from livechat.protocol.settings import Guests, RoomSettings

#: A right in a room: to be there, to read its history, to send, to remove others' messages, to
#: change everything.
Right = Literal["join", "history", "send", "moderate", "manage"]
Rights = frozenset[Right]
Kind = Literal["guest", "user", "key", "operator"]
#: Rights by pattern.
Grants = Mapping[str, Rights]

NO_RIGHTS: Final[Rights] = frozenset()
READERS_RIGHTS: Final[Rights] = frozenset(("join", "history"))
USERS_RIGHTS: Final[Rights] = READERS_RIGHTS | {"send"}
ALL_RIGHTS: Final[Rights] = frozenset(get_args(Right))
#: The name of no room: rights there are rights in everything that belongs to no room.
EVERYWHERE: Final = "*"
#: The most patterns of an identity.
MOST_PATTERNS: Final = 100

_GUESTS: Final[Mapping[Guests, Rights]] = {
    "on": USERS_RIGHTS,
    "read": READERS_RIGHTS,
    "off": NO_RIGHTS,
}


def rights(
    kind: Kind,
    grants: Grants | None,
    room: str,
    settings: RoomSettings,
    restrictions: Iterable[Restriction] = (),
) -> Rights:
    """
    Compute the rights of an identity in *room*; `EVERYWHERE` stands for everything without a room.

    @param grants: of its token or key, or as an operator; None if it has none.
    @param restrictions: those of it in this room.
    """
    if is_internal(room):
        return NO_RIGHTS
    if grants is not None:
        found = granted(grants, room)
    elif settings.members:
        found = NO_RIGHTS
    else:
        found = _of_kind(kind, settings.guests)
    if settings.closed and not found & {"moderate", "manage"}:
        return NO_RIGHTS
    for each in restrictions:
        if binds(each, found):
            found = _restricted(found, each)
    return found


def binds(restriction: Restriction, held: Rights) -> bool:
    """Tell whether *restriction* binds an identity with the rights *held*."""
    if "manage" in held:
        return False
    return restriction.by == "manage" or "moderate" not in held


def granted(grants: Grants, room: str) -> Rights:
    """The rights of the one pattern that counts for *room*."""
    exact = grants.get(room)
    if exact is not None:
        return exact
    fitting = (
        pattern for pattern in grants if pattern[-1:] == "*" and room.startswith(pattern[:-1])
    )
    best = max(fitting, key=len, default=None)
    return NO_RIGHTS if best is None else grants[best]


def grants_of(rooms: Mapping[str, Sequence[str]]) -> Grants:
    """
    Check grants as tokens and keys carry them: ``{"lobby": ["join", "send"], "team-*": ["*"]}``.

    @raise ValueError: a pattern or a right is not valid, or there are too many.
    """
    if len(rooms) > MOST_PATTERNS:
        raise ValueError(f"there are more than {MOST_PATTERNS} patterns of rooms")
    found: dict[str, Rights] = {}
    for pattern, words in rooms.items():
        if not is_pattern(pattern):
            raise ValueError(f"{pattern!r} is no room, and no beginning of rooms with * behind it")
        given: set[Right] = set()
        for word in words:
            if word == "*":
                given |= ALL_RIGHTS
            elif _is_right(word):
                given.add(word)
            else:
                raise ValueError(f"{word!r} is no right; there are {', '.join(get_args(Right))}")
        found[pattern] = frozenset(given)
    return found


def within(wanted: Grants, held: Grants) -> bool:
    """Tell whether *wanted* gives in no room more than *held* does."""
    # Rooms that fit the same patterns are alike, so one of each kind is enough: the named ones, and
    # for each prefix one room that no other pattern fits.
    patterns = {*wanted, *held}
    names = {each for each in patterns if not each.endswith("*")}
    beginnings = {each[:-1] for each in patterns if each.endswith("*")}
    others = {_unlike(each, patterns) for each in beginnings}
    return all(granted(wanted, room) <= granted(held, room) for room in names | others)


def _unlike(beginning: str, patterns: Iterable[str]) -> str:
    """Make a name with this prefix that fits no longer pattern."""
    longest = max(map(len, patterns), default=0)
    # This character is in no pattern.
    return beginning + "!" * (longest + 1)


def _of_kind(kind: Kind, guests: Guests) -> Rights:
    if kind == "guest":
        return _GUESTS[guests]
    return USERS_RIGHTS if kind == "user" else NO_RIGHTS


def _restricted(found: Rights, restriction: Restriction) -> Rights:
    if restriction.kind == "ban":
        return NO_RIGHTS
    return found - {"send"} if restriction.kind == "mute" else found


def _is_right(word: str) -> TypeGuard[Right]:
    return word in ALL_RIGHTS
