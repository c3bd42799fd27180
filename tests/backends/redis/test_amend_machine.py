"""Random acts at two processes in one Redis, against a model of what the room keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Entry,
    Gone,
    Message,
    Retracted,
    Retraction,
    User,
)
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.support.example_counts import examples
from tests.support.outcomes import amend, publish

LIMIT = 12
USERS = (User("1", "Ann"), User("1", "Ann", None, verified=True))


class Act(NamedTuple):
    """Something that a user does at one of the processes; *back* tells to which entries."""

    what: str
    process: int
    user: int
    back: tuple[int, ...]


ACTS = st.builds(
    Act,
    st.sampled_from(["say", "say", "say", "edit", "edit", "retract", "moderate"]),
    st.integers(0, 1),
    st.integers(0, 1),
    st.lists(st.integers(0, LIMIT), min_size=1, max_size=3).map(tuple),
)
STEPS = st.lists(
    st.lists(ACTS, min_size=1, max_size=4) | st.sampled_from(["deaf", "cut", "sweep"]),
    min_size=4,
    max_size=24,
)


class Model:
    """The entries of a room that has such numbers, and the words that were taken back."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.edits: dict[int, int] = {}
        self.words: set[str] = set()

    def kept(self) -> list[Entry]:
        return self.entries[-LIMIT:]

    def put(self, seq: int) -> None:
        entry = self.entries[seq - 1]
        self.words |= {entry.message} if isinstance(entry, Message) else set()
        self.words |= {entry.text} if isinstance(entry, Edited) else set()
        self.entries[seq - 1] = Gone(seq, entry.time)

    def hear(self, result: Message | Amended) -> None:
        """Learn of the next entry."""
        if isinstance(result, Message):
            assert result.seq == len(self.entries) + 1
            self.entries.append(result)
            return
        event = result.event
        assert isinstance(event, Edited | Retracted)
        assert event.seq == len(self.entries) + 1
        refs = event.refs if isinstance(event, Retracted) else (event.ref,)
        assert result.before == tuple(self.entries[ref - 1] for ref in refs)
        for ref, before in zip(refs, result.before, strict=True):
            if ref in self.edits:
                self.put(self.edits.pop(ref))
            self.put(ref)
            if isinstance(event, Edited):
                self.entries[ref - 1] = Message(
                    event.text, ref, before.time, before.user, before.reply_to, None, event.time
                )
                self.edits[ref] = event.seq
        self.entries.append(event)


class MachineTest(ProcessesTest):
    """Two processes whose room keeps some entries."""

    timeout = 120
    options = ("--rdbcompression", "no")

    def process(self, **_: int) -> Process:
        return super().process(messages=LIMIT)

    async def test_random_acts(self) -> None:
        """Everybody sees what the model has, whatever is lost on the way; no word comes back."""
        self.rooms = 0

        @settings(
            max_examples=examples(20),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(STEPS)
        def run(steps: Sequence[Any]) -> None:
            blockingCallFromThread(self.reactor, begin, steps)

        def begin(steps: Sequence[Any]) -> Deferred[Any]:
            return Deferred.fromCoroutine(self.example(steps))

        await deferToThread(run)

    async def example(self, steps: Sequence[Any]) -> None:
        self.rooms += 1
        room, model = f"room{self.rooms}", Model()
        both = (self.here, self.there)
        heard = [each.backend.published for each in both]
        for each in both:
            await each.backend.messages.subscribe(room)
        for number, step in enumerate(steps):
            if step == "deaf":
                both[number % 2].backend.published = lambda *_: None  # type: ignore[method-assign]
            elif step == "cut":
                self.server.ask("CLIENT", "KILL", "TYPE", ("normal", "pubsub")[number % 2])
                await until(lambda: both[0].backend.trouble() and both[1].backend.trouble())
                await self.usable()
            elif step == "sweep":
                await gatherResults(
                    [Deferred.fromCoroutine(e.backend._subscriptions.sweep()) for e in both]
                )
            else:
                await self.acts(room, model, number, step)
        for each, told in zip(both, heard, strict=True):
            each.backend.published = told  # type: ignore[method-assign]
        await self.same(room, model)

    async def acts(self, room: str, model: Model, number: int, acts: Sequence[Act]) -> None:
        """Run *acts* at once; the model gets their results in the order of their numbers."""
        calls: list[Deferred[Any]] = []
        top = len(model.entries)
        for other, (what, process, user, back) in enumerate(acts):
            log = (self.here, self.there)[process].backend.messages
            author, text = USERS[user], f"<{room}:{number}:{other}>"
            refs = tuple(sorted({max(1, top - each) for each in back}))
            if what == "say":
                calls.append(publish(log, Draft(room, text, author, reply_to=refs[0])))
            elif what == "edit":
                calls.append(amend(log, Edit(room, refs[0], text, author.subject)))
            else:
                moderates = what == "moderate"
                amendment = Retraction(room, refs, author.subject, moderates=moderates)
                calls.append(amend(log, amendment))
        results = [await call.addErrback(refusal) for call in calls]
        done = [each for each in results if not isinstance(each, Kind)]
        done.sort(key=lambda each: each.event.seq if isinstance(each, Amended) else each.seq)
        for each in done:
            model.hear(each)

    async def same(self, room: str, model: Model) -> None:
        top = len(model.entries)
        for process in (self.here, self.there):
            await process.backend._subscriptions.sweep()
            await process.backend._subscriptions.sweep()
            await until(lambda process=process: process.seqs(room)[-1:] == [top] or not top)  # type: ignore[misc]
            assert process.seqs(room) == sorted(set(process.seqs(room)))
            assert len(process.epochs(room)) <= 1
            for after in range(max(0, top - LIMIT - 1), top + 1):
                page = await process.backend.messages.read(room, after, 5)
                first = max(after, top - LIMIT, 0)
                assert list(page.entries) == model.entries[first:][:5]
                assert page.position.oldest == max(1, top - LIMIT + 1)
        stored = (
            self.server.ask("XLEN", f"lc:{{{room}}}:s"),
            self.server.ask("HLEN", f"lc:{{{room}}}:x"),
        )
        assert sum(map(int, stored)) == len(model.kept())
        command = self.here.backend._connection.command
        words = [word.encode() for word in model.words]
        for key in self.server.ask("KEYS", f"lc:{{{room}}}:*").split():
            dump = await command(b"DUMP", key.encode())
            assert not [word for word in words if word in (dump or b"")]


def refusal(failure: Failure) -> Kind:
    """Why an act was refused: whose a message is, and that it is gone, depends on others' acts."""
    failure.trap(ChatError)
    error: Any = failure.value
    kind: Kind = error.kind
    assert kind in (Kind.NOT_FOUND, Kind.FORBIDDEN, Kind.TOO_MANY_EDITS)
    return kind
