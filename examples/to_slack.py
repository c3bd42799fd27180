"""
A listener: everything that is said also appears in Slack.

    export SLACK_WEBHOOK=https://hooks.slack.com/services/...
    twistd --pidfile= -n livechat --extension examples.to_slack.ToSlack
"""

import html
import json
import os
from io import BytesIO
from typing import Any

from twisted.internet import defer, task
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web.client import Agent, FileBodyProducer
from twisted.web.http_headers import Headers

from livechat.config import Config
from livechat.extensions import ExtensionBase, ListenerBase
from livechat.protocol.messages import Message

MOST_WAITING, SECONDS, PAUSE = 1_000, 10.0, 1.0
JSON = Headers({"Content-Type": ["application/json"]})


class Slack(ListenerBase):
    """Posts one message after the other.  Beyond `MOST_WAITING`, `stored` raises QueueOverflow."""

    def __init__(self, url: str, reactor: Any) -> None:
        self._queue: defer.DeferredQueue[str] = defer.DeferredQueue(size=MOST_WAITING)
        defer.Deferred.fromCoroutine(self._post(url.encode(), Agent(reactor), reactor))

    def stored(self, room: str, message: Message) -> None:
        name = message.user.name if message.user else "somebody"
        # Escaped, or else "<!channel>" would call everybody.
        self._queue.put(html.escape(f"[{room}] {name}: {message.message}", quote=False))

    async def _post(self, url: bytes, agent: Agent, reactor: Any) -> None:
        while True:
            body = FileBodyProducer(BytesIO(json.dumps({"text": await self._queue.get()}).encode()))
            try:
                sent = agent.request(b"POST", url, JSON, body).addTimeout(SECONDS, reactor)
                (response := await sent).deliverBody(Protocol())
                if response.code != 200:
                    raise ValueError(f"{response.code} {response.phrase!r}")
            except Exception:
                Logger().failure("Slack did not get a message.")
                await task.deferLater(reactor, PAUSE)


class ToSlack(ExtensionBase):
    """Without an address there is no start: whatever is raised here ends it with one line."""

    def listeners(self, config: Config) -> list[Slack]:
        from twisted.internet import reactor

        return [Slack(os.environ["SLACK_WEBHOOK"], reactor)]
