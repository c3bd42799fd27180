"""`livechat.members.pinging`; with sockets in `tests.members.test_websocket`."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from livechat.members.pinging import PING_EVERY, PONG_WITHIN, Pings


class Member:
    """A member whose wire takes nothing by itself."""

    wire: Any = None

    def __init__(self, *, broken: bool = False) -> None:
        self.events: list[str] = []
        self._broken = broken

    def asked_for_life(self) -> None:
        self.events.append("asked")

    def pinged(self, sent: int) -> None:
        if self._broken:
            raise ZeroDivisionError
        self.events.append(f"pinged {sent}")

    def silent(self) -> None:
        self.events.append("silent")

    def met_a_bug(self) -> None:
        self.events.append("bug")


def test_a_silent_member_is_pinged_and_closed() -> None:
    """A member is pinged, and closed where nothing comes; one that has left is neither."""
    clock = Clock()
    pings = Pings(clock)
    one, gone = Member(), Member()
    pings.start(one)
    pings.start(gone)
    pings.stop(gone)
    clock.advance(PING_EVERY)
    assert one.events == ["asked", "pinged -1"]
    clock.advance(PONG_WITHIN)
    assert one.events[2:] == ["silent"]
    assert gone.events == []


def test_a_bug_at_one_ping_spares_the_others() -> None:
    """The others are pinged all the same."""
    pings = Pings(Clock())
    broken, other = Member(broken=True), Member()
    pings.ask([broken, other])
    assert broken.events == ["asked", "bug"]
    assert other.events == ["asked", "pinged -1"]
