"""
Random acts in one room, against a model of it: for every backend that keeps `IMessageLog`.

Whatever was said, edited, retracted, trimmed and killed, in whatever order: numbers have no holes,
each act is answered as the model has it, readers that come from anywhere end with the same room,
and nothing that was taken back is told to any of them after the answer.

A subclass says how to begin, how to wait, and how to kill.  Its `TestCase` is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Raw
from twisted.internet.defer import Deferred, DeferredList

from livechat.errors import ChatError, Kind
from livechat.interfaces import IMessageLog
from livechat.protocol.messages import (
    MOST_EDITS,
    Amended,
    Draft,
    Edit,
    Edited,
    Entry,
    Gone,
    Message,
    Page,
    Retracted,
    Retraction,
    Submission,
    User,
)
from tests.support.outcomes import amend, publish

_T = TypeVar("_T")

ROOM: Final = "r"
#: Entries that the room keeps.
LIMIT: Final = 12
#: The second has a guest's id on a site of which he is a user.
USERS: Final = (User("1", "Ann"), User("1", "Ann", verified=True), User("2", "Bob"), None)

SETTINGS: Final = settings(max_examples=8, stateful_step_count=20, deadline=None)

_users = st.sampled_from(USERS)
# Counted back from the newest number; some are not there yet, or not any more.
_refs = st.integers(-2, LIMIT + 2)
_processes = st.integers(0, 1)
_acts = st.one_of(
    st.tuples(st.just("say"), _users, _refs),
    st.tuples(st.just("edit"), _users, _refs),
    st.tuples(st.just("retract"), _users, st.lists(_refs, min_size=1, max_size=4)),
    st.tuples(st.just("moderate"), _users, st.lists(_refs, min_size=1, max_size=4)),
)
#: Acts of one moment.
ACTS: Final = st.lists(_acts, min_size=1, max_size=6)


class Said:
    """A message, as the model has it."""

    def __init__(self, text: str, user: User | None) -> None:
        self.text = text
        self.user = user
        self.edits = 0
        self.event = 0


class Model:
    """
    The room: an act after the other.

    @ivar entries: what stands under each number, 1, 2, 3, ...: a message, an event, or None.
    @ivar taken_back: texts that nobody may be told any more.
    """

    def __init__(self) -> None:
        self.entries: list[Said | str | None] = []
        self.taken_back: set[str] = set()
        self.event = 0

    @property
    def oldest(self) -> int:
        return max(1, len(self.entries) - LIMIT + 1)

    def messages(self) -> dict[int, str]:
        """The texts that the room shows, by number."""
        numbered = enumerate(self.entries, start=1)
        kept = ((seq, entry) for seq, entry in numbered if seq >= self.oldest)
        return {seq: entry.text for seq, entry in kept if isinstance(entry, Said)}

    def find(self, seq: int) -> Said | None:
        if not self.oldest <= seq <= len(self.entries):
            return None
        entry = self.entries[seq - 1]
        return entry if isinstance(entry, Said) else None

    def act(self, act: Submission) -> int | Kind:
        """The number that *act* gets, or why it is refused."""
        if isinstance(act, Draft):
            self.entries.append(Said(act.message, act.user))
            return len(self.entries)
        assert isinstance(act, Edit | Retraction)
        refused = self._edit(act) if isinstance(act, Edit) else self._retract(act)
        return refused or len(self.entries)

    def _edit(self, edit: Edit) -> Kind | None:
        found = self.find(edit.ref)
        if found is None:
            return Kind.NOT_FOUND
        if found.user is None or found.user.subject != edit.author:
            return Kind.FORBIDDEN
        if found.edits >= MOST_EDITS:
            return Kind.TOO_MANY_EDITS
        self._take_back(found)
        self.entries.append("edited")
        found.text, found.edits, found.event = edit.message, found.edits + 1, len(self.entries)
        self.event = len(self.entries)
        return None

    def _retract(self, retraction: Retraction) -> Kind | None:
        found = {seq: said for seq in retraction.refs if (said := self.find(seq))}
        if not found:
            return Kind.NOT_FOUND
        subjects = {said.user and said.user.subject for said in found.values()}
        own = retraction.author is not None and subjects == {retraction.author}
        if not own and not retraction.moderates:
            return Kind.FORBIDDEN
        for seq, said in found.items():
            self._take_back(said)
            self.entries[seq - 1] = None
        self.entries.append("retracted")
        self.event = len(self.entries)
        return None

    def _take_back(self, said: Said) -> None:
        self.taken_back.add(said.text)
        if said.event:
            self.entries[said.event - 1] = None


class Reader:
    """
    A client: it has read up to a place, and does as it is told from there.

    @ivar room: the texts that it shows, by number.
    """

    def __init__(self) -> None:
        self.place = 0
        self.room: dict[int, str] = {}

    def take(self, entry: Entry) -> None:
        self.place = entry.seq
        match entry:
            case Message():
                self.room[entry.seq] = entry.message
            case Edited() if entry.ref in self.room:
                self.room[entry.ref] = entry.text
            case Retracted():
                for seq in entry.refs:
                    self.room.pop(seq, None)
            case Gone():
                self.room.pop(entry.seq, None)

    def shown(self, oldest: int) -> dict[int, str]:
        return {seq: text for seq, text in self.room.items() if seq >= oldest}


class AmendMachine(RuleBasedStateMachine):
    """
    The acts.

    @ivar logs: the processes' logs of the same rooms; each delivers the room.
    """

    logs: Sequence[IMessageLog]

    def begin(self) -> None:
        """Begin with nothing said in the room; set `logs`."""
        raise NotImplementedError

    def wait(self, call: Callable[[], Deferred[_T]]) -> _T:
        """Make *call* where the logs live; return what its Deferred fires with."""
        raise NotImplementedError

    def kill(self) -> None:
        """Kill a process, and have another one in its place, in `logs`."""
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.model = Model()
        self.texts = 0
        self.readers = [Reader() for _ in range(3)]
        self.epoch: str | None = None
        self.begin()

    def log(self, process: int) -> IMessageLog:
        return self.logs[process % len(self.logs)]

    def read(self, process: int, after: int, limit: int) -> Page:
        page = self.wait(lambda: self.log(process).read(ROOM, after, limit))
        position = page.position
        self.epoch = self.epoch or position.epoch
        assert position.epoch == self.epoch
        assert position.seq == len(self.model.entries)
        assert position.oldest == self.model.oldest
        assert position.event == self.model.event
        first = max(after + 1, position.oldest)
        numbers = [entry.seq for entry in page.entries]
        assert numbers == list(range(first, min(first + limit, position.seq + 1)))
        told = {getattr(each, "message", getattr(each, "text", "")) for each in page.entries}
        assert not told & self.model.taken_back
        return page

    def make(self, what: str, user: User | None, back: Any) -> Submission:
        """An act that names entries by how far they are back."""
        newest = len(self.model.entries)
        self.texts += 1
        text = f"<{self.texts:06}>" + "x" * (self.texts * 37 % 3_000)
        author = None if user is None else user.subject
        if what == "say":
            return Draft(ROOM, text, user, reply_to=newest + 1 if back % 2 else None)
        if what == "edit":
            data = Raw(b'{"a":1}') if self.texts % 2 else None
            return Edit(ROOM, max(0, newest - back), text, author or "g:nobody", data=data)
        refs = tuple(sorted({max(0, newest - each) for each in back}))
        return Retraction(ROOM, refs, author, moderates=what == "moderate")

    @rule(process=_processes, acts=ACTS)
    def act(self, process: int, acts: list[tuple[str, User | None, Any]]) -> None:
        """Acts of one moment are made one after the other, and answered as the model has it."""
        made, expected = self.make_all(acts)
        assert self.answers(process, made) == expected

    def make_all(
        self, acts: list[tuple[str, User | None, Any]]
    ) -> tuple[list[Submission], list[int | Kind]]:
        """Make *acts* in the model; return them, and what they are to be answered."""
        made: list[Submission] = []
        expected: list[int | Kind] = []
        for each in acts:
            made.append(self.make(*each))
            expected.append(self.model.act(made[-1]))
        return made, expected

    def answers(self, process: int, made: list[Submission]) -> list[int | Kind]:
        """Make these acts at once; return what each is answered."""
        log = self.log(process)

        def call() -> Deferred[Any]:
            calls: list[Deferred[Any]] = [
                publish(log, act) if isinstance(act, Draft) else amend(log, act) for act in made
            ]
            return DeferredList(calls, consumeErrors=True)

        return [_answer(good, value) for good, value in self.wait(call)]

    @rule(process=_processes, reader=st.integers(0, 2), limit=st.integers(1, LIMIT))
    def read_on(self, process: int, reader: int, limit: int) -> None:
        """A client goes on where it was: after a moment or a long time, at any process."""
        client = self.readers[reader]
        for entry in self.read(process, client.place, limit).entries:
            client.take(entry)

    @rule(reader=st.integers(0, 2), back=st.integers(0, LIMIT))
    def come_anew(self, reader: int, back: int) -> None:
        """A client begins with the newest entries, which may be events of what it never saw."""
        self.readers[reader] = client = Reader()
        client.place = max(0, len(self.model.entries) - back)

    @rule()
    def kill_one(self) -> None:
        self.kill()

    @rule(process=_processes)
    def all_catch_up(self, process: int) -> None:
        """All who have read to the end have the same room, as far as they have read it."""
        for client in self.readers:
            first = client.place
            while entries := self.read(process, client.place, 5).entries:
                for entry in entries:
                    client.take(entry)
            oldest = max(self.model.oldest, min(client.room, default=first + 1))
            shown = {seq: text for seq, text in self.model.messages().items() if seq >= oldest}
            assert client.shown(self.model.oldest) == shown

    @invariant()
    def nothing_comes_back(self) -> None:
        """Reading everything gives the model's messages, and no retracted one."""
        page = self.read(0, 0, 10 * LIMIT)
        assert {each.seq: each.message for each in page.messages} == self.model.messages()


def _answer(good: bool, value: Any) -> int | Kind:
    if not good:
        assert isinstance(value.value, ChatError), value
        return value.value.kind
    entry = value.event if isinstance(value, Amended) else value
    return int(entry.seq)
