"""Checks the identity of a user of the site, from any source."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from livechat.identity.actor import Lease
from livechat.identity.guests import cleaned_name
from livechat.identity.rights import Grants, grants_of
from livechat.interfaces import Identity
from livechat.protocol.looks import is_reserved, seen
from livechat.protocol.messages import User

#: Characters of an id, and of a role.
LONGEST_ID: Final = 64
LONGEST_ROLE: Final = 20
#: Characters of an id that a made-up name shows.
_SHOWN: Final = 8


class Known(Struct, frozen=True):
    """
    A user of the site.

    @ivar grants: rights by pattern; None: those of all users.
    """

    user: User
    grants: Grants | None
    lease: Lease


def known(identity: Identity, now: float) -> Known:
    """
    Check *identity*.  Its name and its role are cleaned, and left out if nothing remains.

    @param now: in seconds since 1970.
    @raise ValueError: the id or the rooms are not valid; the text says why.
    """
    known_as = checked_id(identity.id)
    return Known(
        User(known_as, _name(identity, known_as), _role(identity.role), verified=True),
        None if identity.rooms is None else grants_of(identity.rooms),
        Lease(
            int(now) if identity.issued is None else identity.issued, identity.ends, identity.token
        ),
    )


def checked_id(known_as: str) -> str:
    """
    Return *known_as*, if it can be the id of a user of the site.

    @raise ValueError: it cannot.
    """
    if not isinstance(known_as, str) or not 0 < len(known_as) <= LONGEST_ID:
        raise ValueError(f"an id has 1 to {LONGEST_ID} characters")
    if not (known_as.isprintable() and seen(known_as)) or " " in known_as or "!" in known_as:
        raise ValueError(f"{known_as!r} has blanks, '!' or characters that cannot be seen")
    return known_as


def _name(identity: Identity, known_as: str) -> str:
    for name in (identity.name, known_as):
        cleaned = None if name is None else cleaned_name(name)
        if cleaned is not None and not is_reserved(cleaned):
            return cleaned
    return f"user-{known_as[:_SHOWN]}"


def _role(role: str | None) -> str | None:
    """Clean a role: it must not look like one of livechat's own, and stores end it at a blank."""
    cleaned = None if role is None else cleaned_name(role)
    if cleaned is None:
        return None
    cut = "-".join(cleaned[:LONGEST_ROLE].split())
    return None if is_reserved(cut) else cut
