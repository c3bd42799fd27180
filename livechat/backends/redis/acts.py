"""Acts on their way into Redis; edits and retractions as calls of `amend.lua`, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from livechat.backends.amending import foreign, missing, too_late, too_many_edits
from livechat.backends.nonces import repeated, reused
from livechat.backends.records import RecordKind, extra_of_text, to_record
from livechat.backends.redis.connection import RefusedError, Script
from livechat.backends.redis.entries import Entry, stored_entry
from livechat.backends.waiting import Act
from livechat.errors import ChatError
from livechat.interfaces import IReceiver, Record
from livechat.protocol.messages import (
    MOST_EDITS,
    Amended,
    Amendment,
    Draft,
    Edit,
    Edited,
    Event,
    Gone,
    Message,
    Redaction,
    Retracted,
)

AMEND: Final = Script("amend", "holding", "writing", "changing")
#: Verdicts of the script that are numbers.
_STORED: Final = 0
_REPEATED: Final = 1
_OTHER: Final = 2
#: Verdicts of the script that are words.
_REFUSALS: Final[dict[bytes, Callable[[], ChatError]]] = {
    b"missing": missing,
    b"foreign": foreign,
    b"late": too_late,
    b"often": too_many_edits,
}


class Nodes(NamedTuple):
    """
    The most that is in a node of a stream of Redis (``stream-node-max-…``).

    @ivar entries: of all entries that may share one, those that are changed are rewritten.
    """

    entries: int = 100
    size: int = 4096


#: Bounds of a stream's nodes if Redis does not tell them.
MOST_IN_NODE: Final = Nodes(10_000, 1024 * 1024)


class Sending(Act[Draft]):
    """
    A message on its way.

    @ivar text: its bytes.
    @ivar tag: tells it from all other entries.
    @ivar extra: its fields beside text and user, as JSON; or empty.
    """

    __slots__ = ("extra", "tag", "text")

    def __init__(self, draft: Draft, tag: bytes, receiver: IReceiver) -> None:
        """
        @raise UnicodeEncodeError: its text cannot be stored.
        """
        super().__init__(draft, receiver)
        self.text = draft.message.encode()
        self.tag = tag
        self.extra = b""
        if draft.reply_to is not None or draft.data is not None:
            self.extra = _extra(self.message(0, 0))

    @property
    def room(self) -> str:
        return self.submission.room

    def entry(self, seq: int, time: int, word: bytes) -> Entry:
        """Return its stored form."""
        draft = self.submission
        return Entry(seq, time, self.tag, draft.message, draft.user, word, 0, self.extra)

    def message(self, seq: int, time: int) -> Message:
        """Return what its sender is told of."""
        draft = self.submission
        return Message(draft.message, seq, time, draft.user, draft.reply_to, draft.data)


class Change(Act[Amendment]):
    """
    An edit or a retraction on its way.

    @ivar tag: that of its event.
    """

    __slots__ = ("tag",)

    def __init__(self, amendment: Amendment, tag: bytes, receiver: IReceiver) -> None:
        """
        @raise UnicodeEncodeError: its text cannot be stored.
        """
        if isinstance(amendment, Edit):
            amendment.message.encode()
        if isinstance(amendment, Redaction):
            _changes(amendment)
        super().__init__(amendment, receiver)
        self.tag = tag

    @property
    def room(self) -> str:
        return self.submission.room

    def args(self, nodes: Nodes) -> list[bytes]:
        """The last arguments of the script: all behind the oldest time that is kept."""
        given = self.submission
        author = "" if isinstance(given, Redaction) else given.author or ""
        args = [b"%d" % nodes.entries, b"%d" % nodes.size, author.encode()]
        if isinstance(given, Edit):
            data = b"" if given.data is None else bytes(given.data)
            return [
                *args,
                b"edit",
                b"%d" % given.ref,
                b"%d" % given.since,
                b"%d" % MOST_EDITS,
                given.message.encode(),
                data,
                _extra(Edited(0, 0, given.ref, given.message, given.data)),
            ]
        if isinstance(given, Redaction):
            return [*args, b"redact", *_changes(given)]
        refs = [b"%d" % ref for ref in given.refs]
        return [*args, b"retract", b"1" if given.moderates else b"", *refs]

    def result(self, answer: Sequence[Any]) -> Result | ChatError:
        """
        Read an answer of the script.

        @raise RefusedError: nothing is stored, since Redis has refused something.
        """
        word, verdict, *rest = answer
        if isinstance(verdict, bytes):
            if verdict in _REFUSALS:
                return _REFUSALS[verdict]()
            raise RefusedError(verdict.decode())
        seq, time, extra, before = rest
        if verdict == _OTHER:
            return reused()
        if verdict == _REPEATED:
            again = repeated(self.submission, seq, time)
            assert isinstance(again, Amended)
            return Result(again)
        given = self.submission
        event: Edited | Retracted | Gone
        if isinstance(given, Edit):
            kind, text = RecordKind.EDITED, given.message
            event = Edited(seq, time, given.ref, text, given.data)
        elif isinstance(given, Redaction):
            kind, text, event = RecordKind.GONE, "", Gone(seq, time)
        else:
            kind, text, known = RecordKind.RETRACTED, "", extra_of_text(extra)
            event = Retracted(seq, time, known.refs or given.refs, known.by)
        changed = (stored_entry(number, kept, word).entry() for number, kept in before)
        before_it = tuple(each for each in changed if isinstance(each, Message))
        entry = Entry(seq, time, self.tag, text, None, word, kind, _extra(event))
        return Result(Amended(event, before_it), entry, new=verdict == _STORED)


class Result(NamedTuple):
    """
    The outcome of a change.

    @ivar entry: its event; None if another call with the same nonce stored it.
    @ivar new: this call of the script stored it; otherwise it may be changed since.
    """

    amended: Amended
    entry: Entry | None = None
    new: bool = False


def _changes(redaction: Redaction) -> list[bytes]:
    """
    Make the arguments of the script.

    @raise UnicodeEncodeError: a text cannot be stored.
    """
    args: list[bytes] = []
    for seq in redaction.refs:
        text = redaction.changes[seq]
        args += b"%d" % seq, b"" if text is None else b"1", (text or "").encode()
    return args


def _extra(entry: Message | Event) -> bytes:
    return str(to_record(entry).extra or "").encode()


#: An act, its entry, and the result for its receiver.
Stored = tuple[Sending | Change, Entry, Message | Amended]


def conclude(room: str, stored: Sequence[Stored], record: Record | None) -> None:
    """Record entries of *room* that were stored and delivered; tell the receivers."""
    if stored and record is not None:
        results = [result for _, _, result in stored]
        record(room, [each.event if isinstance(each, Amended) else each for each in results])
    for act, _, result in stored:
        act.stored(result)
