"""
Receipts: frames about a case that was opened or decided.

Moderators of its room get all of it.  The author of a held message, and the reporter of a message,
get the verdict and its reason, and nothing about moderators, other people or other cases.  The
author of a reported message is told nothing.
"""

from __future__ import annotations

from livechat.protocol.messages import User
from livechat.protocol.moderation import Case
from livechat.protocol.v1 import CaseChanged
from livechat.rooms.case_register import data_of
from livechat.rooms.standing import IResident, Standings


class Receipts:
    """Sends receipts to the connections of this process."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    def tell(self, known_as: str, case: Case) -> None:
        """Tell everybody concerned the present state of a case."""
        frame = told_moderators(known_as, case)
        told: set[IResident] = set()
        for resident in self._standings.residents(case.room, "moderate"):
            resident.tell(frame)
            told.add(resident)
        self._tell(case, case.user, told_author(known_as, case), told)
        self._tell(case, case.reporter, told_reporter(known_as, case), told)

    def _tell(
        self, case: Case, user: User | None, frame: CaseChanged | None, told: set[IResident]
    ) -> None:
        if user is None or frame is None:
            return
        for standing in self._standings.of_subject(case.room, user.subject):
            if standing.resident not in told:
                standing.resident.tell(frame)


def told_moderators(known_as: str, case: Case) -> CaseChanged:
    """The frame for moderators of the case's room: all of it except its owner."""
    is_open = case.state == "open"
    return CaseChanged(
        known_as,
        case.kind,
        case.state,
        seq=case.seq,
        ref=case.ref,
        reason=(case.reason if is_open else case.verdict_reason) or None,
        time=case.time,
        user=case.user,
        message=case.message or None,
        data=data_of(case),
        reply_to=case.reply_to,
        reporter=case.reporter,
        reviewer=case.reviewer,
    )


def told_author(known_as: str, case: Case) -> CaseChanged | None:
    """The frame for the author of a held message; None if there is nothing to tell."""
    if case.kind != "held" or (case.state == "approved" and case.seq is None):
        return None
    return CaseChanged(
        known_as,
        case.kind,
        case.state,
        nonce=case.nonce,
        seq=case.seq,
        reason=case.verdict_reason or None,
    )


def told_reporter(known_as: str, case: Case) -> CaseChanged | None:
    """The frame for the reporter of a message; None if there is nothing to tell."""
    if case.kind != "report":
        return None
    return CaseChanged(
        known_as, case.kind, case.state, ref=case.ref, reason=case.verdict_reason or None
    )
