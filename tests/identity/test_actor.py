"""`livechat.identity.actor`."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from livechat.identity.actor import GUESTS_RIGHTS, OPERATOR, Actor, operator
from livechat.interfaces import IActor
from livechat.limits.rates import Rate
from livechat.limits.source import Source

SOURCE = Source("192.0.2.1", Rate.of(0))


def test_is_what_policies_see() -> None:
    """An actor has all that extensions are promised."""
    actor = Actor("guest", SOURCE, GUESTS_RIGHTS)
    assert verifyObject(IActor, actor)
    assert (actor.kind, actor.user, actor.address) == ("guest", None, "192.0.2.1")


def test_nobody_changes_an_actor() -> None:
    """Not an extension either, which is handed it."""
    actor = Actor("guest", SOURCE, GUESTS_RIGHTS)
    with pytest.raises(AttributeError):
        actor.rights = frozenset()  # type: ignore[misc]


def test_operators() -> None:
    """Operators may everything, guests neither moderate nor manage."""
    actor = operator(SOURCE)
    assert (actor.kind, actor.user) == ("operator", OPERATOR)
    assert actor.rights - GUESTS_RIGHTS == {"moderate", "manage"}
