"""
Calculates the capacity of many processes and many Redis, and checks it by a simulation.

    python -m bench.capacity

A message passes three kinds of queues, each served by one core:

    the sender's process --> the Redis that has the room --> each process with members in the room

The arithmetic adds up the work. In the simulation each message waits for its turn, which shows when
messages arrive, and whether a queue grows. The costs are those of docs/scaling.md.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from statistics import median, quantiles
from typing import Final

#: The limit of a core's load: above it, waiting times grow without bound.
FULL: Final = 0.7
#: Simulated events of each load.
EVENTS: Final = 600_000
#: Allowed difference between simulation and arithmetic.
TOLERANCE: Final = 0.1


@dataclass(frozen=True)
class Costs:
    """
    Costs in microseconds of CPU, and sizes.

    @ivar send: of a process, to accept a message and acknowledge it.
    @ivar store: of Redis, to store a message.
    @ivar push: of Redis, to push a message to one process.
    @ivar hear: of a process, to receive a message from Redis.
    @ivar deliver: of a process, for each of its members.
    @ivar keep: of a process, to publish a room's users, once in `every` seconds.
    @ivar note: of Redis, to store these, besides a `push` to each of `few` listening processes.
    @ivar learn: of a process, to receive them.
    @ivar member: KB of memory.
    @ivar frame: bytes of a delivery on the wire.
    """

    send: float = 60.0
    store: float = 45.0
    push: float = 8.0
    hear: float = 40.0
    deliver: float = 18.0
    keep: float = 25.0
    note: float = 12.0
    learn: float = 15.0
    few: int = 8
    every: float = 20.0
    member: float = 31.0
    frame: int = 200


@dataclass(frozen=True)
class Load:
    """
    Members, rooms and messages.

    @ivar size: members of a room.
    @ivar rate: messages a second in each room.
    """

    name: str
    members: int
    size: int
    rate: float

    @property
    def rooms(self) -> float:
        return self.members / self.size

    @property
    def messages(self) -> float:
        """Messages a second in all rooms."""
        return self.rooms * self.rate


@dataclass(frozen=True)
class Plant:
    """Processes and Redis servers, each on a core."""

    processes: int
    shards: int


@dataclass(frozen=True)
class Work:
    """
    The work of a second.

    @ivar process: CPU seconds of one process.
    @ivar shard: CPU seconds of one Redis.
    @ivar gigabits: sent to members by all processes.
    @ivar memory: GB of all processes.
    """

    process: float
    shard: float
    gigabits: float
    memory: float


def listeners(size: int, processes: int) -> float:
    """Return the mean number of processes with members of a room, spread at random."""
    return processes * (1 - (1 - 1 / processes) ** size)


def work(load: Load, plant: Plant, costs: Costs) -> Work:
    """Add up the work of a second."""
    heard = listeners(load.size, plant.processes)
    processes = load.messages * (costs.send + heard * costs.hear + load.size * costs.deliver)
    shards = load.messages * (costs.store + heard * costs.push)
    kept = upkeep(load, plant, costs)
    return Work(
        processes / plant.processes / 1e6 + kept[0],
        shards / plant.shards / 1e6 + kept[1],
        load.messages * load.size * costs.frame * 8 / 1e9,
        load.members * costs.member / 1e6,
    )


def upkeep(load: Load, plant: Plant, costs: Costs) -> tuple[float, float]:
    """Return the shares of a process's time, and of a Redis's, that presence takes."""
    heard = listeners(load.size, plant.processes)
    # Each process publishes it for each room in which it has members.
    said = load.rooms * heard / costs.every
    told = min(heard, costs.few)
    return (
        said * (costs.keep + told * costs.learn) / plant.processes / 1e6,
        said * (costs.note + told * costs.push) / plant.shards / 1e6,
    )


def plan(load: Load, costs: Costs, *, most_members: int = 50_000) -> Plant:
    """
    Find the smallest plant that carries *load* with no core busier than `FULL`.

    @param most_members: the limit of one process.
    """
    plant = Plant(max(1, -(-load.members // most_members)), 1)
    while True:
        found = work(load, plant, costs)
        more = Plant(
            plant.processes + (int(plant.processes * 0.05) + 1) * (found.process > FULL),
            plant.shards + (found.shard > FULL),
        )
        if more == plant:
            return plant
        plant = more


@dataclass(frozen=True)
class Seen:
    """
    The outcome of a simulation.

    @ivar process: the mean load of processes, from 0 to 1.
    @ivar shard: the mean load of Redis servers.
    @ivar median: milliseconds from sending to the last member.
    @ivar p99: the same; one message in a hundred is slower.
    @ivar grows: the last messages wait half as long again as those in the middle.
    """

    process: float
    shard: float
    median: float
    p99: float
    grows: bool


#: A moment, the number of a message, its next queue, and its members there.
Event = tuple[float, int, int, int]
#: The queue of the sender's process, which is chosen at random.
_SENDER: Final = -1


class Simulation:
    """
    Simulates the messages of some seconds, at the rate of a load.

    Each queue is served in the order of arrival. Presence is spread evenly: it only makes cores
    slower.
    """

    def __init__(self, load: Load, plant: Plant, costs: Costs, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._load = load
        self._plant = plant
        self._costs = costs
        queues = plant.processes + plant.shards
        self._free = [0.0] * queues
        self._busy = [0.0] * queues
        self._kept = upkeep(load, plant, costs)

    def run(self, events: int = EVENTS) -> Seen:
        """Simulate *events* events, or a few more."""
        heard = listeners(self._load.size, self._plant.processes)
        count = max(50, int(events / (2 + heard)))
        span = count / self._load.messages
        begun = sorted(self._random.random() * span for _ in range(count))
        ends = [0.0] * count
        waiting: list[Event] = [(when, number, _SENDER, 0) for number, when in enumerate(begun)]
        while waiting:
            event = heappop(waiting)
            done, follow = self._pass(event)
            for each in follow:
                heappush(waiting, each)
            ends[event[1]] = max(ends[event[1]], done)
        return self._seen(begun, ends, span)

    def _pass(self, event: Event) -> tuple[float, list[Event]]:
        """Serve a message at one queue; return the time when it is done, and its next events."""
        when, number, queue, members = event
        processes, costs = self._plant.processes, self._costs
        if queue == _SENDER:
            done = self._serve(self._random.randrange(processes), when, costs.send)
            return done, [(done, number, processes + self._random.randrange(self._plant.shards), 0)]
        if queue < processes:
            return self._serve(queue, when, costs.hear + members * costs.deliver), []
        told = self._spread()
        done = self._serve(queue, when, costs.store + len(told) * costs.push)
        return done, [(done, number, each, here) for each, here in told.items()]

    def _spread(self) -> dict[int, int]:
        """Return the processes with members of a room, and their numbers of members."""
        size, processes = self._load.size, self._plant.processes
        if size > 20 * processes:
            share, more = divmod(size, processes)
            return {each: share + (each < more) for each in range(processes)}
        return Counter(self._random.choices(range(processes), k=size))

    def _serve(self, queue: int, when: float, micros: float) -> float:
        seconds = micros / 1e6
        kept = self._kept[queue >= self._plant.processes]
        # The floor keeps a core that presence fills up from dividing by 0.
        self._free[queue] = max(when, self._free[queue]) + seconds / max(0.01, 1 - kept)
        self._busy[queue] += seconds
        return self._free[queue]

    def _seen(self, begun: list[float], ends: list[float], span: float) -> Seen:
        processes = self._plant.processes
        waits = [1000 * (end - begin) for begin, end in zip(begun, ends, strict=True)]
        tenth = len(waits) // 10
        middle, last = waits[4 * tenth : 6 * tenth], waits[-tenth:]
        percentiles = quantiles(waits, n=100)
        return Seen(
            sum(self._busy[:processes]) / processes / span + self._kept[0],
            sum(self._busy[processes:]) / self._plant.shards / span + self._kept[1],
            percentiles[49],
            percentiles[98],
            median(last) > 1.5 * median(middle) + 1,
        )


LOADS: Final = (
    Load("a town: rooms of 5, a message every 10 s in each", 100_000, 5, 0.1),
    Load("a million, rooms of 20, one in 5 s", 1_000_000, 20, 0.2),
    Load("a million, rooms of 1,000, one a second", 1_000_000, 1_000, 1.0),
    Load("ten million, rooms of 5, one in 10 s", 10_000_000, 5, 0.1),
    Load("ten million, rooms of 1,000, one in 2 s", 10_000_000, 1_000, 0.5),
    Load("ten million, one room, one in 2 s", 10_000_000, 10_000_000, 0.5),
)


@dataclass(frozen=True)
class Outcome:
    """A load, the smallest plant that carries it, and the results of arithmetic and simulation."""

    load: Load
    plant: Plant
    work: Work
    seen: Seen
    next_bound: str

    @property
    def row(self) -> list[str]:
        """The cells of the table's row."""
        plant, found, seen = self.plant, self.work, self.seen
        return [
            self.load.name,
            f"{self.load.messages:,.1f}",
            f"{self.load.messages * self.load.size:,.0f}",
            f"{plant.processes} × {found.process:.0%} ({seen.process:.0%})",
            f"{plant.shards} × {found.shard:.0%} ({seen.shard:.0%})",
            f"{found.gigabits:,.1f}",
            f"{found.memory:,.0f}",
            f"{seen.median:,.1f}; {seen.p99:,.1f}",
            self.next_bound,
        ]

    @property
    def contradictions(self) -> Iterator[str]:
        """Describe where the simulation contradicts the arithmetic."""
        for name, told, saw in (
            ("a process", self.work.process, self.seen.process),
            ("a Redis", self.work.shard, self.seen.shard),
        ):
            if abs(told - saw) > TOLERANCE * max(told, 0.01):
                yield f"{self.load.name}: {name} is {saw:.0%} busy, not {told:.0%}"
        if self.seen.grows:
            yield f"{self.load.name}: a queue grows"


def outcome(load: Load, costs: Costs, events: int = EVENTS) -> Outcome:
    """Plan for *load*, and simulate the plan."""
    plant = plan(load, costs)
    seen = Simulation(load, plant, costs).run(events)
    return Outcome(load, plant, work(load, plant, costs), seen, next_bound(load, plant, costs))


def next_bound(load: Load, plant: Plant, costs: Costs) -> str:
    """Name the first bottleneck with twice the messages."""
    more = work(replace(load, rate=2 * load.rate), plant, costs)
    share, name = max((more.process, "processes"), (more.shard, "Redis"))
    return name if share > 1 else "nothing"


_HEADS: Final = (
    "",
    "messages a second",
    "deliveries",
    "processes × busy (simulated)",
    "Redis × busy (simulated)",
    "Gbit/s",
    "GB",
    "ms to the last member: median; p99",
    "full first, with twice the messages",
)


def main() -> int:
    """Print the table; return 1 where the simulation contradicts the arithmetic."""
    print("| " + " | ".join(_HEADS) + " |")
    print("| --- " + "| ---: " * (len(_HEADS) - 1) + "|")
    wrong: list[str] = []
    for load in LOADS:
        found = outcome(load, Costs())
        print("| " + " | ".join(found.row) + " |", flush=True)
        wrong += found.contradictions
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
