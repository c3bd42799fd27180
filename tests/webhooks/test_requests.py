"""`livechat.webhooks.requests`."""

from __future__ import annotations

import json
import time

from standardwebhooks import Webhook

from livechat.protocol.signing import secret_to_text
from livechat.webhooks.requests import make_request

SECRET = b"s" * 32
EVENTS = (b'{"event":"message","id":"a:e:1"}', b'{"event":"message","id":"a:e:2"}')
IDS = ("a:e:1", "a:e:2")


def test_a_request_has_events_as_they_were_encoded() -> None:
    """The body has the events as they were encoded, and the receiver's library takes it."""
    made = make_request(IDS, EVENTS, 1_790_000_000_123)
    headers = made.headers([SECRET], time.time())
    found = Webhook(secret_to_text(SECRET)).verify(made.body, headers)
    assert found == {
        "type": "events",
        "timestamp": "2026-09-21T14:13:20.123Z",
        "data": [json.loads(each) for each in EVENTS],
    }


def test_a_repeated_request_has_its_id() -> None:
    """The same events have the same id, in another process too; fewer of them have another."""
    first = make_request(IDS, EVENTS, 1)
    assert make_request(IDS, EVENTS, 1) == first
    assert first.known_as == "msg_" + first.known_as[4:]
    assert len(first.known_as) == 36
    assert make_request(IDS[:1], EVENTS[:1], 1).known_as != first.known_as


def test_a_rewound_request_has_another_id() -> None:
    """After a rewind the same events are another request."""
    assert make_request(IDS, EVENTS, 1, "r").known_as != make_request(IDS, EVENTS, 1).known_as
