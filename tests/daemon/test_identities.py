"""`livechat.daemon.identities`."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

from livechat.daemon.identities import identities
from livechat.identity.door import Claim
from livechat.identity.local_key import read_local_key
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.system.time import Time
from tests.support import World, run
from tests.support.jwts import NOW, secret_file, signed
from tests.support.services import config, memory_reactor


def test_all_tokens_are_known_at_one_door(world: World, tmp_path: Path) -> None:
    """A token of the site, one of livechat's own and the local key are known at the same door."""
    secret_file(tmp_path)
    found = identities(
        config(tmp_path, token_keys="secret"),
        world.backend,
        Time(Clock(), lambda: float(NOW)),
        (),
        memory_reactor(),
    )
    own = run(found.tokens.mint("43"))
    local = read_local_key(tmp_path / "state")
    source = Source("127.0.0.1", Rate.of(0))
    claims = [Claim(credential=each, here=True) for each in (signed(), own.token, local)]
    actors = [run(found.door.caller(source, claim)) for claim in claims]
    assert [actor.kind for actor in actors] == ["user", "user", "key"]
    assert [actor.user and actor.user.id for actor in actors] == ["42", "43", None]
