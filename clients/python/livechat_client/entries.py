"""Entries of a room, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self, TypeAlias

#: A frame, or a part of one.
Frame: TypeAlias = Mapping[str, Any]
State: TypeAlias = Literal["connecting", "open", "waiting", "closed"]


@dataclass(frozen=True, slots=True)
class User:
    """
    A user in a room.

    @ivar verified: the site vouches for this user. An id says who it is only together with this.
    @ivar role: a badge, which decides nothing.
    """

    id: str
    name: str
    verified: bool = False
    role: str | None = None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        return cls(frame["id"], frame["name"], bool(frame.get("verified")), frame.get("role"))


@dataclass(frozen=True, slots=True)
class Place:
    """The last entry that was seen: its number, and in which numbering."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Message:
    """
    Something that was said.

    @ivar user: None where nothing is known of the author.
    @ivar edited: when it was edited last.
    """

    seq: int
    time: datetime
    text: str
    user: User | None = None
    reply_to: int | None = None
    data: Mapping[str, Any] | None = None
    edited: datetime | None = None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        user, edited = frame.get("user"), frame.get("edited")
        return cls(
            frame["seq"],
            moment(frame["time"]),
            frame["message"],
            None if user is None else User.of(user),
            frame.get("reply_to"),
            frame.get("data"),
            None if edited is None else moment(edited),
        )


@dataclass(frozen=True, slots=True)
class Edited:
    """The message with the number *ref* has another text."""

    seq: int
    time: datetime
    ref: int
    text: str
    data: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        text, data = frame["text"], frame.get("data")
        return cls(frame["seq"], moment(frame["time"]), frame["ref"], text, data)


@dataclass(frozen=True, slots=True)
class Retracted:
    """These messages were taken back, and are not to be shown any more."""

    seq: int
    time: datetime
    refs: tuple[int, ...]
    by: str

    @classmethod
    def of(cls, frame: Frame) -> Self:
        return cls(frame["seq"], moment(frame["time"]), tuple(frame["refs"]), frame["by"])


@dataclass(frozen=True, slots=True)
class Gap:
    """
    Entries were missed, and cannot be had any more.

    @ivar reason: `trimmed`: the server keeps them no longer; `epoch`: the room's numbers began
        anew, and those that were seen say nothing any more; `forbidden`: one may not read them.
    @ivar missed: how many, where that is known.
    """

    reason: str
    missed: int | None = None


#: A value that iterating over a chat gives.
Entry: TypeAlias = Message | Edited | Retracted | Gap


@dataclass(frozen=True, slots=True)
class Ack:
    """
    An act was done.

    @ivar seq: the number of the entry that came of it.
    @ivar duplicate: it had been done before, under the same nonce.
    @ivar count: how many messages were taken back.
    @ivar case: the case that was opened or decided.
    @ivar address: whether an address was restricted, too.
    @ivar name: by which a guest is called now.
    """

    seq: int | None
    time: datetime | None
    duplicate: bool = False
    count: int | None = None
    case: str | None = None
    address: bool | None = None
    name: str | None = None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        time, get = frame.get("time"), frame.get
        return cls(
            get("seq"),
            None if time is None else moment(time),
            bool(get("duplicate")),
            get("count"),
            get("case"),
            get("address"),
            get("name"),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """
    Messages that were said before, oldest first, with their present text.

    @ivar first: with `last` the numbers that were looked at.
    @ivar more: there are others beyond them, in the direction that was asked for.
    """

    messages: tuple[Message, ...]
    first: int
    last: int
    more: bool

    @classmethod
    def of(cls, frame: Frame) -> Self:
        messages = tuple(Message.of(each) for each in frame["messages"])
        return cls(messages, frame["first"], frame["last"], bool(frame["more"]))


@dataclass(frozen=True, slots=True)
class Restriction:
    """
    A restriction of oneself, by moderators.

    @ivar until: None where it does not end by itself.
    """

    kind: str
    until: datetime | None = None
    reason: str | None = None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        until = frame.get("until")
        ends = None if until is None else moment(1_000 * until)
        return cls(frame["kind"], ends, frame.get("reason"))


@dataclass(frozen=True, slots=True)
class Status:
    """
    The state of the connection.

    @ivar code: the close code by which the last one ended.
    @ivar retry: seconds until the next attempt.
    """

    state: State
    code: int | None = None
    reason: str = ""
    retry: float | None = field(default=None, compare=False)


def entry_of(frame: Frame) -> Message | Edited | Retracted | None:
    """Make the entry of a numbered *frame*, if it is of a kind that is known here."""
    match frame["type"], frame.get("event"):
        case "message", _:
            return Message.of(frame)
        case _, "edited":
            return Edited.of(frame)
        case _, "retracted":
            return Retracted.of(frame)
    return None


def moment(milliseconds: float) -> datetime:
    """Make the date of a number of *milliseconds* since 1970."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
