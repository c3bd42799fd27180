"""
A backend: rooms in the memory of one process, gone when it ends.

    twistd --pidfile= -n livechat --backend memory: --extension examples.memory_backend.Memory
"""

import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from livechat.backends.alone import LoneMap, LoneMaps, LonePresenceRelay, LoneProcessRegistry
from livechat.backends.amending import check_edit, check_retraction
from livechat.backends.nonces import Known, Nonces
from livechat.backends.pacing import Pacing
from livechat.backends.retention import Retention, RoomRetention
from livechat.backends.waiting import not_stored, refuse, tell_stored, unstorable
from livechat.config import Config
from livechat.errors import ChatError, StartError
from livechat.extensions import ExtensionBase
from livechat.interfaces import IBackend, IMessageLog, IPresenceSink, IReceiver, ISink, Record
from livechat.protocol.cluster import Report
from livechat.protocol.messages import (
    Amended,
    Amendment,
    Draft,
    Edit,
    Edited,
    Entry,
    Gone,
    Message,
    Newest,
    Page,
    Position,
    Retracted,
    Retraction,
    Submission,
    characters,
)

#: Characters of a page, unless it is a single message.
PAGE = 100_000
NEVER = Newest(0, 0)


@implementer(IBackend, IMessageLog)
class MemoryBackend:
    """The entries of each room, and the newest one that it ever had."""

    description = "the memory of this process"
    #: There are no webhooks with it, and nobody can be forgotten before it ends.
    outbox = archive = None

    def __init__(
        self,
        retention: Retention,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retention, self._wall, self._elapsed = RoomRetention(retention), wall, elapsed
        self._pacing = Pacing()
        self._offset = wall() - elapsed()
        self._kept: dict[str, deque[Entry]] = defaultdict(deque)
        self._newest: dict[str, Newest] = {}
        # The newest event of each room, and how often each message was edited.
        self._event: dict[str, int] = {}
        self._edits: Counter[tuple[str, int]] = Counter()
        self._secret = secrets.token_bytes(32)
        self._nonces = Nonces(elapsed, lambda: self._secret)
        self._maps = LoneMaps(lambda: self._now() / 1000)
        self._sink: ISink | None = None
        self._record: Record | None = None
        self.messages, self.presence = self, LonePresenceRelay()
        self.processes = LoneProcessRegistry(lambda: self._secret)

    def start(
        self,
        sink: ISink,
        census: Callable[[], Report],
        presence: IPresenceSink | None = None,
        record: Record | None = None,
    ) -> None:
        # The wall clock is not read again: set later, it must neither stamp nor hide a message.
        self._offset = self._wall() - self._elapsed()
        self.processes.start(census)
        self._sink, self._record = sink, record

    def stop(self) -> Deferred[None]:
        self._sink = None
        return succeed(None)

    def trouble(self) -> str | None:
        return None

    def shared_map(self, name: str, *, most: int, largest: int) -> LoneMap:
        return self._maps.get(name, most=most, largest=largest)

    def subscribe(self, room: str) -> Deferred[None]:
        return succeed(None)

    def unsubscribe(self, room: str) -> None:
        """All rooms are delivered: the hub knows which have members."""

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        self._answer(draft, self._publish, receiver)

    def amend(self, amendment: Amendment, receiver: IReceiver) -> None:
        amend = self._edit if isinstance(amendment, Edit) else self._retract
        self._answer(amendment, amend, receiver)

    def _answer(self, act: Any, store: Callable[[Any, Newest], Any], receiver: IReceiver) -> None:
        try:
            result = self._store(act, store)
        except ChatError as reason:
            refuse(receiver, reason)
        else:
            tell_stored(receiver, result)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return execute(self._read, room, after, limit)

    def retain(self, of: Callable[[str], tuple[int, int]]) -> None:
        self._retention.retain(of)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return succeed({room: self._newest[room] for room in rooms if room in self._newest})

    def _store(self, act: Any, store: Callable[[Any, Newest], Message | Amended]) -> Any:
        """Have *store* store *act*, under the number and time that it is given."""
        if self._sink is None:
            raise not_stored()
        _check_text(act)
        used = None if act.nonce is None else self._nonces.find(act)
        if isinstance(used, ChatError):
            raise used
        if used is not None:
            return used
        self._keep_pace(act)
        last = self._newest.get(act.room, NEVER)
        result = store(act, Newest(last.seq + 1, max(last.time, self._now())))
        entry = result.event if isinstance(result, Amended) else result
        self._newest[act.room] = Newest(entry.seq, entry.time)
        self._kept[act.room].append(entry)
        while self._is_over(act.room, self._kept[act.room][0]):
            self._edits.pop((act.room, self._kept[act.room].popleft().seq), None)
        if act.nonce is not None:
            self._nonces.add([Known.of(act, result, self._secret)], entry.time)
        self._sink.deliver(act.room, self._epoch(act.room), [entry])
        if self._record is not None:
            self._record(act.room, [entry])
        return result

    def _keep_pace(self, act: Submission) -> None:
        if isinstance(act, Draft) and act.throttle is not None:
            key = act.room, act.throttle.key
            refusal = self._pacing.admit(act.room, key, act.throttle, self._now())
            if refusal is not None:
                raise refusal

    def _publish(self, draft: Draft, at: Newest) -> Message:
        return Message(draft.message, at.seq, at.time, draft.user, draft.reply_to, draft.data)

    def _edit(self, edit: Edit, at: Newest) -> Amended:
        found = self._messages(edit.room).get(edit.ref)
        before = check_edit(edit, found, self._edits[edit.room, edit.ref])
        self._edits[edit.room, edit.ref] += 1
        after = msgspec.structs.replace(
            before, message=edit.message, data=edit.data, edited=at.time
        )
        self._replace(edit.room, {before.seq: after})
        self._event[edit.room] = at.seq
        return Amended(Edited(at.seq, at.time, edit.ref, edit.message, edit.data), (before,))

    def _retract(self, retraction: Retraction, at: Newest) -> Amended:
        kept = self._messages(retraction.room)
        before = tuple(kept[ref] for ref in sorted({*retraction.refs}) if ref in kept)
        by = check_retraction(retraction, before)
        self._replace(retraction.room, {each.seq: Gone(each.seq, each.time) for each in before})
        self._event[retraction.room] = at.seq
        refs = tuple(each.seq for each in before)
        return Amended(Retracted(at.seq, at.time, refs, by), before)

    def _messages(self, room: str) -> dict[int, Message]:
        return {each.seq: each for each in self._shown(room) if isinstance(each, Message)}

    def _replace(self, room: str, changed: Mapping[int, Entry]) -> None:
        """Have others in place of some messages; the events of edits before are gone then."""
        for index, entry in enumerate(self._kept[room]):
            if isinstance(entry, Edited) and entry.ref in changed:
                self._kept[room][index] = Gone(entry.seq, entry.time)
            elif entry.seq in changed:
                self._kept[room][index] = changed[entry.seq]

    def _shown(self, room: str) -> list[Entry]:
        return [each for each in self._kept.get(room, ()) if not self._is_over(room, each)]

    def _read(self, room: str, after: int, limit: int) -> Page:
        if self._sink is None:
            raise not_stored()
        newest = self._newest.get(room, NEVER)
        kept = self._shown(room)
        oldest = kept[0].seq if kept else newest.seq + 1
        page: list[Entry] = []
        left = PAGE
        for entry in kept[max(0, after + 1 - oldest) :][:limit]:
            left -= characters(entry)
            if page and left < 0:
                break
            page.append(entry)
        position = Position(self._epoch(room), newest.seq, oldest, self._event.get(room, 0))
        return Page(position, tuple(page))

    def _is_over(self, room: str, entry: Entry) -> bool:
        kept = self._retention.of(room)
        first = kept.first_by_count(self._newest[room].seq)
        return entry.seq < first or entry.time < kept.first_time(self._now())

    def _now(self) -> int:
        return round(1000 * (self._elapsed() + self._offset))

    def _epoch(self, room: str) -> str:
        return blake2b(room.encode(), key=self._secret, digest_size=9).hexdigest()


def _check_text(act: Submission) -> None:
    try:
        _ = not isinstance(act, Draft | Edit) or act.message.encode()
    except UnicodeEncodeError:
        raise unstorable() from None


class Memory(ExtensionBase):
    """Brings the kind ``memory:``, for one process: others would have other rooms."""

    def backend(self, scheme: str, config: Config, reactor: Any) -> MemoryBackend | None:
        if scheme != "memory":
            return None
        if config.workers > 1:
            raise StartError("--workers: memory: has the rooms of one process only")
        return MemoryBackend(Retention(config.history_limit, config.history_age, config.audit_age))
