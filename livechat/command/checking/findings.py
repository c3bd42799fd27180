"""Findings: a subject, its state, and the cure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

State = Literal["ok", "warn", "FAIL"]


class Finding(Struct, frozen=True):
    """
    The result of one check.

    @ivar about: its name.
    @ivar state: "warn": it runs, but somebody should see to it.
    @ivar cure: the cure; empty if none is needed.
    """

    about: str
    state: State
    text: str
    cure: str = ""

    @property
    def line(self) -> str:
        """The finding for people, with its remedy."""
        told = f"{self.state:<4} {self.about:<11} {self.text}"
        return f"{told} → {self.cure}" if self.cure else told


def ill(about: str, text: str, cure: str) -> Finding:
    """Make the finding of something that must be mended."""
    return Finding(about, "FAIL", text, cure)


def doubtful(about: str, text: str, cure: str) -> Finding:
    """Make the finding of something that somebody should see to."""
    return Finding(about, "warn", text, cure)
