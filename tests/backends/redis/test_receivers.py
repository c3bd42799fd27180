"""`livechat.backends.redis.receivers`: one installation, one set of receivers."""

from __future__ import annotations

import pytest
from twisted.internet.defer import gatherResults
from twisted.logger import capturedLogs

from livechat.backends.redis.receivers import Record
from tests.backends.redis.processes import ProcessesTest, until
from tests.told_outside import first, say, texts


def test_receivers_keep_their_eras() -> None:
    """A receiver that stays is the same in the next era; one that comes back is another one."""
    one = Record().next(["b", "a"])
    assert one.text() == b"1 a@1 b@1"
    two = one.next(["a"])
    assert two.text() == b"2 a@1"
    assert two.next(["a", "b"]).text() == b"3 a@1 b@3"
    assert Record.of(two.text()) == two
    assert Record.of(b"7") == Record(7, {})


@pytest.mark.parametrize("data", [b"", b"x a@1", b" 1", b"1 \xff@1"])
def test_foreign_bytes_are_no_record(data: bytes) -> None:
    """Bytes that no livechat has written are no record."""
    with pytest.raises(ValueError, match=r"int|codec"):
        Record.of(data)


class ReceiversTest(ProcessesTest):
    """Two processes that start with receivers."""

    def record(self) -> str:
        return self.server.ask("GET", "lc:{!}:receivers")

    async def keep(self, *names: str) -> None:
        await self.here.backend.outbox.keep(names)

    async def test_newest_start_wins(self) -> None:
        """Both have the receivers of the last start; the other process says so, once."""
        await self.keep("a", "b")
        with capturedLogs() as events:
            await self.there.backend.outbox.keep(["b", "c"])
            await until(lambda: self.here.backend.receivers.known_as("c"))
            for each in (self.here, self.there):
                await each.backend.beat()
        assert self.record() == "2 b@1 c@2"
        assert self.here.backend.receivers.known_as("a") is None
        (said,) = [each for each in events if "other webhooks" in each["log_format"]]
        assert said["names"] == "b, c"

    async def test_the_same_receivers_change_nothing(self) -> None:
        """A process that starts with the same ones changes nothing; both at once neither."""
        both = [each.backend.outbox for each in (self.here, self.there)]
        await gatherResults([each.keep(["a"]) for each in both for _ in range(3)])
        assert self.record() == "1 a@1"

    async def test_processes_with_other_receivers_agree(self) -> None:
        """Processes that start at once with different receivers agree on one list."""
        both = [each.backend.outbox for each in (self.here, self.there)]
        await gatherResults([both[0].keep(["a"]), both[1].keep(["b"])])
        backends = [self.here.backend, self.there.backend]
        await until(lambda: len({tuple(each.receivers._record.names) for each in backends}) == 1)

    async def test_known_at_once(self) -> None:
        """A process that starts later holds for them before it was given any itself."""
        await self.keep("a")
        later = self.process(messages=1)
        await later.usable()
        await say(later.backend, *"abc")
        assert texts(await first(self.here.backend)) == ["a", "b", "c"]

    async def test_lost_receivers_come_back_with_the_beat(self) -> None:
        """Receivers that Redis has lost come back with the next beat, and an older record goes."""
        await self.keep("a")
        await self.keep("a", "b")
        for lost in (["DEL", "lc:{!}:receivers"], ["SET", "lc:{!}:receivers", "1 a@1"],
                     ["SET", "lc:{!}:receivers", "what is that"]):  # fmt: skip
            self.server.ask(*lost)
            await self.here.backend.beat()
            assert self.record() == "2 a@1 b@2"
