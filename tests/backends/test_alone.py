"""`livechat.backends.alone`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from livechat.backends.alone import (
    STORE_WITHIN,
    LoneMap,
    LonePresenceRelay,
    LoneProcessRegistry,
)
from livechat.backends.maps import MapEntry
from livechat.errors import Kind
from livechat.interfaces import IPresenceRelay, IProcessRegistry
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from tests.map_contract import REPORT
from tests.support import kind, result


def test_a_lone_process_reports_on_itself() -> None:
    """A lone process reports on itself, and has nobody to tell of its users."""
    relay, registry = LonePresenceRelay(), LoneProcessRegistry(lambda: b"secret")
    assert verifyObject(IPresenceRelay, relay)
    assert verifyObject(IProcessRegistry, registry)
    registry.start(lambda: REPORT)
    assert result(registry.reports()) == [REPORT]
    assert result(registry.secret()) == b"secret"
    relay.share("r", Share())
    relay.typing("r", User("1", "Ann"))
    relay.renamed("r", User("1", "Ann"), 1)


class Keeping:
    """A map, and a store that answers when the test says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[Mapping[str, MapEntry | None], Deferred[None]]] = []
        self.map = LoneMap("x", lambda: 100.0, self, self.clock, most=3, largest=9)

    def read(self, name: str) -> dict[str, MapEntry]:
        return {}

    def write(self, name: str, entries: Mapping[str, MapEntry | None]) -> Deferred[None]:
        answer: Deferred[None] = Deferred()
        self.asked.append((entries, answer))
        return answer


def test_changes_are_stored_together() -> None:
    """Changes made while the store is busy are stored by its next call, in their last state."""
    keeping = Keeping()
    first = keeping.map.put("a", b"1")
    others: list[Deferred[Any]] = [
        keeping.map.put("b", b"1"),
        keeping.map.put("b", b"2", 200),
        keeping.map.drop("a"),
    ]
    ((stored, answer),) = keeping.asked
    assert stored == {"a": (b"1", 0)}
    answer.callback(None)
    assert result(first) is True
    assert keeping.asked[1][0] == {"b": (b"2", 200), "a": None}
    assert not any(each.called for each in others)
    keeping.asked[1][1].callback(None)
    assert [result(each) for each in others] == [True, True, None]
    assert keeping.clock.getDelayedCalls() == []


def test_a_store_that_fails_or_hangs() -> None:
    """A change holds all the same, its caller is told, and it is stored when that is possible."""
    keeping = Keeping()
    told: list[object] = []
    keeping.map.watch(told.append)
    failed = keeping.map.put("a", b"1")
    keeping.asked[0][1].errback(OSError("full"))
    assert kind(failed) is Kind.UNKNOWN
    assert keeping.map.get("a") == b"1"
    keeping.map.recovered()
    assert keeping.asked[1][0] == {"a": (b"1", 0)}
    assert told == [["a"], ()]
    hangs = keeping.map.put("b", b"1")
    keeping.clock.advance(STORE_WITHIN)
    assert kind(hangs) is Kind.UNKNOWN
    assert keeping.map.get("b") == b"1"
    keeping.asked[1][1].callback(None)
    keeping.asked[2][1].callback(None)


def test_an_expired_key_makes_room() -> None:
    """An expired key makes room for a new one; a full map drops nothing."""
    keeping = Keeping()
    for key, until in (("a", 99), ("b", 101), ("c", 0)):
        keeping.map.put(key, b"1", until)
    keeping.map.put("d", b"1")
    assert sorted(key for key, _ in keeping.map.items()) == ["b", "c", "d"]
    assert kind(keeping.map.put("e", b"1")) is Kind.OVERLOADED
    keeping.map.put("d", b"2")
    assert keeping.map.get("d") == b"2"
    for _, answer in keeping.asked:
        answer.callback(None)
