"""`examples.to_slack`: messages reach a webhook, and a failing webhook harms no room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import DeferredQueue, QueueOverflow
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from examples import to_slack
from examples.to_slack import MOST_WAITING, PAUSE, SECONDS, Slack
from livechat.config import Config
from livechat.errors import StartError
from livechat.extensions import load
from livechat.protocol.messages import Message, User


class Hook(Resource):
    """An incoming webhook, which refuses texts that begin with "bad"."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.posted: DeferredQueue[str] = DeferredQueue()

    def render_POST(self, request: Request) -> bytes:
        assert request.getHeader("content-type") == "application/json"
        assert request.content is not None
        text = json.loads(request.content.read())["text"]
        self.posted.put(text)
        request.setResponseCode(500 if "bad" in text else 200)
        return b"no such channel" if "bad" in text else b"ok"


class ToSlackTests(TestCase):
    """On a local HTTP server."""

    timeout = 20.0

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.hook = Hook()
        served: Any = reactor
        port = served.listenTCP(0, Site(self.hook), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.slack = Slack(f"http://127.0.0.1:{port.getHost().port}/x", reactor)

    async def test_a_refused_message_is_logged(self) -> None:
        """A message that is refused is logged, and those behind it are posted."""
        self.patch(to_slack, "PAUSE", 0)
        self.slack.stored("r", Message("bad", 1, 0))
        self.slack.stored("r", Message("good", 2, 0))
        assert await self.hook.posted.get() == "[r] somebody: bad"
        assert await self.hook.posted.get() == "[r] somebody: good"
        (failure,) = self.flushLoggedErrors(ValueError)
        assert str(failure.value) == "500 b'Internal Server Error'"

    async def test_messages_are_posted_in_order(self) -> None:
        """Messages are posted in their order, and call nobody."""
        self.slack.stored("lobby", Message("<!channel> & co", 1, 0, User("1", "<Ann>")))
        self.slack.stored("lobby", Message("é 😀", 2, 0, User("1", "Ann")))
        assert await self.hook.posted.get() == "[lobby] &lt;Ann&gt;: &lt;!channel&gt; &amp; co"
        assert await self.hook.posted.get() == "[lobby] Ann: é 😀"


def test_a_webhook_that_hangs_is_given_up() -> None:
    """A webhook that does not answer is given up in time; beyond a bound messages are refused."""
    clock: Any = MemoryReactorClock()
    slack = Slack("http://127.0.0.1:1/", clock)
    # A message is on its way, beside those that wait.
    for seq in range(MOST_WAITING + 1):
        slack.stored("r", Message("hi", seq, 0))
    with pytest.raises(QueueOverflow):
        slack.stored("r", Message("one more", 0, 0))
    with capturedLogs() as logs:
        clock.advance(SECONDS)
        clock.advance(PAUSE)
        clock.advance(SECONDS)
    assert len(logs) == 2


def test_without_an_address_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension does not start without an address."""
    monkeypatch.delenv("SLACK_WEBHOOK", raising=False)
    config = Config.of({"extension": ["examples.to_slack.ToSlack"]}, {}, Path("/"))
    with pytest.raises(StartError, match="KeyError: 'SLACK_WEBHOOK'"):
        load(config)
    monkeypatch.setenv("SLACK_WEBHOOK", "https://hooks.example/x")
    assert len(load(config).listeners) == 1
