"""`examples.subscriber`: each event is in a file, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from twisted.trial.unittest import TestCase

from examples.subscriber import Lines
from livechat.config import Config
from livechat.extensions import load
from livechat.protocol.events import Event, event_of_entry
from livechat.protocol.messages import Message


def event(number: int) -> Event:
    return event_of_entry("r", "ep", Message(f"m{number}", number, 1))


class SubscriberTest(TestCase):
    """On a real disk."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.path = tmp_path / "events.jsonl"

    async def test_a_repeated_event_is_one_line(self) -> None:
        """An event that comes twice is one line; a file that cannot be written is an error."""
        lines = Lines(self.path)
        await lines.events([event(1), event(2)])
        await lines.events([event(2), event(3)])
        found = [json.loads(line) for line in self.path.read_text().splitlines()]
        assert [each["message"] for each in found] == ["m1", "m2", "m3"]
        with pytest.raises(OSError, match="directory"):
            await Lines(self.path.parent).events([event(1)])


def test_an_operator_names_the_extension(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An operator names the extension."""
    monkeypatch.setenv("EVENTS_FILE", str(tmp_path / "x"))
    config = Config.of({"extension": ["examples.subscriber.ToFile"]}, {}, tmp_path)
    (found,) = load(config).subscribers
    assert found.name == "lines"
