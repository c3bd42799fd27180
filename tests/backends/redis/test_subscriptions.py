"""`livechat.backends.redis.subscriptions`, with a real Redis."""

from __future__ import annotations

from collections import Counter

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from livechat.backends.redis import subscriptions
from livechat.backends.redis.acts import Sending
from livechat.backends.redis.entries import Entry
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Message
from livechat.rooms.answers import Answer
from tests.backends.redis.processes import ProcessesTest, until
from tests.support.outcomes import publish


class SubscriptionsTest(ProcessesTest):
    """Missing entries are found and read back."""

    async def test_lost_pushes_are_read_back(self) -> None:
        """Pushes that were lost are read back, and no member notices."""
        told = self.there.backend.published
        counts = Counter[bytes]()

        def lossy(channel: bytes, payload: bytes) -> None:
            counts[channel] += 1
            if counts[channel] % 7 not in (0, 3, 4):
                told(channel, payload)

        self.there.backend.published = lossy  # type: ignore[method-assign]
        await self.traffic(200)
        assert len(await self.all_is_well()) == 200

    async def test_the_last_push_is_lost(self) -> None:
        """After it nothing comes that would show the hole: it is found by looking."""
        self.there.backend.published = lambda *_: None  # type: ignore[method-assign]
        await self.send(self.here, "hello")
        while not self.there.heard():
            await self.there.backend._subscriptions.sweep()
            await deferLater(self.reactor, 0)
        await self.all_is_well()

    async def test_sent_while_the_room_is_opened(self) -> None:
        """Messages stored before the room's place is known are answered without its deadline."""
        self.patch(subscriptions, "ENTER_WITHIN", 3_600)
        entering = self.here.backend.messages.subscribe("new")
        sent = [
            publish(self.here.backend.messages, Draft("new", str(number))) for number in range(3)
        ]
        await entering
        assert [message.seq for message in await gatherResults(sent)] == [1, 2, 3]

    async def test_subscriptions_are_cut(self) -> None:
        """Connections that are cut in mid-traffic are made again, and what was missed is read."""

        def cut(number: int) -> None:
            if number == 50:
                self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")

        for _ in range(2):
            # Cut twice in a row, a process takes no messages.
            await until(lambda: not (self.here.backend._unheard or self.there.backend._unheard))
            await self.traffic(100, cut)
        assert len(self.answered) == 200
        assert len(await self.all_is_well()) == 200

    async def test_nothing_is_delivered_before_a_doubted_redis_is_read(self) -> None:
        """After a connection was lost nothing is delivered before Redis has been looked at."""
        await self.traffic(5)
        await self.all_is_well()
        there = self.there.backend._subscriptions
        there.doubt()
        await gatherResults([self.send(self.here, f"later {number}") for number in range(5)])
        await self.there.backend.beat()
        assert len(self.there.heard()) == 5
        there.check_all()
        assert len(await self.all_is_well()) == 10

    async def test_trimmed_before_it_came(self) -> None:
        """Trimmed entries cannot be delivered; the others are, and senders are answered."""
        small = self.process(messages=5)
        await until(lambda: small.backend.trouble() is None)
        await small.backend.messages.subscribe("r")
        told = small.backend.published
        small.backend.published = lambda *_: None  # type: ignore[method-assign]
        await gatherResults([publish(small.backend.messages, Draft("r", str(n))) for n in range(3)])
        small.sink.delivered.clear()
        for number in range(3, 20):
            await self.send(self.here, str(number))
        await publish(small.backend.messages, Draft("r", "20"))
        small.backend.published = told  # type: ignore[method-assign]
        await until(lambda: small.heard()[-1:] == ["20"])
        assert small.heard() == ["16", "17", "18", "19", "20"]

    async def test_what_never_comes(self) -> None:
        """A message that was stored, and lost before it was delivered, holds nothing up."""
        self.patch(subscriptions, "LINGER", 0.1)
        await self.send(self.here, "a")
        answer = Answer()
        lost = Sending(Draft("r", "lost"), b"tag", answer)
        answer.fired.addErrback(lambda failure: failure.trap(ChatError))
        lost.refused(ChatError(Kind.UNKNOWN, "nobody knows"))
        there = self.here.backend._subscriptions._rooms["r"]
        there.unseen[b"tag"] = lost, Entry(9, 9, b"tag", "lost"), Message("lost", 9, 9)
        await self.here.backend._subscriptions.sweep()
        assert there.unseen == {}
        there.unseen[b"tag"] = lost, Entry(9, 9, b"tag", "lost"), Message("lost", 9, 9)
        self.here.backend.messages.unsubscribe("r")
        await until(lambda: not self.here.backend._subscriptions._rooms)
        await until(lambda: self.server.ask("PUBSUB", "NUMSUB", "lc:0:{r}").split()[-1] == "1")
