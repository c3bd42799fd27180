"""`livechat.rooms.case_register`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.backends.alone import LoneMap, LoneMaps
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import User
from livechat.protocol.moderation import Case
from livechat.rooms.case_register import (
    LARGEST_CASE,
    MOST_CASES,
    MOST_OF_AN_OWNER,
    MOST_REPORTS,
    CaseRegister,
)
from tests.support import kind, result, run

NOW = 1_790_000_000
EVE = User("eve", "Eve")
HELD = Case("held", "open", "r", 1, EVE, "hi", "m1")
REPORT = Case("report", "open", "r", 1, EVE, "spam", "m2", ref=7, reporter=User("b", "Ben"))


class Desk:
    """The register of one process, and what it was told."""

    def __init__(self, shared: Any) -> None:
        self.told: list[tuple[str, str]] = []
        self.register = CaseRegister(shared, self.changed)

    def changed(self, known_as: str, case: Case) -> None:
        self.told.append((known_as, case.state))

    def add(self, known_as: str, case: Case = HELD, until: int = NOW + 60) -> bool:
        return bool(run(self.register.add(known_as, case, until)))

    def refusal(self, known_as: str, case: Case) -> Kind:
        return kind(Deferred.fromCoroutine(self.register.add(known_as, case, NOW + 60)))


class Shared:
    """A map, and two processes that have it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.map: LoneMap = LoneMaps(lambda: NOW + self.clock.seconds()).get(
            "cases", most=MOST_CASES, largest=LARGEST_CASE
        )
        self.here, self.there = Desk(self.map), Desk(self.map)


@pytest.fixture
def shared() -> Shared:
    return Shared()


def ids(found: Any) -> list[str]:
    return [each.id for each in found]


def test_found_by_what_it_is(shared: Shared) -> None:
    """A case is found at every process, a new one too, until it is decided."""
    assert shared.here.add("h")
    assert shared.here.add("c", REPORT)
    for register in (shared.here.register, shared.there.register, Desk(shared.map).register):
        assert ids(register.open()) == ["h", "c"]
        assert ids(register.of_author("g:eve")) == ["h", "c"]
        assert ids(register.of_message("r", 7)) == ["c"]
        assert ids(register.of_message("s", 7)) == ids(register.unfinished()) == []
        found = register.find("h")
        assert found is not None
        assert found.case == HELD
    found = shared.there.register.find("h")
    assert found is not None
    run(shared.there.register.change(found, replace(HELD, state="rejected"), NOW + 9))
    assert ids(shared.here.register.open()) == ["c"]
    assert ids(shared.here.register.of_author("g:eve")) == ["c"]
    assert (
        shared.here.told == shared.there.told == [("h", "open"), ("c", "open"), ("h", "rejected")]
    )


def test_one_of_two_decisions_counts(shared: Shared) -> None:
    """Two processes decide the same case: one decision counts."""
    shared.here.add("h")
    first, second = shared.here.register.find("h"), shared.there.register.find("h")
    assert first is not None
    assert second is not None
    approved = replace(HELD, state="approved")
    assert run(shared.here.register.change(first, approved, NOW + 9))
    assert not run(shared.there.register.change(second, replace(HELD, state="rejected"), NOW + 9))
    assert ids(shared.there.register.unfinished()) == ["h"]
    assert not shared.here.add("h")


def test_open_cases_are_bounded(shared: Shared) -> None:
    """Open ones count, those of one owner and reports; what has ended does not."""
    for number in range(MOST_OF_AN_OWNER):
        assert shared.here.add(f"h{number}", replace(HELD, time=number))
    assert shared.there.refusal("h", HELD) is Kind.OVERLOADED
    assert shared.there.refusal("c", replace(REPORT, owner="m1")) is Kind.OVERLOADED
    assert shared.there.add("other", replace(HELD, owner="m3"))
    found = shared.there.register.find("h0")
    assert found is not None
    run(shared.there.register.change(found, replace(found.case, state="rejected"), NOW + 60))
    assert shared.here.add("again")
    assert shared.here.refusal("more", HELD) is Kind.OVERLOADED
    shared.clock.advance(60)
    assert shared.here.add("later", until=NOW + 120)


def test_reports_are_bounded(shared: Shared) -> None:
    for number in range(MOST_REPORTS):
        assert shared.here.add(f"c{number}", replace(REPORT, owner=f"m{number}"))
    assert shared.there.refusal("c", replace(REPORT, owner="x")) is Kind.OVERLOADED
    assert shared.there.add("h", HELD)


def test_cases_being_opened_are_bounded(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases being opened count towards the bound until they fail."""
    waiting: list[Deferred[bool]] = []

    def put(*_: object, **__: object) -> Deferred[bool]:
        waiting.append(Deferred())
        return waiting[-1]

    monkeypatch.setattr(shared.map, "put", put)
    adding = [
        Deferred.fromCoroutine(shared.here.register.add(f"h{number}", HELD, NOW + 60))
        for number in range(MOST_OF_AN_OWNER)
    ]
    assert shared.here.refusal("more", HELD) is Kind.OVERLOADED
    waiting[0].errback(ChatError(Kind.UNAVAILABLE, "away"))
    assert kind(adding[0]) is Kind.UNAVAILABLE
    monkeypatch.undo()
    assert shared.here.add("more")
    assert shared.here.refusal("too many", HELD) is Kind.OVERLOADED


def test_a_case_too_large_is_refused(shared: Shared) -> None:
    """However it is written: control characters are six bytes each."""
    long = replace(HELD, message="\0" * (LARGEST_CASE // 6))
    assert shared.here.refusal("h", long) is Kind.MESSAGE_TOO_LONG
    assert shared.here.add("h", replace(HELD, message="x" * (LARGEST_CASE - 200)))


def test_a_case_of_another_version_is_none(shared: Shared) -> None:
    """A case that cannot be read is none, and the others are."""
    result(shared.map.put("odd", b'{"kind":"appeal"}'))
    with capturedLogs() as logs:
        desk = Desk(shared.map)
        assert desk.register.find("odd") is None
    assert logs
    desk.add("h")
    assert ids(desk.register.open()) == ["h"]


def test_a_broken_watcher_spares_the_case(shared: Shared) -> None:
    """A case is opened all the same, and the other processes are told."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    register = CaseRegister(shared.map, broken)
    with capturedLogs() as logs:
        assert run(register.add("h", HELD, NOW + 60))
    assert len(logs) == 1
    assert ids(register.open()) == ["h"]
    assert shared.here.told == [("h", "open")]
