"""`livechat.members.turns`."""

from __future__ import annotations

from twisted.internet.task import Clock

from livechat.members.turns import NextTurn


def test_a_bug_stops_nobody() -> None:
    """A member whose call raises is handed over; the others have their turns."""
    clock, called, failed = Clock(), list[int](), list[int]()

    def call(member: int) -> None:
        called.append(member)
        if member == 1:
            raise OSError

    turn = NextTurn(clock, call, failed.append)
    for member in range(3):
        turn.add(member)
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(0)
    assert (called, failed) == ([0, 1, 2], [1])
    assert not clock.getDelayedCalls()


def test_added_in_its_turn() -> None:
    """A member that is added while it has its turn waits for the next one."""
    clock, called = Clock(), list[str]()

    def call(member: str) -> None:
        called.append(member)
        if len(called) == 1:
            turn.add(member)

    turn = NextTurn(clock, call, called.remove)
    turn.add("a")
    turn.add("b")
    clock.advance(0)
    assert called == ["a", "b", "a"]
