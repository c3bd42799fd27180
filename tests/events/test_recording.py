"""Records that must not get lost; `tests.rooms.test_audit` has them at work."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.errors import ChatError, Kind
from livechat.events.recording import MOST_WAITING, RETRY_EVERY, Recorder
from livechat.protocol.messages import Draft
from tests.support.outcomes import run

RECORD = Draft("!audit", "a record", nonce="n")


def test_an_unstored_record_is_tried_again() -> None:
    """A record that cannot be stored is answered as unknown, and tried until it is."""
    clock, away, stored = Clock(), True, []

    def publish(draft: Draft) -> Deferred[Any]:
        if away:
            return fail(ChatError(Kind.UNAVAILABLE, "away"))
        stored.append(draft)
        return succeed(None)

    recorder = Recorder(publish, clock)
    with capturedLogs(), pytest.raises(ChatError, match="could not be recorded yet"):
        run(recorder.store([RECORD]))
    assert recorder.waits
    clock.advance(RETRY_EVERY)
    away = False
    with capturedLogs():
        clock.advance(RETRY_EVERY)
    assert stored == [RECORD]
    assert not recorder.waits
    run(recorder.store([RECORD]))
    assert len(stored) == 2


def test_too_many_records_refuse_acts() -> None:
    """While very many wait, acts are refused before they are done."""
    recorder = Recorder(lambda _: fail(ChatError(Kind.UNAVAILABLE, "away")), Clock())
    recorder.check()
    with capturedLogs(), pytest.raises(ChatError):
        run(recorder.store([RECORD] * MOST_WAITING))
    with pytest.raises(ChatError, match="Nothing was done"):
        recorder.check()
