"""`livechat.identity.actor`."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from livechat.identity.actor import OPERATOR, Actor, Lease, operator
from livechat.identity.rights import ALL_RIGHTS, EVERYWHERE
from livechat.interfaces import IActor
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.protocol.messages import User

SOURCE = Source("192.0.2.1", Rate.of(0))
ANN = User("42", "Ann")


def test_is_what_policies_see() -> None:
    """An actor has all that extensions are promised."""
    actor = Actor("guest", SOURCE)
    assert verifyObject(IActor, actor)
    assert (actor.kind, actor.user, actor.address) == ("guest", None, "192.0.2.1")


def test_nobody_changes_an_actor() -> None:
    """An actor cannot be changed, not even by an extension that gets it."""
    actor = Actor("guest", SOURCE)
    with pytest.raises(AttributeError):
        actor.user = ANN  # type: ignore[misc]


def test_the_shared_password_gives_every_right() -> None:
    """The shared password gives operators every right everywhere."""
    actor = operator(SOURCE)
    assert (actor.kind, actor.user) == ("operator", OPERATOR)
    assert actor.grants == {EVERYWHERE: ALL_RIGHTS}


@pytest.mark.parametrize(
    ("actor", "scope"),
    [
        (Actor("guest", SOURCE), ""),
        (Actor("guest", SOURCE, ANN), ""),
        (Actor("guest", SOURCE, ANN, connection="c"), "42"),
        (Actor("guest", SOURCE, ANN, returns=True), "42"),
        (Actor("user", SOURCE, User("42", "Ann", verified=True), returns=True), "u:42"),
        (Actor("key", SOURCE, lease=Lease(key="k1")), "k:k1"),
        (Actor("key", SOURCE, User("42", "Ann", verified=True), lease=Lease(key="k1")), "k:k1"),
    ],
)
def test_guests_and_users_have_nonces_apart(actor: Actor, scope: str) -> None:
    """A guest and a user of the site with the same id have nonces apart."""
    assert actor.scope == scope
