"""
Random acts at two workers, while people are restricted and rooms are changed.

The oracle is `livechat.identity.rights`, with the changes as they were asked for: an act is allowed
if and only if it says so, at whatever worker; and members present are told so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from livechat.identity.rights import Right
from livechat.protocol.moderation import RestrictionKind
from tests.backends.redis.playing import ATTEMPTS, Play, Worker
from tests.backends.redis.server import RedisServer
from tests.support.example_counts import examples

PEOPLE: Final = (
    "guest", "newcomer", "nobody", "user", "granted", "key", "moderator", "manager",
)  # fmt: skip
SETTINGS: Final = [
    {"closed": True}, {"closed": False}, {"closed": None}, {"members": True}, {"members": None},
    {"guests": "read"}, {"guests": "off"}, {"guests": None}, {"topic": "x", "members": False},
]  # fmt: skip
_worker, _room = some.integers(0, 1), some.integers(0, 1)
#: Moderators and managers act more often than others.
_by = some.sampled_from((*PEOPLE, *("moderator", "manager") * 4))
_whom = some.sampled_from(("guest", "guest", "user", "user", "granted", "moderator"))
_more = some.fixed_dictionaries(
    {
        "kind": some.sampled_from(get_args(RestrictionKind)),
        "everywhere": some.booleans(),
        "address": some.booleans(),
    }
)
_grants = some.dictionaries(
    some.sampled_from(("a", "both")), some.frozensets(some.sampled_from(get_args(Right)))
)
_steps = some.one_of(
    some.tuples(
        some.just("changes"), _by, _worker, some.integers(0, 4), some.sampled_from(SETTINGS)
    ),
    some.tuples(some.just("restricts"), _by, _worker, _whom, _room, _more),
    some.tuples(some.just("pardons"), _by, _worker, _whom, _room, some.booleans()),
)
_tries = some.tuples(some.sampled_from(PEOPLE), _worker, _room, some.integers(0, len(ATTEMPTS) - 1))


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    from twisted.internet import reactor  # noqa: PLC0415

    real: Any = reactor
    with RedisServer(tmp_path_factory.mktemp("redis"), "--appendfsync", "no") as server:
        made = [Worker(server, real) for _ in range(2)]
        while any(each.backend.trouble() for each in made):
            real.iterate(0.001)
        yield made
        stopping = [each.backend.stop() for each in made]
        while not all(each.called for each in stopping):
            real.iterate(0.001)
    for call in real.getDelayedCalls():
        call.cancel()


@given(
    grants=some.lists(_grants, min_size=2, max_size=2),
    steps=some.lists(some.tuples(_steps, some.lists(_tries, max_size=4)), min_size=1, max_size=8),
)
@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_acts_at_either_worker_follow_the_oracle(
    workers: list[Worker], grants: Any, steps: Any
) -> None:
    """Any acts at either worker: those that the oracle allows, and all of them."""
    from twisted.internet import reactor  # noqa: PLC0415

    play = Play(workers, cast(Any, reactor), grants)
    try:
        for (what, *given_), tries in steps:
            if what == "pardons":
                play.pardons(*given_[:-1], everywhere=given_[-1])
            else:
                getattr(play, what)(*given_)
            play.settle()
            for each in tries:
                play.tries(*each)
    finally:
        play.end()
