"""`livechat.identity.rights`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.identity.rights import (
    ALL_RIGHTS,
    EVERYWHERE,
    MOST_PATTERNS,
    NO_RIGHTS,
    Grants,
    Kind,
    Right,
    Rights,
    granted,
    grants_of,
    rights,
    within,
)
from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import ByRight, Restriction, RestrictionKind
from livechat.protocol.settings import RoomSettings as Settings

R = frozenset[Right](("join", "history"))
U = R | {"send"}
M = U | {"moderate"}
OPEN = Settings()


def restricted(kind: RestrictionKind, by: ByRight) -> Restriction:
    return Restriction(kind, by, User("1", "Ann"), Author("operator"), 0)


def may(*words: str) -> dict[str, Sequence[str]]:
    return {"lobby": words}


@pytest.mark.parametrize(
    ("kind", "rooms", "settings", "restrictions", "expected"),
    [
        # The kind.
        ("guest", None, OPEN, (), U),
        ("guest", None, Settings(guests="read"), (), R),
        ("guest", None, Settings(guests="off"), (), NO_RIGHTS),
        ("user", None, OPEN, (), U),
        ("user", None, Settings(guests="off"), (), U),
        ("key", None, OPEN, (), NO_RIGHTS),
        ("operator", None, OPEN, (), NO_RIGHTS),
        # Grants replace that, whatever they say.
        ("user", may("join"), OPEN, (), {"join"}),
        ("user", may(), OPEN, (), NO_RIGHTS),
        ("user", {}, OPEN, (), NO_RIGHTS),
        ("user", may("*"), OPEN, (), ALL_RIGHTS),
        ("user", {"*": ["*"], "lobby": ["join"]}, OPEN, (), {"join"}),
        ("user", {"*": ["*"], "lob*": ["send"], "lo*": ["join"]}, OPEN, (), {"send"}),
        ("user", {"lobb": ["*"], "lobby2": ["*"], "obby*": ["*"]}, OPEN, (), NO_RIGHTS),
        ("user", {"lobby*": ["join"]}, OPEN, (), {"join"}),
        ("key", may("send"), Settings(guests="off"), (), {"send"}),
        # A room for members has grants only.
        ("guest", None, Settings(members=True), (), NO_RIGHTS),
        ("user", None, Settings(members=True), (), NO_RIGHTS),
        ("user", may("join"), Settings(members=True), (), {"join"}),
        # A closed one lets in those that moderate or manage.
        ("user", may("join", "send"), Settings(closed=True), (), NO_RIGHTS),
        ("user", may("join", "moderate"), Settings(closed=True), (), {"join", "moderate"}),
        ("operator", may("*"), Settings(closed=True), (), ALL_RIGHTS),
        # Restrictions take away, from nobody of the same right.
        ("guest", None, OPEN, [restricted("mute", "moderate")], R),
        ("guest", None, OPEN, [restricted("hold", "moderate")], U),
        ("guest", None, OPEN, [restricted("ban", "moderate")], NO_RIGHTS),
        ("user", may(*M), OPEN, [restricted("ban", "moderate")], M),
        ("user", may(*M), OPEN, [restricted("mute", "manage")], M - {"send"}),
        ("user", may(*M), OPEN, [restricted("ban", "manage")], NO_RIGHTS),
        ("user", may("*"), OPEN, [restricted("ban", "manage")], ALL_RIGHTS),
    ],
)
def test_each_input_changes_rights(
    kind: Kind,
    rooms: Mapping[str, Sequence[str]] | None,
    settings: Settings,
    restrictions: Sequence[Restriction],
    expected: Rights,
) -> None:
    """Each input by itself."""
    grants = None if rooms is None else grants_of(rooms)
    assert rights(kind, grants, "lobby", settings, restrictions) == expected


def test_internal_rooms_give_no_rights() -> None:
    """Internal rooms give rights to nobody, and no pattern matches them."""
    assert rights("operator", {EVERYWHERE: ALL_RIGHTS}, "!audit", OPEN) == NO_RIGHTS


def test_everywhere_takes_the_pattern_of_all_rooms() -> None:
    """A thing that belongs to no room needs the pattern of all rooms."""
    assert rights("key", grants_of({"*": ["manage"]}), EVERYWHERE, OPEN) == {"manage"}
    assert rights("key", grants_of({"a*": ["manage"]}), EVERYWHERE, OPEN) == NO_RIGHTS


@pytest.mark.parametrize(
    "rooms",
    [
        {"": ["join"]},
        {"!audit": ["join"]},
        {"a b": ["join"]},
        {"a*b": ["join"]},
        {"**": ["join"]},
        {"x" * 129: ["join"]},
        {"lobby\n": ["join"]},
        {"lobby": ["fly"]},
        {"lobby": [""]},
        {"lobby": ["Join"]},
        {f"r{number}": ["join"] for number in range(MOST_PATTERNS + 1)},
    ],
)
def test_bad_grants_are_refused(rooms: Any) -> None:
    """A pattern that is none, a word that is no right, too many."""
    with pytest.raises(ValueError, match=r"is no r|patterns of rooms"):
        grants_of(rooms)


_NAMES = st.text("ab", min_size=1, max_size=3)
_GRANTS = st.dictionaries(
    st.one_of(_NAMES, st.builds("{}*".format, st.text("ab", max_size=3))),
    st.frozensets(st.sampled_from(get_args(Right))),
    max_size=6,
)
_RESTRICTIONS = st.lists(
    st.builds(
        restricted,
        st.sampled_from(["mute", "hold", "ban"]),
        st.sampled_from(["moderate", "manage"]),
    ),
    max_size=3,
)


def oracle(
    kind: Kind,
    grants: Grants | None,
    room: str,
    settings: Settings,
    restrictions: Iterable[Restriction],
) -> set[Right]:
    """The rules once more, right by right and in other words."""
    found = set[Right]()
    for right in get_args(Right):
        if grants is not None:
            beginnings = [room, *(f"{room[:size]}*" for size in range(len(room), -1, -1))]
            pattern = next((each for each in beginnings if each in grants), None)
            has = pattern is not None and right in grants[pattern]
        else:
            levels = {"on": 3, "read": 2, "off": 0}
            level = {"user": 3, "guest": levels[settings.guests]}.get(kind, 0)
            has = not settings.members and right in ("join", "history", "send")[:level]
        if has:
            found.add(right)
    leads = bool(found & {"moderate", "manage"})
    if settings.closed and not leads:
        return set()
    for each in restrictions:
        if "manage" in found or ("moderate" in found and each.by == "moderate"):
            continue
        if each.kind == "ban":
            return set()
        if each.kind == "mute":
            found.discard("send")
    return found


@given(
    kind=st.sampled_from(get_args(Kind)),
    grants=st.none() | _GRANTS,
    room=_NAMES,
    settings=st.builds(
        Settings,
        guests=st.sampled_from(["on", "read", "off"]),
        members=st.booleans(),
        closed=st.booleans(),
    ),
    restrictions=_RESTRICTIONS,
)
def test_rights_agree_with_the_oracle(
    kind: Kind,
    grants: Grants | None,
    room: str,
    settings: Settings,
    restrictions: list[Restriction],
) -> None:
    """All inputs together."""
    expected = oracle(kind, grants, room, settings, restrictions)
    assert rights(kind, grants, room, settings, restrictions) == expected


@given(_GRANTS, _GRANTS, _NAMES)
def test_grants_within_others_give_nothing_more(wanted: Grants, held: Grants, room: str) -> None:
    """Grants within others give nothing more, in any room."""
    if within(wanted, held):
        assert granted(wanted, room) <= granted(held, room)
    assert within(wanted, wanted)
    assert within({}, held)


@given(_GRANTS, _GRANTS)
def test_grants_beyond_others_are_found(wanted: Grants, held: Grants) -> None:
    """Rights that exceed others show in some room."""
    rooms = [*wanted, *held, *(each.replace("*", "ccccc") for each in (*wanted, *held))]
    named = [each for each in rooms if not each.endswith("*")]
    more = any(not granted(wanted, room) <= granted(held, room) for room in named)
    assert within(wanted, held) is not more
