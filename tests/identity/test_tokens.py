"""`livechat.identity.tokens`."""

from __future__ import annotations

from tests.support import World, run


def test_minted(world: World) -> None:
    """A token of livechat's own says whose it is, and how long."""
    minted = run(world.tokens.mint("42", name="Ann", seconds=90))
    found = run(world.tokens.known(minted.token))
    assert (found.user.id, found.user.name, found.user.verified) == ("42", "Ann", True)
    assert found.lease.ends == minted.expires == int(world.wall) + 90
