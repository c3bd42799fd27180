"""Traces the members of a transport, while operators trace."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from livechat.members.base import BaseSession
from livechat.rooms.tracing import MemberTrace, Tracing


class Traced(Protocol):
    """A member whose frames can be traced."""

    session: BaseSession | None
    trace: MemberTrace | None


class TracedMembers:
    """Keeps the traces of members in step with the traces that go on."""

    def __init__(self, tracing: Tracing | None, members: Collection[Traced]) -> None:
        """
        @param tracing: None: nothing is ever traced.
        @param members: those that are open, at any time.
        """
        self._tracing = tracing
        self._members = members
        if tracing is not None:
            tracing.watch(self._find_all)

    def entering(self, member: Traced) -> None:
        """Trace *member*, which is about to enter its room, if a trace wants it."""
        if self._tracing is not None and self._tracing.active:
            self._find(member, self._tracing)
            if member.trace is not None:
                member.trace.opened()

    def _find_all(self) -> None:
        assert self._tracing is not None
        for member in self._members:
            self._find(member, self._tracing)

    @staticmethod
    def _find(member: Traced, tracing: Tracing) -> None:
        session = member.session
        member.trace = session.traced_by(tracing) if session and tracing.active else None
