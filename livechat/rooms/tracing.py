"""
Traces of this process: frames of a room or a person, for operators.

    members ──┐
              ├─> Trace (a bounded queue) ─> its reader
    rooms ────┤
    others ───┘ by `Relay`: their lines, in batches

While nobody traces, members and rooms have None in place of a trace, and nothing else differs.  A
reader that is slower than the frames loses lines, and is told how many.  A process repeats its
traces to all others, which forget a trace soon after the repetitions end.  So a killed process
leaves no trace behind, and a new one joins in.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

from msgspec.structs import replace
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import User
from livechat.protocol.tracing import (
    Aim,
    Begin,
    End,
    Line,
    Lines,
    frames_of,
    news_of_bytes,
    news_to_bytes,
    seen,
)
from livechat.rooms.batch import Lane
from livechat.rooms.hub import Hub
from livechat.system.time import Time

#: The most traces read at this process, and the most of other processes that it takes part in.
MOST: Final = 4
MOST_OF_OTHERS: Final = 16
#: The most lines that wait for a reader or for another process; more are lost.
WAITING: Final = 2_000
#: The most lines sent to another process at a time, and the seconds between two times.
BATCH: Final = 250
FLUSH_EVERY: Final = 0.25
#: Seconds between two repetitions of a trace, and for which one holds.
SAY_EVERY: Final = 3.0
HOLDS: Final = 10.0

_log = Logger()


class Relay(Protocol):
    """Sends bytes to other processes without storing them; a backend's ``relay``, if it has one."""

    def tell(self, data: bytes) -> None:
        """Send *data* to all others, as far as they can be reached."""

    def listen(self, heard: Callable[[bytes], None]) -> None:
        """Call *heard* with the data that others send."""


class Trace:
    """
    A trace: lines that fit its aim wait here for its reader, or for the process of its reader.

    @ivar until: when the trace is over, by the reactor's clock.
    @ivar home: True if the trace is read at this process.
    """

    def __init__(self, name: str, aim: Aim, until: float, news: Callable[[], None] | None) -> None:
        """@param news: called when lines wait; None if another process reads them."""
        self.name = name
        self.aim = aim
        self.until = until
        self.home = news is not None
        self._news = news
        self._lines: deque[Line] = deque()
        self._lost = 0

    def fits(self, user: User | None, room: str) -> bool:
        """Tell whether *user* in *room* is traced."""
        aim = self.aim
        if aim.room not in (None, room):
            return False
        return aim.person is None or (user is not None and aim.person in (user.id, user.subject))

    def add(self, line: Line) -> None:
        """Keep *line* for the reader, or count it as lost."""
        if len(self._lines) < WAITING:
            self._lines.append(line)
        else:
            self._lost += 1
        if self._news is not None:
            self._news()

    def lose(self, count: int) -> None:
        """Count lines that another process has lost."""
        self._lost += count

    def drain(self, most: int = WAITING) -> tuple[list[Line], int]:
        """Take up to *most* lines, and how many were lost behind the last one that waits."""
        taken = [self._lines.popleft() for _ in range(min(most, len(self._lines)))]
        if self._lines:
            return taken, 0
        lost, self._lost = self._lost, 0
        return taken, lost


class MemberTrace:
    """The traces of one member's frames."""

    def __init__(self, tracing: Tracing, traces: Sequence[Trace], actor: Actor, room: str) -> None:
        self._tracing = tracing
        self.traces = traces
        self._room = room
        self._connection = actor.connection
        self._user = None if actor.user is None else actor.user.subject

    def opened(self) -> None:
        """Trace the member's beginning."""
        self._add(self._line("open"))

    def came(self, payload: bytes, *, text: bool) -> None:
        """Trace a message from the client."""
        for trace in self.traces:
            found = seen(payload, len(payload), texts=trace.aim.texts and text)
            kind = found.type if text else "binary"
            trace.add(
                replace(self._line("in"), type=kind, bytes=found.size, seq=None, text=found.text)
            )

    def sent(self, encoding: Encoding, data: bytes) -> None:
        """Trace frames that were written to this member, or wait for it."""
        for payload, size in frames_of(encoding, data):
            self._frame(payload, size, self.traces)

    def fanned_out(self, frames: Sequence[tuple[bytes, int]]) -> None:
        """Trace *frames* that the room has written, to other members too."""
        # A trace of the room has one line for all members who got the frames.
        own = [each for each in self.traces if each.aim.person is not None]
        for payload, size in frames:
            self._frame(payload, size, own)

    def _frame(self, payload: bytes, size: int, traces: Sequence[Trace]) -> None:
        for trace in traces:
            found = seen(payload, size, texts=trace.aim.texts)
            trace.add(
                replace(
                    self._line("out"), type=found.type, bytes=size, seq=found.seq, text=found.text
                )
            )

    def closed(self, code: int | None, by: Literal["server", "peer"]) -> None:
        """Trace the member's end."""
        self._add(replace(self._line("close"), code=code, by=by))

    def _line(self, way: Literal["in", "out", "open", "close"]) -> Line:
        return self._tracing.line(
            way, room=self._room, connection=self._connection, user=self._user
        )

    def _add(self, line: Line) -> None:
        for trace in self.traces:
            trace.add(line)


class Tracing:
    """The traces that this process takes part in."""

    def __init__(self, hub: Hub, time: Time, relay: Relay | None, process: str) -> None:
        """@param process: the process's name, which its lines have."""
        self._hub = hub
        self._time = time
        self._relay = relay
        self._process = process
        self._traces: dict[str, Trace] = {}
        self._watchers: list[Callable[[], None]] = []
        self._ticking: LoopingCall | None = None
        self._said_at = float("-inf")
        if relay is not None:
            relay.listen(self._hear)

    @property
    def active(self) -> bool:
        """True while something is traced."""
        return bool(self._traces)

    def watch(self, changed: Callable[[], None]) -> None:
        """Call *changed* when the set of traced members may have changed."""
        self._watchers.append(changed)

    def member(self, actor: Actor, room: str) -> MemberTrace | None:
        """The traces of a member; None if there are none."""
        found = [each for each in self._traces.values() if each.fits(actor.user, room)]
        return MemberTrace(self, found, actor, room) if found else None

    def begin(self, aim: Aim, seconds: float, news: Callable[[], None]) -> Trace:
        """
        Trace *aim*, at all processes, for so long, or until `end`.

        @param news: called when something waits.
        @raise ChatError: there are too many traces.
        """
        if sum(each.home for each in self._traces.values()) >= MOST:
            raise ChatError(Kind.OVERLOADED, f"There are {MOST} traces already.")
        until = self._time.seconds() + seconds
        trace = Trace(secrets.token_hex(8), aim, until, news)
        self._add(trace)
        self._say(trace)
        return trace

    def end(self, trace: Trace) -> None:
        """End *trace*.  No-op a second time."""
        if self._traces.pop(trace.name, None) is not None:
            if trace.home:
                self._tell(End(trace.name))
            self._changed()

    def line(self, way: Literal["in", "out", "open", "close"], **more: Any) -> Line:
        """Make a line with the present time."""
        return Line(way, int(1000 * self._time.wall()), self._process, **more)

    def _add(self, trace: Trace) -> None:
        self._traces[trace.name] = trace
        self._changed()

    def _changed(self) -> None:
        self._hub.tap(self._wrote if self._traces else None)
        for each in self._watchers:
            each()
        if self._traces and self._ticking is None:
            self._ticking = LoopingCall(self._tick)
            self._ticking.clock = self._time
            self._ticking.start(FLUSH_EVERY, now=False).addErrback(
                lambda failure: _log.failure("Traces are not sent any more.", failure)
            )
        elif not self._traces and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None

    def _tick(self) -> None:
        now = self._time.seconds()
        says = now >= self._said_at + SAY_EVERY
        if says:
            self._said_at = now
        for trace in tuple(self._traces.values()):
            if now >= trace.until:
                self.end(trace)
            elif not trace.home:
                self._flush(trace)
            elif says:
                self._say(trace)

    def _say(self, trace: Trace) -> None:
        self._tell(Begin(trace.name, trace.aim))

    def _flush(self, trace: Trace) -> None:
        lines, lost = trace.drain(BATCH)
        if lines or lost:
            self._tell(Lines(trace.name, lines, lost))

    def _tell(self, news: Begin | End | Lines) -> None:
        if self._relay is not None:
            self._relay.tell(news_to_bytes(news))

    def _hear(self, data: bytes) -> None:
        news = news_of_bytes(data)
        known = None if news is None else self._traces.get(news.trace)
        match news:
            case Begin() if known is None:
                others = len(self._traces) - sum(each.home for each in self._traces.values())
                if others < MOST_OF_OTHERS:
                    until = self._time.seconds() + HOLDS
                    self._add(Trace(news.trace, news.aim, until, None))
            case Begin() if known is not None and not known.home:
                known.until = self._time.seconds() + HOLDS
            case End() if known is not None and not known.home:
                self.end(known)
            case Lines() if known is not None and known.home:
                for each in news.lines:
                    known.add(each)
                known.lose(news.lost)

    def _wrote(self, room: str, lane: Lane, start: int, stop: int, data: bytes) -> None:
        """Trace frames that a room has written to a range of a lane's members, the end excluded."""
        members = lane.members[start:stop]
        whole = [
            each
            for each in self._traces.values()
            if each.aim.person is None and each.fits(None, room)
        ]
        traced = [each.trace for each in members if each.trace is not None]
        if not members or not (whole or traced):
            return
        frames = list(frames_of(lane.encoding, data))
        for trace in whole:
            for payload, size in frames:
                found = seen(payload, size, texts=trace.aim.texts)
                line = self.line("out", room=room, members=len(members), type=found.type)
                trace.add(replace(line, bytes=size, seq=found.seq, text=found.text))
        for member in traced:
            member.fanned_out(frames)
