"""The page of how the server is: now, and over the last day, of all workers on the port."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from livechat.http.response import Response
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.cluster import Report
from livechat.rooms.chat import Chat
from livechat.system.day import EVERY, MINUTES, Figures, Minute, gauges
from livechat.system.time import Time
from livechat.web.admin.events import EventStream
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.parts import REFRESH, Parts
from livechat.web.html import Templates
from livechat.web.server import Server

#: Seconds for which figures are cached: those of all workers are read from files.
FRESH: Final = 5.0
#: Minutes of a bar of a chart, and how many there are.
BAR: Final = 5
BARS: Final = MINUTES // BAR
#: The height of a chart.
HEIGHT: Final = 48.0
#: Below these a disk is nearly full.
LITTLE_BYTES: Final = 500_000_000
LITTLE_PART: Final = 0.03
#: Seconds by which clocks may differ, answers of Redis may take, and timers may be late.
CLOCKS: Final = 5.0
ANSWERS: Final = 0.1
LATE: Final = 0.5
#: Meanings of close codes (docs/protocol.md) that have no name there.
_CLOSES: Final = {
    "1000": "left", "1001": "left the page", "1002": "broke the protocol", "1005": "left",
    "1006": "broke", "1007": "sent no UTF-8", "1008": "a flood", "1009": "too long",
    "1012": "a restart", "1013": "too busy", "4001": "no sign of life", "4002": "a bug",
    "4008": "did not read", "4100": "the token is over", "4101": "the token was revoked",
    "4200": "asked too much", "4201": "too many connections", "4400": "asked wrongly",
    "4401": "not let in", "4403": "not allowed, or banned", "4404": "the room is closed",
}  # fmt: skip

Unit = Literal["rate", "count", "seconds", "bytes"]
_PARTS: Final = (
    "health_now", "health_webhooks", "health_day", "health_counts", "health_processes",
)  # fmt: skip


class Tile(Struct, frozen=True):
    """
    A figure of now.

    @ivar unit: of the value; None where that is a word.
    @ivar ill: somebody should see to it; None: it is neither well nor ill.
    """

    title: str
    value: float | str
    note: str = ""
    unit: Unit | None = None
    ill: bool | None = None


class Chart(Struct, frozen=True):
    """
    A figure over the last day.

    @ivar now: its newest value; None if there is none.
    @ivar most: its largest.
    @ivar path: as in SVG's ``d``, in a box of `BARS` by `HEIGHT`.
    """

    title: str
    unit: Unit
    now: float | None
    most: float
    path: str


class Count(Struct, frozen=True):
    """The count of something in the last hour and the last day."""

    name: str
    meaning: str
    hour: int
    day: int


class HealthPages:
    """The page, and its stream."""

    def __init__(self, chat: Chat, *, server: Server, templates: Templates, time: Time) -> None:
        self._chat = chat
        self._server = server
        self._templates = templates
        self._time = time
        self._gauges: Figures = {}
        self._gauges_at = float("-inf")
        self._drawn: tuple[float, tuple[Chart, ...]] = (-1.0, ())

    async def page(self, asked: OperatorCall) -> Response:
        """Show the health of everything."""
        return self._templates.page(
            "admin/health.html", **asked.frame, **await self._values(asked.actor)
        )

    async def events(self, asked: OperatorCall, stream: EventStream) -> AsyncGenerator[bytes, None]:
        """The parts of the page, each when it has changed."""
        # A missing right is refused here: a stream that has begun has its status already.
        self._chat.require(asked.actor, EVERYWHERE, "manage")
        return self._parts(asked.actor, stream)

    async def _parts(self, actor: Actor, stream: EventStream) -> AsyncGenerator[bytes, None]:
        parts = Parts(self._templates, _PARTS)
        while not stream.ended:
            yield parts.changed(await self._values(actor))
            await stream.rest(REFRESH)

    async def _values(self, actor: Actor) -> dict[str, Any]:
        """
        @raise ChatError: the actor may not see it.
        """
        reports = await self._chat.overview.reports(actor)
        minutes, now = self._server.day.minutes(), self._time.wall()
        return {
            "now": now,
            "tiles": tiles(self._figures(), minutes, reports, self._chat.trouble()),
            "charts": self._charts(minutes, now),
            "width": BARS,
            "receivers": self._server.receivers(),
            "refusals": counts(minutes, now, "refusals"),
            "closes": counts(minutes, now, "closes"),
            "others": others(minutes, now),
            "begins": minutes[0].at if minutes else None,
            "processes": sorted(reports, key=lambda report: report.process),
            "this_process": reports[0].process,
        }

    def _figures(self) -> Figures:
        now = self._time.seconds()
        if now >= self._gauges_at + FRESH:
            self._gauges, self._gauges_at = gauges(), now
        return self._gauges

    def _charts(self, minutes: Sequence[Minute], now: float) -> tuple[Chart, ...]:
        """Return all charts, redrawn for each new minute."""
        newest = minutes[-1].at if minutes else 0.0
        if self._drawn[0] != newest:
            self._drawn = newest, charts(minutes, now)
        return self._drawn[1]


def tiles(
    figures: Mapping[str, float],
    minutes: Sequence[Minute],
    reports: Sequence[Report],
    trouble: str | None,
) -> list[Tile]:
    """Make the tiles of now."""
    times = minutes[-1].times if minutes else {}
    found = [
        Tile("Storage", "Trouble" if trouble else "Working", trouble or "", ill=bool(trouble)),
        *_redis(figures, times),
        *_site(minutes[-1] if minutes else None),
        _disk(figures),
        _clocks(reports),
        _workers(figures),
        _timed("Lag", times.get("reactor_lag"), LATE, "99 of 100 timers were late by less"),
        _timed("Delivery", times.get("stored_to_written"), LATE, "99 of 100 took less"),
    ]
    slow, unsent = figures.get("slow_members", 0), figures.get("unsent_bytes", 0)
    waits = f"{unsent / 1_000_000:,.1f} MB wait to be read"
    return [*found, Tile("Slow consumers", slow, waits, "count", ill=slow > 0 or None)]


def _redis(figures: Mapping[str, float], times: Mapping[str, float]) -> list[Tile]:
    answers = times.get("redis_answer")
    note = "" if answers is None else f"99 of 100 answers within {1000 * answers:.0f} ms"
    return [
        Tile(
            name.removeprefix("redis_up "),
            "Working" if up else "Away",
            note,
            ill=not up or (answers or 0) > ANSWERS,
        )
        for name, up in sorted(figures.items())
        if name.startswith("redis_up ")
    ]


def _site(minute: Minute | None) -> list[Tile]:
    """Count the site's answers of the last minute; return nothing if it was not asked."""
    asked = {} if minute is None else _answers(minute)
    if minute is None or not asked:
        return []
    unanswered = sum(asked.get(each, 0) for each in ("failed", "not_asked", "overloaded"))
    note = f"{unanswered:,.0f} of {sum(asked.values()):,.0f} without an answer, in a minute"
    seconds = minute.times.get("ask_answer")
    if seconds is None:
        return [Tile("Site", "Not asked", note, ill=True)]
    return [Tile("Site's answers", seconds, note, "seconds", ill=unanswered > 0)]


def _answers(minute: Minute) -> Counter[str]:
    """Count the answers of the site in a minute, by kind."""
    found: Counter[str] = Counter()
    for key, count in minute.counts.items():
        name, *labels = key.split(" ")
        if name == "asked":
            found[labels[-1]] += round(count)
    return found


def _disk(figures: Mapping[str, float]) -> Tile:
    free, size = figures.get("disk_free_bytes"), figures.get("disk_size_bytes")
    if free is None or not size:
        return Tile("Disk", "Not known")
    ill = free < LITTLE_BYTES or free < LITTLE_PART * size
    return Tile("Disk left", free, f"{100 * free / size:.0f} % of it", "bytes", ill)


def _clocks(reports: Sequence[Report]) -> Tile:
    """Compare the clocks of processes and Redis, as far as they are known."""
    ahead: dict[str, list[float]] = {}
    for report in reports:
        for name, seconds in (report.condition.clocks if report.condition else {}).items():
            ahead.setdefault(name, [0.0]).append(seconds)
    if not ahead:
        return Tile("Clock", "One", "no other to compare it with")
    apart = max(max(found) - min(found) for found in ahead.values())
    return Tile(
        "Clocks differ by", f"{apart:.1f} s", "of processes and Redis, at most", ill=apart > CLOCKS
    )


def _workers(figures: Mapping[str, float]) -> Tile:
    there, wanted = figures.get("processes", 1), figures.get("workers", 1)
    memory = figures.get("memory_bytes", 0) / 1_000_000
    note = f"of {wanted:.0f}, with {memory:,.0f} MB of memory"
    return Tile("Workers" if wanted > 1 else "Processes", there, note, "count", ill=there < wanted)


def _timed(title: str, seconds: float | None, most: float, note: str) -> Tile:
    if seconds is None:
        return Tile(title, "None", "in the last minute")
    return Tile(title, seconds, note, "seconds", ill=seconds > most)


def charts(minutes: Sequence[Minute], now: float) -> tuple[Chart, ...]:
    """Draw the charts of the last day."""

    def rate(name: str) -> Callable[[Minute], float]:
        return lambda minute: minute.counts.get(name, 0) / minute.seconds

    def counted(name: str) -> Callable[[Minute], float]:
        return lambda minute: EVERY * _sum(minute, name) / minute.seconds

    def gauge(name: str) -> Callable[[Minute], float]:
        return lambda minute: minute.gauges.get(name, 0)

    def timed(name: str) -> Callable[[Minute], float]:
        return lambda minute: minute.times.get(name, 0)

    wanted: list[tuple[str, Unit, Callable[[Minute], float]]] = [
        ("Messages a second", "rate", rate("stored")),
        ("Written a second, to each member", "rate", rate("delivered")),
        ("Members", "count", gauge("members")),
        ("Connections", "count", gauge("connections")),
        ("Delivery of 99 of 100", "seconds", timed("stored_to_written")),
        ("Lag of 99 of 100", "seconds", timed("reactor_lag")),
        ("Refusals a minute", "rate", counted("refusals")),
        ("Closes a minute", "rate", counted("closes")),
        ("Slow consumers", "count", gauge("slow_members")),
        ("Bytes that wait", "bytes", gauge("unsent_bytes")),
        ("Memory", "bytes", gauge("memory_bytes")),
        ("Disk left", "bytes", gauge("disk_free_bytes")),
    ]
    if any("redis_answer" in each.times for each in minutes):
        wanted.append(("Redis's answers, 99 of 100", "seconds", timed("redis_answer")))
    return tuple(_chart(title, unit, value, minutes, now) for title, unit, value in wanted)


def _chart(
    title: str,
    unit: Unit,
    value: Callable[[Minute], float],
    minutes: Sequence[Minute],
    now: float,
) -> Chart:
    bars: dict[int, float] = {}
    for minute in minutes:
        bar = BARS - 1 - int((now - minute.at) / (BAR * EVERY))
        if 0 <= bar < BARS:
            # A bar is as high as its highest minute, so that peaks stand out.
            bars[bar] = max(bars.get(bar, 0.0), value(minute))
    most = max(bars.values(), default=0.0)
    newest = value(minutes[-1]) if minutes else None
    return Chart(title, unit, newest, most, _path(bars, most))


def _path(bars: Mapping[int, float], most: float) -> str:
    """Draw all bars as one path, with gaps at missing minutes."""
    found: list[str] = []
    last = -2
    for bar in sorted(bars):
        height = HEIGHT - (HEIGHT - 1) * bars[bar] / most if most else HEIGHT
        if bar != last + 1:
            found.append(f"{'' if not found else f'V{HEIGHT:.0f}z'}M{bar} {HEIGHT:.0f}")
        found.append(f"V{height:.1f}h1")
        last = bar
    return "".join([*found, f"V{HEIGHT:.0f}z"]) if found else ""


def _sum(minute: Minute, name: str) -> float:
    return sum(value for key, value in minute.counts.items() if key.split(" ", 1)[0] == name)


def counts(minutes: Sequence[Minute], now: float, name: str) -> list[Count]:
    """The counts of figures that begin with *name*, the most frequent of the day first."""
    hour: dict[str, float] = {}
    day: dict[str, float] = {}
    for minute in minutes:
        for key, value in minute.counts.items():
            first, _, rest = key.partition(" ")
            if first == name:
                day[rest] = day.get(rest, 0) + value
                if minute.at > now - 3_600:
                    hour[rest] = hour.get(rest, 0) + value
    rows = [Count(*_named(key), int(hour.get(key, 0)), int(value)) for key, value in day.items()]
    return sorted(rows, key=lambda row: (-row.day, row.name))


def _named(key: str) -> tuple[str, str]:
    """A count and its meaning: a reason; or a side and a code."""
    by, _, code = key.rpartition(" ")
    if not by:
        return key, ""
    return f"{code} by {'the server' if by == 'server' else 'the client'}", _CLOSES.get(code, "")


def others(minutes: Sequence[Minute], now: float) -> list[Count]:
    """Counts besides refusals and closes, those of zero too."""
    names = {
        "turned_away": "connections closed unheard",
        "handshakes_failed": "TLS handshakes that failed",
        "healed": "messages fetched, of which Redis did not tell",
    }
    found = []
    for name, meaning in names.items():
        day = [(each.at, each.counts.get(name, 0)) for each in minutes]
        hour = sum(value for at, value in day if at > now - 3_600)
        found.append(Count(meaning, "", int(hour), int(sum(value for _, value in day))))
    return found
