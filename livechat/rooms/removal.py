"""
Removal: retracts all messages of a person in a room, or all messages of the room.

Removal takes many steps (`livechat.rooms.sweeping`), so it is a *job*, in a map that all processes
share, from before the first step until after the last:

    ROOM|SUBJECT    what that subject said
    ROOM|*          everything

A process *holds* a job by a lease, which it renews.  If the process is killed, or the store is
away, the lease runs out, and any process goes on.  An order whose key has a job waits until that is
done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.interfaces import IBackend
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.messages import Amended, Retraction
from livechat.rooms.audit import Audit, author_of
from livechat.rooms.policy import Policy
from livechat.rooms.removal_run import LostError, Removed, Run, unfinished
from livechat.rooms.sweeping import Job, Sweeper, job_of, jobs_map
from livechat.system.time import Time

#: The most jobs that a process works at together, and the most of these that clear rooms: removals
#: of spam are more urgent.
MOST_RUNNING: Final = 4
MOST_CLEARING: Final = 2
#: The most orders that wait for one job.
MOST_WAITING: Final = 10
#: The newest entries of a room, which are searched for a person's messages.
MOST_LOOKED: Final = 10_000
#: Seconds of a lease; its age when it is renewed; and between two looks for expired ones.
LEASE: Final = 20.0
RENEW_AFTER: Final = 1.0
LOOK_EVERY: Final = 10.0
#: Seconds after a job's `until` by which other processes have stored the messages sent before.
SETTLED: Final = 1.0
#: Seconds for which an actor waits for the end of its job; clients wait 15 for an answer.
PATIENCE: Final = 10.0
#: Seconds after which a job that keeps failing is given up.
LONGEST: Final = 86_400

_log = Logger()


class Removal:
    """The removals ordered at this process, and those that others have left."""

    def __init__(
        self,
        backend: IBackend,
        policy: Policy,
        audit: Audit,
        time: Time,
        amended: Callable[[Amended, str], Awaitable[object]],
    ) -> None:
        """@param amended: told of each event, and its room; a removal waits for it."""
        self._jobs = jobs_map(backend)
        self._jobs.watch(self._changed)
        self._sweeper = Sweeper(backend.messages, audit, time, amended, backend.outbox)
        self._policy = policy
        self._audit = audit
        self._time = time
        # Jobs that this process holds: each waits for its turn, runs, or rests until it begins
        # again.
        self._held: dict[str, Run] = {}
        self._queue: deque[Run] = deque()
        self._running: set[Run] = set()
        self._resting: set[Run] = set()
        # Orders that wait until a key is free.
        self._waiting: dict[str, list[Deferred[None]]] = {}
        self._looking: LoopingCall | None = None
        self._idle: Deferred[None] | None = None

    def by_subject(
        self, actor: Actor, room: str, subject: str, since: int = 0, *, until: int | None = None
    ) -> Deferred[Removed]:
        """
        Retract the messages of *subject* in *room*, among the newest `MOST_LOOKED` entries.  Fires
        once no process shows them any more, and the audit has the texts.

        @param since: only messages sent since, in milliseconds since 1970, UTC.
        @param until: messages sent until then are retracted too, soon after it; None: later
            messages stay.
        @raise ChatError: at once, if *actor* may not.
        """
        own = actor.user is not None and actor.user.subject == subject
        moderates = not own or "moderate" in self._policy.rights(actor, room)
        retraction = Retraction(room, (), subject, moderates)
        self._policy.remove(actor, retraction, "moderate" if moderates else "send")
        if moderates:
            self._audit.check()
        job = Job(room, author_of(actor), moderates, subject, since, until or 0)
        return self._order(Run(f"{room}|{subject}", job))

    def clear(self, actor: Actor, room: str) -> Deferred[Removed]:
        """
        Retract all messages of *room* until now.  Fires like `by_subject`; the audit has no texts.

        @raise ChatError: at once, if *actor* may not.
        """
        self._policy.remove(actor, Retraction(room, (), moderates=True), "manage")
        self._audit.check()
        return self._order(Run(f"{room}|*", Job(room, author_of(actor), moderates=True)))

    def _order(self, run: Run) -> Deferred[Removed]:
        if self._idle is not None:
            return fail(_stopping())
        run.answer = Deferred()
        run.answer.addTimeout(PATIENCE, self._time, lambda *_: run.late())
        Deferred.fromCoroutine(self._place(run)).addErrback(run.refuse)
        return run.answer

    async def _place(self, run: Run) -> None:
        """Put the job of *run* into the map, and begin."""
        assert run.answer is not None
        while True:
            await self._free(run.key)
            if run.answer.called:
                return
            top = await self._sweeper.top(run.job.room)
            run.job = replace(
                run.job,
                then=top + 1 if run.job.until else 0,
                first=max(1, top - MOST_LOOKED + 1) if run.job.subject else 1,
                below=top + 1,
                ends=int(self._time.wall()) + LONGEST,
            )
            if await self._put(run, expect=None):
                break
        self._held[run.key] = run
        self._queue.append(run)
        self._begin()

    async def _free(self, key: str) -> None:
        """Wait until no job is under *key*."""
        while self._jobs.get(key) is not None:
            waiting = self._waiting.setdefault(key, [])
            if len(waiting) >= MOST_WAITING:
                raise ChatError(Kind.OVERLOADED, "This is being done already.")
            free: Deferred[None] = Deferred()
            waiting.append(free)
            await free

    def _changed(self, keys: Collection[str]) -> None:
        for key in tuple(keys or self._waiting):
            if key in self._waiting and self._jobs.get(key) is None:
                for each in self._waiting.pop(key):
                    each.callback(None)

    async def _put(self, run: Run, *, expect: bytes | None, lease: bool = True) -> bool:
        """Put the job of *run* into the map, with a lease or without."""
        job = replace(run.job, lease=self._time.wall() + LEASE if lease else 0.0)
        value = msgspec.json.encode(job)
        if not await self._jobs.put(run.key, value, job.ends, expect=expect):
            return False
        run.value, run.renewed = value, self._time.seconds()
        return True

    def _renew(self, run: Run) -> Deferred[None]:
        """Store the job's progress, and extend the lease."""

        async def renew() -> None:
            if not await self._put(run, expect=run.value):
                raise LostError

        renewed: Deferred[None] = run.lock.run(lambda: Deferred.fromCoroutine(renew()))
        return renewed

    def _begin(self) -> None:
        """Begin jobs that wait for their turn."""
        while self._idle is None and len(self._running) < MOST_RUNNING:
            clearing = sum(not each.job.subject for each in self._running)
            run = next(
                (each for each in self._queue if each.job.subject or clearing < MOST_CLEARING), None
            )
            if run is None:
                return
            self._queue.remove(run)
            self._running.add(run)
            work = Deferred.fromCoroutine(self._work(run))
            work.addErrback(run.failed).addBoth(self._ended, run)

    async def _work(self, run: Run) -> None:
        await self._keep(run, run.job)
        job = run.job = await self._sweeper.sweep(run.job, lambda done: self._keep(run, done))
        if job.then:
            run.job = replace(job, first=job.then, then=0, below=0)
            await self._renew(run)
            run.succeed(self._now())
            self._rest(run)
            return
        if not job.subject:
            await self._audit.record_by(job.author, Recorded("clear", count=job.count), job.room)
        run.succeed(self._now())
        await self._jobs.drop(run.key)

    async def _keep(self, run: Run, job: Job) -> None:
        run.job = job
        if self._idle is not None:
            raise LostError
        if self._is_old(run):
            await self._renew(run)

    def _is_old(self, run: Run) -> bool:
        return self._time.seconds() - run.renewed >= RENEW_AFTER

    def _ended(self, _: object, run: Run) -> None:
        self._running.discard(run)
        if self._idle is not None:
            if not self._running:
                self._idle.callback(None)
            return
        if run not in self._resting:
            self._let_go(run)
        self._begin()
        if not self._queue:
            self._look()

    def _rest(self, run: Run) -> None:
        """Sweep once more after the job's `until`."""
        wait = run.job.until / 1000 + SETTLED - self._time.wall()
        self._resting.add(run)
        run.timer = self._time.callLater(max(0.0, wait), self._again, run)

    def _again(self, run: Run) -> None:
        self._resting.discard(run)
        self._queue.append(run)
        self._begin()

    def start(self) -> None:
        """Take over what other processes have left, now and from now on."""
        self._looking = LoopingCall(self._look)
        self._looking.clock = self._time
        self._looking.start(LOOK_EVERY).addErrback(
            lambda failure: _log.failure(
                "Interrupted removals are not taken over any more.", failure
            )
        )

    def _look(self) -> None:
        self._changed(())
        for run in (*self._queue, *self._resting):
            if self._is_old(run):
                self._renew(run).addErrback(self._lost, run)
        left = MOST_RUNNING - len(self._held) + len(self._resting)
        now = self._time.wall()
        for key, value in self._jobs.items():
            if left <= 0:
                return
            job = None if key in self._held else job_of(value)
            if job is not None and job.lease <= now:
                left -= 1
                self._held[key] = run = Run(key, job, value)
                self._renew(run).addCallbacks(
                    self._taken, self._lost, callbackArgs=(run,), errbackArgs=(run,)
                )

    def _taken(self, _: object, run: Run) -> None:
        _log.info("A removal in {room} goes on, which was interrupted.", room=run.job.room)
        if run.job.until and not run.job.below:
            self._rest(run)
        else:
            self._again(run)

    def _lost(self, failure: Failure, run: Run) -> None:
        """Give the job up: another process has it, or nobody once the lease is over."""
        if run in self._running:
            # The running step finds out itself.
            return
        run.failed(failure)
        self._let_go(run)
        self._resting.discard(run)
        if run in self._queue:
            self._queue.remove(run)
        if run.timer is not None and run.timer.active():
            run.timer.cancel()

    def _let_go(self, run: Run) -> None:
        # The next order may have its job there already.
        if self._held.get(run.key) is run:
            del self._held[run.key]

    async def stop(self) -> None:
        """Leave unfinished jobs to others; returns once they can take them."""
        self._idle = Deferred()
        if self._looking is not None and self._looking.running:
            self._looking.stop()
        for waiting in self._waiting.values():
            for each in waiting:
                each.errback(_stopping())
        for run in self._resting:
            if run.timer is not None and run.timer.active():
                run.timer.cancel()
        if self._running:
            await self._idle
        for run in tuple(self._held.values()):
            run.refuse(unfinished())
            try:
                await self._put(run, expect=run.value, lease=False)
            except ChatError:
                # Others can take it when the lease is over.
                return

    def _now(self) -> int:
        return int(1000 * self._time.wall())


def _stopping() -> ChatError:
    return ChatError(Kind.UNAVAILABLE, "The server is stopping.")
