"""`livechat.backends.redis.archive`: what is redacted, in a real Redis."""

from __future__ import annotations

from livechat.protocol.messages import Gone, Message, Redaction
from tests.backends.redis.amending import AmendTest, edit
from tests.support.outcomes import amend


class RedactionTest(AmendTest):
    """Two processes, at one of which entries are redacted."""

    async def test_words_are_in_no_key(self) -> None:
        """Neither marked as deleted nor otherwise; both processes go on in step."""
        await self.here.backend.messages.subscribe("r")
        await self.there.backend.messages.subscribe("r")
        await self.said(*(f"confided {number}" for number in range(30)))
        await self.amend(edit(3, "confided once more"))
        log = self.here.backend.messages
        await amend(log, Redaction("r", {3: None, 7: "another", 30: None}))
        for text in ("confided 2", "confided once", "confided 6", "confided 29"):
            left = await self.left(text)
            assert not left or text == "confided 2", (text, left)
        found = await self.entries()
        assert [each.seq for each in found if isinstance(each, Gone)] == [3, 30, 31, 32]
        seventh = found[6]
        assert isinstance(seventh, Message)
        assert (seventh.message, seventh.user is None) == ("another", False)
        await self.said("goes on")
        await self.in_step(33)
        assert await self.entries(self.there) == await self.entries()
