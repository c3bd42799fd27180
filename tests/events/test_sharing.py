"""An outbox that several parts share to tell receivers."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from livechat.events.sharing import SharedOutbox
from livechat.interfaces import IOutbox
from tests.support.outbox import MemoryOutbox
from tests.support.outcomes import result


def test_parts_name_receivers_together() -> None:
    """No receiver is forgotten because another part does not name it; all hear of news."""
    outbox = MemoryOutbox()
    shared = SharedOutbox(outbox, {"a", "b"})
    assert verifyObject(IOutbox, shared)
    result(shared.keep(["a"]))
    result(shared.keep([]))
    assert outbox.kept == [frozenset("ab")] * 2
    heard: list[object] = []
    shared.watch(heard.append)
    shared.watch(heard.append)
    outbox.say("x")
    assert heard == [["r"], ["r"]]
    assert [each.room for each in result(shared.waiting("a"))] == ["r"]
    assert len(result(shared.read("a", "r", 10)).entries) == 1
    result(shared.advance("a", {"r": ("epoch-r", 1)}))
    assert result(shared.waiting("a")) == []
    assert result(shared.lead()) > 0
    assert result(shared.rewind("a", 0)) == 0
    assert result(shared.erase("r")) == 0
