"""`livechat.rooms.recovery`, and how `livechat.rooms.hub` takes over from it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.internet.defer import Deferred

from livechat.protocol.messages import (
    Message,
    Place,
)
from livechat.rooms import recovery
from livechat.rooms.recovery import BUFFER_ENTRIES, MOST_RETRIES, RETRY_AFTER, Replay
from tests.rooms.reading import Play, Stream
from tests.support import RecordingClient, result
from tests.support.example_counts import examples

_CALM = ("say", "say", "deliver", "deliver", "look", "fetch", "turn", "connect", "drop", "resume")
_STEPS = some.tuples(
    some.sampled_from((*_CALM, "hear", "hear", "slow", "hurry")), some.integers(0, 3)
)
_CHANGES = some.tuples(
    some.sampled_from((*_CALM, "hear", "hear", "slow", "hurry", "retract", "retract")),
    some.integers(0, 3),
)
_ROUGH = some.tuples(
    some.sampled_from((*_CALM, "hear", "hear", "slow", "hurry", "trim", "anew")),
    some.integers(0, 3),
)


def said(stream: Stream) -> list[str]:
    return [entry.message for entry in stream.stored if isinstance(entry, Message)]


def plays(steps: list[tuple[str, int]], page: int) -> Play:
    """A play until its end; all that is told has been checked."""
    play = Play()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "REPLAY_PAGE", page)
        for what, which in steps:
            play.step(what, which)
        for member in tuple(play.members):
            member.connect()
            member.hurry()
        play.settle()
        for member in play.members:
            member.hear()
            assert not member.replaying
            assert member.transcript.place == Place(play.stream.epoch, len(play.stream.stored))
    return play


@given(some.lists(_STEPS, min_size=20, max_size=80), some.sampled_from((2, 500)))
@settings(max_examples=examples(100))
def test_every_interleaving_delivers_once(steps: list[tuple[str, int]], page: int) -> None:
    """Every number once, in order, in every interleaving."""
    play = plays(steps, page)
    for member in play.members:
        assert member.transcript.gaps == []
        assert member.transcript.texts == said(play.stream)
    heard = [json.loads(frame)["message"] for frame in play.plain.frames()]
    assert heard == said(play.stream)


@given(some.lists(_CHANGES, min_size=20, max_size=80), some.sampled_from((2, 500)))
@settings(max_examples=examples(100))
def test_what_is_taken_back(steps: list[tuple[str, int]], page: int) -> None:
    """Retracted words reach nobody once this process knows; in the end all see the same."""
    play = plays(steps, page)
    for member in play.members:
        assert member.transcript.gaps == []
        assert [*member.transcript.shown.values()] == said(play.stream)


@given(some.lists(_ROUGH, min_size=20, max_size=80), some.sampled_from((2, 500)))
@settings(max_examples=examples(100))
def test_gaps_have_labels(steps: list[tuple[str, int]], page: int) -> None:
    """Entries trimmed, or lost with an old numbering, are reported as missing."""
    plays(steps, page)


def test_what_cannot_be_read_is_read_later() -> None:
    """A resume during the store's absence is answered when it is back."""
    play = Play()
    play.stream.say()
    play.stream.away = True
    member = play.members[0]
    member.connect()
    for _ in range(3):
        play.stream.fetch()
        play.clock.advance(RETRY_AFTER)
    assert member.data == b""
    play.stream.away = False
    play.stream.fetch()
    member.hear()
    assert member.transcript.texts == ["e0/1"]


def test_what_can_never_be_read() -> None:
    """While only histories cannot be read, a member that would hear nothing is disconnected."""
    play = Play()
    play.stream.away, play.stream.troubled = True, False
    member = play.members[0]
    member.connect()
    for _ in range(MOST_RETRIES + 1):
        assert member.refused is None
        play.stream.fetch()
        play.clock.advance(RETRY_AFTER)
    assert member.refused is not None
    assert not play.stream.busy()
    assert play.hub._watchers == {}


def test_a_history_that_lacks_what_was_delivered() -> None:
    """A history that lacks delivered entries is read again after a pause, not at once."""
    play = Play()
    for _ in range(3):
        play.stream.say()
    play.stream.deliver(3)
    del play.stream.stored[2:]
    member = play.members[0]
    member.connect()
    reads = 0
    while play.stream.busy():
        play.stream.fetch()
        reads += 1
        assert reads < 5
    play.stream.say()
    play.clock.advance(RETRY_AFTER)
    play.stream.fetch()
    assert not member.replaying


def test_who_goes_meanwhile() -> None:
    """A member that leaves while the store is away is not waited for."""
    play = Play()
    play.stream.away = True
    member = play.members[0]
    member.connect()
    play.stream.fetch()
    member.drop()
    play.clock.advance(RETRY_AFTER)
    assert not play.stream.busy()
    assert play.hub._watchers == {}
    assert not play.clock.getDelayedCalls()


def test_a_busy_room_lets_members_go_live() -> None:
    """Deliveries during every read do not keep a member from going live."""
    play = Play()
    member = play.members[0]
    member.connect()
    for _ in range(3):
        play.stream.look()
        for _ in range(BUFFER_ENTRIES):
            play.stream.say()
        play.stream.deliver(BUFFER_ENTRIES)
        play.stream.fetch()
    assert not member.replaying
    play.clock.advance(0)
    member.hear()
    assert len(member.transcript.texts) == len(play.stream.stored)


def test_a_plain_client_gets_the_newest() -> None:
    """A plain client gets the newest messages, then what follows, and no word besides."""
    play = Play()
    for _ in range(5):
        play.stream.say()
    play.stream.deliver(3)
    play.clock.advance(0)
    client = RecordingClient()
    play.hub.join("r", client, reads=True)
    way = Replay(cast("Any", play.stream), play.hub, play.clock, "r", client)
    done = Deferred.fromCoroutine(way.newest(2))
    play.stream.fetch()
    play.stream.fetch()
    result(done)
    play.stream.say()
    play.stream.deliver(9)
    play.clock.advance(0)
    texts = [json.loads(frame) for frame in client.frames()]
    assert texts == [{"message": f"e0/{seq}"} for seq in (4, 5, 6)]
