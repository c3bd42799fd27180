"""The condition of a process: in words for systemd, and as a report for its supervisor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred

from livechat.daemon.departure import Departure
from livechat.daemon.lifeline import Lifeline, Reports, WorkerReport
from livechat.daemon.renewal import Renewal
from livechat.daemon.systemd import State
from livechat.interfaces import IBackend
from livechat.protocol.counts import counted
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def serving(chat: Chat, hub: Hub) -> State:
    """Return the state of a process that serves rooms."""
    trouble = chat.trouble()
    if trouble is not None:
        return State(f"Not ready: {trouble}.", serves=False, waits=True)
    members, rooms = _counted(hub)
    return State(f"{counted(members, 'member')} in {counted(rooms, 'room')}.")


def answers(backend: IBackend) -> Deferred[Any]:
    """Ask *backend* something; fires as soon as it answers, be it with a refusal."""
    return maybeDeferred(backend.messages.read, AUDIT_ROOM, 0, 1)


def supervising(reports: Sequence[WorkerReport | None], renewal: str) -> State:
    """
    Return the state of a supervisor.

    @param reports: those of its workers; None of one that has not begun.
    @param renewal: the renewal under way, in words; "" for none.
    """
    there = [each for each in reports if each is not None]
    troubles = [each.trouble for each in there if each.trouble is not None]
    members = sum(each.members for each in there)
    shares = ", ".join(f"{each.members} in {counted(each.rooms, 'room')}" for each in there)
    text = f"{counted(members, 'member')} at {len(there)} of {counted(len(reports), 'worker')}"
    text += f" ({shares})" if there else ""
    if renewal:
        text = f"{renewal.capitalize()}; {text}"
    if troubles:
        text = f"Not ready: {troubles[0]}; {text}"
    return State(
        f"{text}.",
        serves=len(there) == len(reports) and not troubles,
        waits=len(there) == len(reports),
    )


def worker_side(
    reactor: PosixReactorBase,
    place: int,
    *,
    chat: Chat,
    hub: Hub,
    renewal: Renewal,
    departure: Departure,
    is_open: Callable[[], bool] = lambda: True,
) -> tuple[Service, ...]:
    """
    Make the services by which a worker reports to its supervisor, and hears from it.

    @param is_open: whether connections are accepted.
    """

    def report() -> WorkerReport:
        members, rooms = _counted(hub)
        closed = None if is_open() else "it takes no connections yet"
        return WorkerReport(members, rooms, chat.trouble() or closed, renewal.count)

    def leave() -> None:
        departure.followed()
        reactor.stop()

    return Reports(reactor, report), Lifeline(reactor, place, leave)


def _counted(hub: Hub) -> tuple[int, int]:
    rooms = hub.rooms()
    return sum(rooms.values()), len(rooms)
