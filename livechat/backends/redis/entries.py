"""
Entries as Redis keeps them and tells them.

    fields    of an entry of a stream: names and values in turn
    record    of an entry that was changed, in a hash beside the stream
    push      what a room's channel is told: generation, word and number before a record

A record is a time, a tag and three sizes, a blank behind each; then a user, the rest as JSON and
a text.  The sizes are ``U/K/X``: the size of the user, the kind, and the size of the rest; or
only ``U`` of a message without a rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from livechat.backends.records import (
    Extra,
    Record,
    RecordKind,
    extra_of_text,
    extra_to_text,
    to_entry,
)
from livechat.protocol import messages
from livechat.protocol.messages import Message, User, user_of_text, user_to_text

#: Fields of an entry up to the text, names and values; others may follow.
_PLAIN: Final = 6
#: Fields of a message with a user.
_WITH_USER: Final = 8


class Entry(NamedTuple):
    """
    An entry as it is stored.

    @ivar kind: a `RecordKind`.
    @ivar extra: the rest of it, as JSON; or nothing.
    """

    seq: int
    time: int
    tag: bytes
    text: str
    user: User | None = None
    word: bytes = b""
    kind: int = 0
    extra: bytes = b""

    def entry(self) -> messages.Entry:
        """Return the entry as everybody knows it."""
        if self.kind or self.extra:
            record = Record(self.kind, self.text, self.extra)
            return to_entry(record, self.seq, self.time, self.user)
        return Message(self.text, self.seq, self.time, self.user)

    def amended(self, event: Entry) -> Entry:
        """Return this entry as it is after *event*, which may concern it."""
        if event.seq <= self.seq or event.word != self.word or self.kind not in _AMENDED:
            return self
        change = extra_of_text(event.extra)
        refs = change.refs or (change.ref,)
        if self.kind == RecordKind.EDITED:
            return self._gone() if extra_of_text(self.extra).ref in refs else self
        if self.seq not in refs:
            return self
        if event.kind == RecordKind.EDITED:
            return self._edited(event, change)
        return self._gone() if event.kind == RecordKind.RETRACTED else self

    def _gone(self) -> Entry:
        return Entry(self.seq, self.time, self.tag, "", None, self.word, RecordKind.GONE)

    def _edited(self, event: Entry, change: Extra) -> Entry:
        extra = Extra(
            reply_to=extra_of_text(self.extra).reply_to, data=change.data, edited=event.time
        )
        return self._replace(text=event.text, extra=(extra_to_text(extra) or "").encode())


_AMENDED: Final = frozenset({RecordKind.MESSAGE, RecordKind.EDITED})


class State(NamedTuple):
    """A room's newest entry, and its numbering; zeros and nothing if there is none."""

    seq: int
    time: int
    tag: bytes
    word: bytes = b""


class Part(NamedTuple):
    """
    Consecutive entries of a room.

    @ivar newest: the newest entry, and the numbering of all.
    @ivar oldest: the oldest number that is kept; one more than the newest where none is.
    @ivar event: the number of the newest event, or 0.
    """

    newest: State
    oldest: int
    entries: list[Entry]
    event: int = 0

    def tag_of(self, seq: int) -> bytes | None:
        """The tag of entry *seq*, if it is among them."""
        return next((entry.tag for entry in self.entries if entry.seq == seq), None)


def user_to_bytes(user: User | None) -> bytes:
    """Encode a user for Redis; empty for None."""
    return b"" if user is None else user_to_text(user).encode()


def user_of_bytes(data: bytes) -> User | None:
    """
    The user that is kept so.

    @raise ValueError: none is.
    """
    return user_of_text(data.decode()) if data else None


def stored_entry(number: bytes, kept: Sequence[bytes] | bytes, word: bytes) -> Entry:
    """
    Read what a script answers of an entry: its id, and its fields or its record.

    @raise ValueError: it is none.
    """
    seq = int(number.partition(b"-")[0])
    if isinstance(kept, bytes):
        return _entry(seq, word, kept)
    user, kind, extra = None, 0, b""
    if len(kept) == _WITH_USER and kept[_PLAIN] == b"u":
        user = user_of_bytes(kept[7])
    elif len(kept) > _PLAIN:
        rest = dict(zip(kept[6::2], kept[7::2], strict=True))
        user = user_of_bytes(rest.get(b"u", b""))
        kind, extra = RecordKind(int(rest.get(b"k", 0))), rest.get(b"x", b"")
    return Entry(seq, int(kept[1]), kept[3], kept[5].decode(), user, word, kind, extra)


def published_entry(payload: bytes) -> tuple[bytes, Entry]:
    """
    Read what a room's channel was told by a script: a generation, and an entry.

    @raise ValueError: it was told something else.
    """
    generation, word, seq, time, tag, sizes, rest = payload.split(b" ", 6)
    if b"/" not in sizes:
        # Nearly all entries are plain, and each process reads each of them, so this is fast.
        size = int(sizes)
        user = user_of_bytes(rest[:size])
        return generation, Entry(int(seq), int(time), tag, rest[size:].decode(), user, word)
    entry = _entry(int(seq), word, payload.split(b" ", 3)[3])
    entry.entry()  # anybody may have told it, and it must not fail later
    return generation, entry


def _entry(seq: int, word: bytes, record: bytes) -> Entry:
    time, tag, sizes, rest = record.split(b" ", 3)
    size, _, others = sizes.partition(b"/")
    begins = int(size)
    user = user_of_bytes(rest[:begins])
    if not others:
        return Entry(seq, int(time), tag, rest[begins:].decode(), user, word)
    kind, _, length = others.partition(b"/")
    ends = begins + int(length)
    text, extra = rest[ends:].decode(), rest[begins:ends]
    return Entry(seq, int(time), tag, text, user, word, RecordKind(int(kind)), extra)


class Unsent(NamedTuple):
    """The answer of `unsent.lua` about a room: what waits there for a receiver."""

    word: bytes
    told: int
    top: int
    event: int
    oldest: int
    hold: int
    since: int
    entries: list[Any]
    before: bytes

    @property
    def quiet(self) -> bool:
        """Return True if no entry waits for a receiver, or none of these is left."""
        return self.hold > self.top or self.oldest > self.top
