"""
Bulletins: tell a room's moderators of the actions there, as the audit records them.

The audit is watched while this process has a moderator.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IMessageLog, ISink
from livechat.protocol.audit import record_of_text
from livechat.protocol.messages import Entry, Message
from livechat.protocol.names import AUDIT_ROOM
from livechat.protocol.v1 import Moderated
from livechat.rooms.hub import Hub
from livechat.rooms.standing import Standings

_log = Logger()
#: Acts of which a room's moderators are told.
_TOLD = frozenset({"retract", "restrict", "pardon", "room", "clear", "review"})


@implementer(ISink)
class Bulletins:
    """Tells moderators at this process."""

    def __init__(self, log: IMessageLog, hub: Hub, standings: Standings) -> None:
        self._entries = log
        self._hub = hub
        self._standings = standings
        self._watching = False
        standings.moderator_came = self._begin

    def _begin(self) -> None:
        """Watch the audit; no-op if it is watched."""
        if self._watching:
            return
        self._watching = True
        self._hub.watch(AUDIT_ROOM, self)
        self._entries.subscribe(AUDIT_ROOM).addErrback(self._end)

    def _end(self, failure: Failure) -> None:
        """Stop watching, until the next moderator comes."""
        self._watching = False
        if self._hub.unwatch(AUDIT_ROOM, self):
            self._entries.unsubscribe(AUDIT_ROOM)
        _log.warn(
            "Moderators are not told what others do: {reason}", reason=failure.getErrorMessage()
        )

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Message):
                with suppress(ValueError):
                    self._tell(entry)

    def _tell(self, entry: Message) -> None:
        """
        @raise ValueError: it is no record.
        """
        record = record_of_text(entry.message)
        if record.action.type not in _TOLD or record.room is None:
            return
        frame = Moderated(record.action, record.by, entry.time, record.text)
        rooms = self._standings.rooms() if record.room == EVERYWHERE else [record.room]
        for each in rooms:
            for resident in self._standings.residents(each, "moderate"):
                resident.tell(frame)
