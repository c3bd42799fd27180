"""
Events, as receivers outside are told of them: webhooks, and subscribers of extensions.

    {"event":"message","id":"lobby:Jb0…:1042","room":"lobby","seq":1042,"time":…,"message":"hi",…}

An entry of a room is an event, with the fields of its frame in ``livechat.v1``.  An event that has
no number in a room is written into an internal room (`livechat.protocol.names.EVENTS_ROOM`): a
`Note`, as the text of an entry.  The user that a note is about is the entry's user, so that what
removes somebody's entries removes these, too.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct, field

from livechat.protocol.audit import Action, AuditRecord, Author
from livechat.protocol.messages import By, Draft, Edited, Entry, Message, Place, Retracted, User
from livechat.protocol.moderation import Case
from livechat.protocol.names import EVENTS_ROOM

#: Bytes of the id of an event without a number.
_ID_BYTES: Final = 12


class MessageEvent(Struct, frozen=True, omit_defaults=True, tag_field="event", tag="message"):
    """A message was stored."""

    id: str
    room: str
    seq: int
    time: int
    message: str
    user: User | None = None
    reply_to: int | None = None
    data: Raw | None = None
    edited: int | None = None


class EditedEvent(Struct, frozen=True, omit_defaults=True, tag_field="event", tag="edited"):
    """Message *ref* has another text, and these data or none."""

    id: str
    room: str
    seq: int
    time: int
    ref: int
    text: str
    data: Raw | None = None


class RetractedEvent(Struct, frozen=True, tag_field="event", tag="retracted"):
    """Messages were retracted."""

    id: str
    room: str
    seq: int
    time: int
    refs: tuple[int, ...]
    by: By


class GoneEvent(Struct, frozen=True, tag_field="event", tag="gone"):
    """A message, or an edit, that was retracted before the receiver was told of it."""

    id: str
    room: str
    seq: int
    time: int


class Joined(Struct, frozen=True, tag_field="event", tag="joined"):
    """A user's first connection came."""

    id: str
    room: str
    time: int
    user: User


class Left(Struct, frozen=True, tag_field="event", tag="left"):
    """A user's last connection went."""

    id: str
    room: str
    time: int
    user: User


class Occupied(Struct, frozen=True, tag_field="event", tag="occupied"):
    """A room in which nobody was has a user."""

    id: str
    room: str
    time: int


class Vacated(Struct, frozen=True, tag_field="event", tag="vacated"):
    """The last user of a room is gone."""

    id: str
    room: str
    time: int


class _Act(Struct, frozen=True):
    """
    An act of moderation.

    @ivar room: a room, or a pattern of rooms.
    @ivar action: as the audit has it.
    """

    id: str
    room: str
    time: int
    action: Action
    by: Author


class Restricted(_Act, frozen=True, tag_field="event", tag="restricted"):
    """A person was muted, banned, or is to be reviewed."""


class Pardoned(_Act, frozen=True, tag_field="event", tag="pardoned"):
    """A restriction was ended."""


class Reviewed(_Act, frozen=True, tag_field="event", tag="reviewed"):
    """A case was decided."""


class RoomChanged(_Act, frozen=True, tag_field="event", tag="room"):
    """Settings were changed."""


class Held(Struct, frozen=True, omit_defaults=True, tag_field="event", tag="held"):
    """
    A message waits for a review.

    @ivar message: left out once the case is decided, as *user*, *reply_to* and *data*.
    """

    id: str
    room: str
    time: int
    case: str
    message: str | None = None
    user: User | None = None
    reply_to: int | None = None
    data: Raw | None = None


class Reported(Struct, frozen=True, omit_defaults=True, tag_field="event", tag="reported"):
    """
    A user complained of message *ref*.

    @ivar message: left out once the case is closed, as all that follows.
    @ivar reason: the reporter's.
    """

    id: str
    room: str
    time: int
    case: str
    message: str | None = None
    user: User | None = None
    data: Raw | None = None
    ref: int | None = None
    reporter: User | None = None
    reason: str | None = None


class Gap(Struct, frozen=True, omit_defaults=True, tag_field="event", tag="gap"):
    """
    Events are missing here.

    @ivar room: where; left out where they have no number in a room.
    @ivar reason: ``trimmed``: there was no room for all that waits; ``epoch``: the room's
        numbering began anew, as *epoch*, and whatever waited of the old one is lost.
    @ivar lost: how many; left out where nobody knows.
    @ivar first: the number of the first one.
    @ivar to: the number of the last one.
    """

    id: str
    reason: Literal["trimmed", "epoch"]
    room: str | None = None
    epoch: str | None = None
    lost: int | None = None
    first: int | None = field(default=None, name="from")
    to: int | None = None


Event = (
    MessageEvent | EditedEvent | RetractedEvent | GoneEvent
    | Joined | Left | Occupied | Vacated
    | Restricted | Pardoned | Reviewed | RoomChanged
    | Held | Reported
    | Gap
)  # fmt: skip

#: Kinds that a receiver may ask for: entries of rooms, and others.  A receiver of messages is told
#: of removed ones too, and every receiver is told of gaps.
ENTRIES: Final = frozenset({"message", "edited", "retracted"})
NOTES: Final = frozenset({
    "joined", "left", "occupied", "vacated", "restricted", "pardoned", "held", "reported",
    "reviewed", "room",
})  # fmt: skip
KINDS: Final = ENTRIES | NOTES
#: The kinds of acts that the audit records.
_ACTS: Final = {
    "restrict": "restricted", "pardon": "pardoned", "review": "reviewed", "room": "room",
}  # fmt: skip
_EVENTS_OF_USERS: Final[dict[str, type[Joined | Left]]] = {"joined": Joined, "left": Left}
_EVENTS_OF_ROOMS: Final[dict[str, type[Occupied | Vacated]]] = {
    "occupied": Occupied, "vacated": Vacated,
}  # fmt: skip
_EVENTS_OF_ACTS: Final[dict[str, type[Restricted | Pardoned | Reviewed | RoomChanged]]] = {
    "restricted": Restricted, "pardoned": Pardoned, "reviewed": Reviewed, "room": RoomChanged,
}  # fmt: skip

encode_event: Final = msgspec.json.Encoder().encode


class Note(Struct, frozen=True, omit_defaults=True):
    """
    An event without a number, as it is stored.

    @ivar event: its kind; a later livechat may have others.
    @ivar epoch: together with *after*, the place in the room behind which it happened; "" where
        nobody knew.
    @ivar case: the id of a case, of which the text is nowhere but in that.
    @ivar lost: how many events were not stored for want of room.
    """

    id: str
    event: str
    room: str = ""
    epoch: str = ""
    after: int = 0
    action: Action | None = None
    by: Author | None = None
    case: str = ""
    lost: int = 0


_note: Final = msgspec.json.Decoder(Note)


def kind_of(event: Event) -> str:
    """Return the kind of *event*, as it stands in its JSON."""
    return str(event.__struct_config__.tag)


def make_note(
    kind: str, room: str, place: Place | None = None, user: User | None = None, **more: Any
) -> Draft:
    """
    Make an event without a number, ready to be stored.

    @param place: where the room stands, if that is known.
    @param user: its subject.
    """
    epoch, after = place or ("", 0)
    note = Note(token_hex(_ID_BYTES), kind, room, epoch, after, **more)
    return Draft(EVENTS_ROOM, msgspec.json.encode(note).decode(), user)


def act_kind(action: str) -> str | None:
    """Return the kind of event that a type of audited action is; None if it is none."""
    return _ACTS.get(action)


def make_act(record: AuditRecord, place: Place | None = None) -> Draft:
    """Make the event of an act that the audit records, ready to be stored."""
    user = record.action.user
    bare = msgspec.structs.replace(record.action, user=None)
    kind = _ACTS[record.action.type]
    return make_note(kind, record.room or "*", place, user, action=bare, by=record.by)


def note_of(entry: Entry) -> Note | None:
    """Read a note back; None if *entry* is none, or gone."""
    if not isinstance(entry, Message):
        return None
    try:
        return _note.decode(entry.message)
    except (msgspec.DecodeError, RecursionError):
        # A later version may write other forms.
        return None


def event_of_note(note: Note, entry: Message, case: Case | None = None) -> Event | None:
    """
    Make the event of a note.

    @param entry: which has the note.
    @param case: the case of the note, as it is now.
    @return: None if this livechat does not know the kind.
    """
    known_as, room, time, user = note.id, note.room, entry.time, entry.user
    if note.event in _EVENTS_OF_USERS and user is not None:
        return _EVENTS_OF_USERS[note.event](known_as, room, time, user)
    if note.event in _EVENTS_OF_ROOMS:
        return _EVENTS_OF_ROOMS[note.event](known_as, room, time)
    if note.event in _EVENTS_OF_ACTS and note.action is not None and note.by is not None:
        action = msgspec.structs.replace(note.action, user=user)
        return _EVENTS_OF_ACTS[note.event](known_as, room, time, action, note.by)
    if note.event in ("held", "reported"):
        return _of_case(note, entry, None if case is None or case.state != "open" else case)
    if note.event == "gap":
        return Gap(known_as, "trimmed", room or None, lost=note.lost)
    return None


def _of_case(note: Note, entry: Message, case: Case | None) -> Event:
    known_as, room, time = note.id, note.room, entry.time
    if case is None:
        made = Held if note.event == "held" else Reported
        return made(known_as, room, time, note.case)
    data = Raw(case.data.encode()) if case.data else None
    if note.event == "held":
        return Held(known_as, room, time, note.case, case.message, case.user, case.reply_to, data)
    return Reported(
        known_as, room, time, note.case, case.message, case.user, data,
        case.ref, case.reporter, case.reason or None,
    )  # fmt: skip


def event_of_entry(room: str, epoch: str, entry: Entry) -> Event:
    """Make the event of a room's entry."""
    seq, time = entry.seq, entry.time
    known_as = f"{room}:{epoch}:{seq}"
    if isinstance(entry, Message):
        return MessageEvent(
            known_as, room, seq, time, entry.message, entry.user,
            entry.reply_to, entry.data, entry.edited,
        )  # fmt: skip
    if isinstance(entry, Edited):
        return EditedEvent(known_as, room, seq, time, entry.ref, entry.text, entry.data)
    if isinstance(entry, Retracted):
        return RetractedEvent(known_as, room, seq, time, entry.refs, entry.by)
    return GoneEvent(known_as, room, seq, time)


def trimmed(room: str | None, epoch: str, first: int, to: int) -> Gap:
    """Say that the entries from *first* to *to* are lost; no room: those without a number."""
    known_as = f"{room or EVENTS_ROOM}:{epoch}:gap-{first}-{to}"
    lost = to - first + 1
    if room is None:
        return Gap(known_as, "trimmed", lost=lost)
    return Gap(known_as, "trimmed", room, epoch, lost, first, to)


def renumbered(room: str | None, epoch: str, before: str) -> Gap:
    """Say that a room's numbering began anew, after that of the epoch *before*."""
    known_as = f"{room or EVENTS_ROOM}:{epoch}:gap-{before}"
    return Gap(known_as, "epoch", room, None if room is None else epoch)
