"""`livechat.backends.redis.connection`: connections that die without a word."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import hiredis
import pytest
from twisted.internet.defer import gatherResults
from twisted.protocols import portforward

from livechat.backends.redis import connect, publisher
from livechat.backends.redis.connection import Script
from livechat.backends.redis.publisher import WAIT
from livechat.backends.retention import Retention
from livechat.errors import Kind
from livechat.protocol.messages import Draft
from tests.backends.redis.processes import Process, ProcessesTest, ahead_of, until
from tests.backends.redis.server import RedisServer
from tests.support.outcomes import publish
from tests.support.ports import free_port


def test_a_script_is_known_by_its_digest() -> None:
    """A script has what all share before it, and is known by its digest."""
    script = Script("publish")
    assert "local function first_since" in script.text
    assert "'PUBLISH', channel" in script.text
    assert script.digest == sha1(script.text.encode()).hexdigest()


class _Client(portforward.ProxyClient):
    peer: _Server

    def dataReceived(self, data: bytes) -> None:
        if not self.peer.factory.silent(self.peer):
            super().dataReceived(data)


class _LossyClient(_Client):
    """Passes on what Redis tells, but for every third message."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self._reader = hiredis.Reader()
        self._told = 0

    def dataReceived(self, data: bytes) -> None:
        if not self.peer.subscribes:
            super().dataReceived(data)
            return
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._told += reply[0] == b"message" and reply[1] != b"lc:0:{!}"
            if reply[0] != b"message" or self._told % 3:
                self.peer.transport.write(encoded(reply))


def encoded(reply: Any) -> bytes:
    """Encode *reply* as Redis does."""
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))
    return b"$%d\r\n%b\r\n" % (len(reply), reply)


class _ClientFactory(portforward.ProxyClientFactory):
    protocol = _Client
    noisy = False


class _Server(portforward.ProxyServer):
    factory: Proxy
    clientProtocolFactory = _ClientFactory

    subscribes = False

    def connectionMade(self) -> None:
        self.factory.made.append(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self.subscribes = self.subscribes or b"SUBSCRIBE" in data
        if not self.factory.silent(self):
            super().dataReceived(data)


class Proxy(portforward.ProxyFactory):
    """
    Stands between a process and its Redis, and can swallow what goes through.

    @ivar swallows: of connections made until then, those for commands or for subscriptions.
    """

    protocol = _Server
    noisy = False

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self.made: list[Any] = []
        self.swallowed: set[Any] = set()

    def swallow(self, *, subscriptions: bool) -> None:
        self.swallowed |= {each for each in self.made if each.subscribes is subscriptions}

    def silent(self, connection: Any) -> bool:
        return connection in self.swallowed


class SilenceTest(ProcessesTest):
    """A connection may be dead without any sign of it."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        port = free_port()
        with RedisServer(tmp_path / "redis", port=port) as self.server:
            self.url = self.server.url
            self.proxy = Proxy(port)
            yield

    def process(self, **options: int) -> Process:
        if not self.proxy.made and not hasattr(self, "here"):
            self.here = super().process(**options)
            return self.here
        listening = self.reactor.listenTCP(0, self.proxy, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        url = f"redis://127.0.0.1:{listening.getHost().port}"
        made = Process(connect(url, self.reactor, Retention(**options)))
        self.addCleanup(made.backend.stop)
        return made

    async def test_a_lossy_subscription_misses_nothing(self) -> None:
        """Every third push is lost on the way, and no member notices."""
        self.patch(_ClientFactory, "protocol", _LossyClient)
        self.there = self.process()
        await self.there.usable()
        await self.there.backend.messages.subscribe("r")
        await self.traffic(200)
        assert len(await self.all_is_well()) == 200

    async def test_a_dead_connection_for_subscriptions_is_noticed(self) -> None:
        """A dead connection for subscriptions is noticed, and missed messages are read."""
        await self.traffic(20)
        self.proxy.swallow(subscriptions=True)
        await gatherResults([self.send(self.here, f"unheard {n}") for n in range(20)])
        await self.hears(self.there, 40)
        await self.traffic(20)
        assert len(await self.all_is_well()) == 60

    async def test_a_dead_connection_for_commands_keeps_nobody_waiting(self) -> None:
        """A dead connection for commands keeps nobody waiting."""
        await self.traffic(20)
        self.proxy.swallow(subscriptions=False)
        with ahead_of(WAIT + 0.5):
            await gatherResults([self.send(self.there, f"unheard {n}") for n in range(20)])
        # A new connection has sent them again by now.
        assert set(self.refused) <= {Kind.UNKNOWN}
        await until(lambda: self.there.backend.trouble() is None)
        await self.traffic(20)
        stored = await self.all_is_well()
        assert len(stored) == len(self.answered)

    async def test_a_stored_message_is_not_stored_again(self) -> None:
        """A message that was stored but not answered is not stored a second time."""
        # The answer is given up after `REPLY`, and a new connection has to be made meanwhile.
        self.patch(publisher, "WAIT", 30.0)
        before = len(self.proxy.made)
        self.there = self.process()
        await self.there.usable()
        await self.there.backend.messages.subscribe("r")
        (client,) = (each for each in self.proxy.made[before:] if not each.subscribes)
        sent = publish(self.there.backend.messages, Draft("r", "once"))
        await until(lambda: self.server.ask("XLEN", "lc:{r}:s") == "1" or self._swallow(client))
        message = await sent
        assert (message.seq, message.message) == (1, "once")
        assert await self.stored() == ["once"]
        assert self.here.heard() == self.there.heard() == ["once"]

    @staticmethod
    def _swallow(server: Any) -> None:
        """Answers to it, and not what it says."""
        server.peer.dataReceived = lambda _: None
