"""
The contract of archives and redactions: `livechat.interfaces.IArchive`.

A backend's tests mix `ArchiveContract` into a trial `TestCase`, beside `tests.contract`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, structs
from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from livechat.errors import Kind
from livechat.interfaces import IArchive
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edited,
    Gone,
    Message,
    Redaction,
    Retracted,
)
from livechat.protocol.names import AUDIT_ROOM
from tests.act_contract import ANN, BOB, DATA, ActContract, edit, refused, retract
from tests.support.outcomes import amend, publish


class ArchiveContract(ActContract):
    """Tests of one backend, which the class that mixes it in makes."""

    async def named(self, backend: Any) -> list[str]:
        """All rooms, as the archive names them, each once."""
        assert verifyObject(IArchive, backend.archive)
        found: set[str] = set()
        cursor = ""
        while True:
            names, cursor = await backend.archive.rooms(cursor)
            found.update(names)
            if not cursor:
                return sorted(found)

    async def test_every_room_with_entries_is_named(self) -> None:
        """Every room in which something is kept is named, the audit too, however many there are."""
        backend = await self.begin()
        assert await self.named(backend) == []
        rooms = [f"r{number:03}" for number in range(700)]
        await gatherResults([publish(backend.messages, Draft(room, "a")) for room in rooms])
        await publish(backend.messages, Draft(AUDIT_ROOM, "{}"))
        await backend.messages.read("never", 0, 1)
        assert await self.named(backend) == [AUDIT_ROOM, *rooms]

    async def test_hidden_entries_are_read_and_redacted(self) -> None:
        """Hidden entries are read or missing, never in part; redacted, they are gone."""
        backend = await self.said(*"abcdef", history_limit=0)
        await backend.stop()
        backend = await self.begin(history_limit=2)
        page = await backend.archive.read("r", 0, 100)
        assert [each.seq for each in page.entries] == [*range(page.position.oldest, 7)]
        assert (await backend.messages.read("r", 0, 0)).position.oldest == 5
        # The first ones may be removed meanwhile.
        done = await amend(backend.messages, Redaction("r", {1: None, 5: None}))
        assert {5} <= {each.seq for each in done.before} <= {1, 5}
        page = await backend.archive.read("r", 0, 100)
        assert all(each.message != "a" for each in page.messages)

    async def test_emptied_messages_keep_their_numbers(self) -> None:
        """Nothing is left of messages and their edits; the numbers of others are what they were."""
        backend = await self.said("a", "b")
        await amend(backend.messages, edit(1, "c", data=Raw(DATA[0])))
        await publish(backend.messages, Draft("r", "d", BOB))
        first, second, edited, third = await self.entries(backend)
        assert isinstance(first, Message)
        amended = await amend(backend.messages, Redaction("r", {1: None, 7: None}))
        event = Gone(5, amended.event.time)
        assert amended == Amended(event, (first,))
        assert await self.entries(backend) == [
            Gone(1, first.time), second, Gone(3, edited.time), third, event,
        ]  # fmt: skip
        assert self.sink.entries("r")[-1] == event
        position = (await backend.messages.read("r", 0, 0)).position
        assert (position.seq, position.oldest, position.event) == (5, 1, 5)

    async def test_the_event_of_an_edit_is_emptied_alone(self) -> None:
        """The event of an edit can be emptied without its message; events without words cannot."""
        backend = await self.said("a", "b")
        await amend(backend.messages, edit(1, "c"))
        await amend(backend.messages, retract(2))
        message, _, event, retracted = await self.entries(backend)
        assert isinstance(event, Edited)
        assert isinstance(retracted, Retracted)
        await amend(backend.messages, Redaction("r", {3: None, 4: None}))
        assert (await self.entries(backend))[:4] == [
            message, Gone(2, message.time), Gone(3, event.time), retracted,
        ]  # fmt: skip
        # The message is edited on as before.
        await amend(backend.messages, edit(1, "d"))

    async def test_a_rewritten_message_keeps_the_rest(self) -> None:
        """A message has another text, the rest of it as before; the newest one too."""
        backend = await self.begin()
        drafts = [Draft("r", "a", ANN, reply_to=7, data=Raw(DATA[1])), Draft("r", "b"),
                  Draft("r", "c")]  # fmt: skip
        for draft in drafts:
            await publish(backend.messages, draft)
        before = await self.entries(backend)
        await amend(backend.messages, Redaction("r", {1: "\u00e9\0", 3: ""}))
        one, two, three, last = await self.entries(backend)
        assert one == structs.replace(before[0], message="\u00e9\0")
        assert two == before[1]
        assert three == structs.replace(before[2], message="")
        assert isinstance(last, Gone)
        await publish(backend.messages, Draft("r", "d"))
        assert [each.seq for each in await self.entries(backend)] == [1, 2, 3, 4, 5]

    async def test_missing_entries_are_refused(self) -> None:
        """Missing entries are refused, and take no number."""
        backend = await self.said("a", "b")
        await amend(backend.messages, retract(1))
        for refs in ((1,), (3,), (9, 10**12)):
            redaction = Redaction("r", dict.fromkeys(refs))
            assert await refused(amend(backend.messages, redaction)) is Kind.NOT_FOUND
        assert await refused(amend(backend.messages, Redaction("no", {1: None}))) is Kind.NOT_FOUND
        assert len(await self.entries(backend)) == 3

    async def test_redacted_after_a_restart(self) -> None:
        """Redactions survive a restart, and are delivered only as gone."""
        backend = await self.said("a", "b", "c")
        await amend(backend.messages, Redaction("r", {1: None, 2: "x"}))
        found = await self.entries(backend)
        await backend.stop()
        backend = await self.begin()
        assert await self.entries(backend) == found
        assert [type(each) for each in found] == [Gone, Message, Message, Gone]
