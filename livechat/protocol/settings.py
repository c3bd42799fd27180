"""
The settings of rooms, which operators change while the rooms are in use.

A change is kept under a room's name, under a beginning of names with ``*`` behind it, or under
``*`` for all rooms.  What holds in a room is put together from the server's options, ``*``, the
longest beginning and the room's own, in this order.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict, fields, replace

from livechat.protocol.values import Ref

#: The rights of guests: those of users of the site, to listen and read, or none.
Guests = Literal["on", "read", "off"]
#: Messages that wait for a review: none, those of guests, all.
Hold = Literal["none", "guests", "all"]
#: Treatment of messages with a link: they are sent, wait for a review, or are refused.
Links = Literal["allow", "hold", "refuse"]

#: Seconds for which authors can edit a message by default.
EDIT_WITHIN: Final = 900
#: Characters of texts, and the number of words.
LONGEST_TITLE: Final = 100
LONGEST_TOPIC: Final = 200
LONGEST_WORD: Final = 64
MOST_WORDS: Final = 500
#: Seconds between two messages of a user.
SLOWEST: Final = 21_600
#: Messages a second of a room.
MOST_RATE: Final = 1_000
#: Entries, and seconds, of a history; an option may allow less.
MOST_HISTORY: Final = 10_000_000
LONGEST_HISTORY: Final = 10 * 366 * 86_400
LONGEST_EDIT: Final = 366 * 86_400

Title = Annotated[str, Meta(max_length=LONGEST_TITLE)]
Topic = Annotated[str, Meta(max_length=LONGEST_TOPIC)]
Slow = Annotated[int, Meta(ge=0, le=SLOWEST)]
RoomRate = Annotated[int, Meta(ge=0, le=MOST_RATE)]
Word = Annotated[str, Meta(min_length=1, max_length=LONGEST_WORD)]
Words = Annotated[tuple[Word, ...], Meta(max_length=MOST_WORDS)]
EditWithin = Annotated[int, Meta(ge=0, le=LONGEST_EDIT)]
HistoryLimit = Annotated[int, Meta(ge=0, le=MOST_HISTORY)]
HistoryAge = Annotated[int, Meta(ge=0, le=LONGEST_HISTORY)]


class RoomSettings(Struct, frozen=True, omit_defaults=True):
    """
    The settings that hold in a room.

    @ivar pinned: the number of a message that pages show above all others.
    @ivar closed: only those that moderate or manage may enter.
    @ivar members: only those whose token or key names the room may enter.
    @ivar listed: anybody may find the room in the list of rooms.
    @ivar slow: seconds between two messages of a user; 0: none.
    @ivar rate: messages a second of all together; 0: no limit.
    @ivar words: messages with one of these are refused.
    @ivar edit: seconds for which authors can edit a message; 0: none can.
    @ivar presence: members are told of each other.
    @ivar history_limit: entries that are kept; 0: as many as the server keeps.
    @ivar history_age: seconds for which they are; 0: as long as the server keeps them.
    """

    title: str = ""
    topic: str = ""
    pinned: int | None = None
    closed: bool = False
    members: bool = False
    guests: Guests = "on"
    listed: bool = False
    slow: int = 0
    rate: int = 0
    hold: Hold = "none"
    links: Links = "allow"
    words: tuple[str, ...] = ()
    edit: int = EDIT_WITHIN
    presence: bool = True
    history_limit: int = 0
    history_age: int = 0

    def shown(self) -> RoomSettings:
        """The settings that everybody in the room is told."""
        return replace(self, words=()) if self.words else self


class SettingsChange(Struct, frozen=True, omit_defaults=True):
    """
    Settings of a room, or of a pattern of rooms, in part.

    A setting that is left out stays as it is.  None lets it be inherited again; what is kept has
    no None.  The meaning of each is that of `RoomSettings`.
    """

    title: Title | UnsetType | None = UNSET
    topic: Topic | UnsetType | None = UNSET
    pinned: Ref | UnsetType | None = UNSET
    closed: bool | UnsetType | None = UNSET
    members: bool | UnsetType | None = UNSET
    guests: Guests | UnsetType | None = UNSET
    listed: bool | UnsetType | None = UNSET
    slow: Slow | UnsetType | None = UNSET
    rate: RoomRate | UnsetType | None = UNSET
    hold: Hold | UnsetType | None = UNSET
    links: Links | UnsetType | None = UNSET
    words: Words | UnsetType | None = UNSET
    edit: EditWithin | UnsetType | None = UNSET
    presence: bool | UnsetType | None = UNSET
    history_limit: HistoryLimit | UnsetType | None = UNSET
    history_age: HistoryAge | UnsetType | None = UNSET

    def given(self) -> dict[str, Any]:
        """The settings that are not left out, by name."""
        return {name: value for name, value in asdict(self).items() if value is not UNSET}

    def changed_by(self, change: SettingsChange) -> SettingsChange:
        """Return these settings with *change* made; inherited ones are left out."""
        kept = self.given() | change.given()
        return SettingsChange(**{name: each for name, each in kept.items() if each is not None})

    def over(self, settings: RoomSettings) -> RoomSettings:
        """Return *settings* with these in their place."""
        given = self.given()
        return replace(settings, **given) if given else settings


class AskedChange(SettingsChange, frozen=True, forbid_unknown_fields=True):
    """A change that somebody asks for: a setting that there is not is refused."""


#: Settings that need the right ``moderate``; others need ``manage``.
MODERATED: Final = frozenset({"slow", "hold", "links", "words", "topic", "pinned", "closed"})
ALL_SETTINGS: Final = tuple(each.name for each in fields(RoomSettings))
