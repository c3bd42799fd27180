"""`livechat.limits.queueing`."""

from __future__ import annotations

from livechat.limits.queueing import Bounds, FairQueue


class Doing:
    """Things that are done when a test says so."""

    def __init__(self, *bounds: int) -> None:
        self.begun: list[str] = []
        self.queue: FairQueue[str] = FairQueue(Bounds(*bounds), lambda _, thing: self.begin(thing))

    def begin(self, thing: str) -> None:
        self.begun.append(thing)

    def put(self, *things: str) -> list[bool]:
        """Each thing belongs to the owner that its first letter names."""
        return [self.queue.put(each[0], each) for each in things]


def test_jobs_are_bounded_in_work_and_in_waiting() -> None:
    """So much is done at a time, so much waits, and the rest is refused."""
    doing = Doing(2, 3, 2, 3)
    assert doing.put("a1", "a2", "a3", "a4", "a5", "a6") == [True] * 5 + [False]
    assert doing.begun == ["a1", "a2"]
    assert (doing.queue.running, len(doing.queue)) == (2, 3)
    doing.queue.done("a")
    assert doing.begun == ["a1", "a2", "a3"]
    assert doing.put("a7", "a8") == [True, False]


def test_a_loud_owner_leaves_room() -> None:
    """An owner with very much leaves room to others, to be done and to wait."""
    doing = Doing(4, 6, 2, 3)
    assert doing.put("a1", "a2", "a3", "a4", "a5", "a6") == [True] * 5 + [False]
    assert doing.begun == ["a1", "a2"]
    doing.put("b1")
    assert doing.begun == ["a1", "a2", "b1"]


def test_owners_take_turns() -> None:
    """Owners take turns, however much each has."""
    doing = Doing(1, 100, 1, 100)
    doing.put("a1", "a2", "a3", "b1", "c1", "b2")
    for _ in range(6):
        doing.queue.done(doing.begun[-1][0])
    assert doing.begun == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert (doing.queue.running, len(doing.queue)) == (0, 0)


def test_an_owner_with_its_part_waits_for_itself() -> None:
    """An owner that has its part of what is being done goes on when one of its own is done."""
    doing = Doing(3, 100, 1, 100)
    doing.put("a1", "a2", "a3", "b1")
    assert doing.begun == ["a1", "b1"]
    doing.queue.done("b")
    assert doing.begun == ["a1", "b1"]
    doing.queue.done("a")
    assert doing.begun == ["a1", "b1", "a2"]


def test_waiting_jobs_can_be_taken_out() -> None:
    """Waiting jobs can be taken out; running ones go on."""
    doing = Doing(1, 9, 1, 9)
    doing.put("a1", "a2", "b1")
    assert doing.queue.clear() == ["a2", "b1"]
    assert len(doing.queue) == 0
    doing.queue.done("a")
    doing.put("b2")
    assert doing.begun == ["a1", "b2"]


def test_jobs_may_end_as_they_begin() -> None:
    """Things that are done as soon as they begin."""
    done: list[str] = []

    def start(owner: str, thing: str) -> None:
        done.append(thing)
        queue.done(owner)

    queue: FairQueue[str] = FairQueue(Bounds(1, 9, 1, 9), start)
    assert all(queue.put("a", thing) for thing in "123")
    assert done == ["1", "2", "3"]
    assert queue.running == 0
