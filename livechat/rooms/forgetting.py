"""
Forgetting: removes a person from everything that livechat keeps.

Forgetting takes a while, so it is a *job* in a map that all processes share: from before the order
is answered until long after the job is done.  A process *holds* a job by a lease, which it renews.
If the process is killed, or the store is away, the lease runs out, and any process goes on.

The steps, in this order, and the first of them once more at the end:

    restrictions, revocations   a pseudonym takes the person's place: a ban goes on
    cases                       closed, and removed
    rooms                       messages retracted (`livechat.rooms.erasure`), the audit veiled
    the audit                   has a record of it, with the pseudonym
    the job                     stays for `KEPT` seconds, with the pseudonym alone
"""

from __future__ import annotations

from collections.abc import Collection
from secrets import token_hex
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.known import checked_id
from livechat.identity.leases import Leases
from livechat.identity.pseudonyms import Pseudonyms
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.actions import Forget
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.v1 import Ack
from livechat.rooms.audit import Audit, author_of
from livechat.rooms.cases import Cases
from livechat.rooms.dossier import Dossiers
from livechat.rooms.erasure import Erasure, Veil
from livechat.rooms.restrictions import Restrictions
from livechat.rooms.rules import Rules
from livechat.rooms.sweeping import jobs_map as removals_map
from livechat.system.time import Time

#: The most jobs, completed ones among them, and the most bytes of one.
MOST_JOBS: Final = 10_000
_LARGEST: Final = 4_096
#: Bytes of a job's id.
_ID_BYTES: Final = 8
#: Seconds of a lease; its age when it is renewed; and between two looks for expired ones.
LEASE: Final = 20.0
RENEW_AFTER: Final = 1.0
LOOK_EVERY: Final = 5.0
#: Seconds for which a completed job is shown.
KEPT: Final = 30 * 86_400

_log = Logger()


class Job(Struct, frozen=True, omit_defaults=True):
    """
    A person to forget, or forgotten.

    @ivar pseudonym: the user in the person's place.
    @ivar author: the actor that ordered it.
    @ivar began: when it was ordered, in milliseconds since 1970, UTC.
    @ivar subject: the person; "" when it is done.
    @ivar cursor: into the list of rooms (`livechat.interfaces.IArchive.rooms`).
    @ivar room: the room in work.
    @ivar after: the number in it up to which everything is done.
    @ivar rooms: rooms that were read.
    @ivar count: the number of retracted messages.
    @ivar lease: the second since 1970 until which a process works at it.
    @ivar done: when it was, in milliseconds since 1970, UTC; 0: it is not.
    """

    pseudonym: User
    author: Author
    began: int
    subject: str = ""
    cursor: str = ""
    room: str = ""
    after: int = 0
    rooms: int = 0
    count: int = 0
    lease: float = 0.0
    done: int = 0


_decoder: Final = msgspec.json.Decoder(Job)


def jobs_map(backend: IBackend) -> ISharedMap:
    """The map of jobs."""
    return backend.shared_map("forgets", most=MOST_JOBS, largest=_LARGEST)


class _LostError(Exception):
    """The job has gone to another process, or this one stops."""


class _Run:
    """
    A job that this process holds.

    @ivar value: the job as the map has it.
    @ivar renewed: the second of the reactor's clock when the map got that.
    """

    __slots__ = ("id", "job", "renewed", "value")

    def __init__(self, known_as: str, job: Job, value: bytes) -> None:
        self.id = known_as
        self.job = job
        self.value = value
        self.renewed = 0.0


class Forgetting:
    """
    Forgets people, one at a time.

    @ivar dossiers: reads everything that is kept of people.
    """

    def __init__(
        self,
        backend: IBackend,
        rules: Rules,
        *,
        leases: Leases,
        audit: Audit,
        cases: Cases,
        time: Time,
    ) -> None:
        self._jobs = jobs_map(backend)
        self._jobs.watch(self._changed)
        self._removals = removals_map(backend)
        self._archive = backend.archive
        self._erasure = (
            None
            if backend.archive is None
            else Erasure(backend.archive, backend.messages, time, cases.retracted, backend.outbox)
        )
        self.dossiers = Dossiers(
            backend, rules.policy, restrictions=rules.restrictions, cases=cases, time=time
        )
        self._pseudonyms = Pseudonyms(backend.processes.secret)
        self._policy = rules.policy
        self._restrictions: Restrictions = rules.restrictions
        self._leases = leases
        self._audit = audit
        self._cases = cases
        self._time = time
        self._looking: LoopingCall | None = None
        # The job that this process works at, or None.
        self._work: Deferred[None] | None = None
        self._stopping = False

    def order(self, actor: Actor, action: Forget) -> Deferred[Ack]:
        """
        Order that a person is forgotten.  Fires once the job is stored, so that it will be done
        even after a crash; the ack has the job's id.  A second order for the same person, before
        the job is done, is answered as a duplicate.

        The person's earlier messages are gone once the job is done.  Messages sent meanwhile may
        be.

        @raise ChatError: at once, if *actor* may not.
        """
        try:
            checked_id(action.user)
        except ValueError as reason:
            raise ChatError(Kind.BAD_MESSAGE, f"This cannot be an id: {reason}.") from None
        self._policy.require(actor, EVERYWHERE, "manage")
        if self._erasure is None:
            raise ChatError(Kind.UNAVAILABLE, "This backend cannot list its rooms.")
        if self._stopping:
            return fail(ChatError(Kind.UNAVAILABLE, "The server is stopping."))
        self._audit.check()
        subject = User(action.user, action.user, verified=not action.guest).subject
        return Deferred.fromCoroutine(self._order(actor, action, subject))

    async def _order(self, actor: Actor, action: Forget, subject: str) -> Ack:
        await self._jobs.catch_up()
        under_way = (key for key, job in self._all() if job.subject == subject)
        known_as = next(under_way, None)
        duplicate = known_as is not None
        if known_as is None:
            veil = Veil(subject, await self._pseudonyms.find(subject))
            author = author_of(actor)
            if veil.covers(author.user):
                author = replace(author, user=veil.pseudonym)
            job = Job(veil.pseudonym, author, self._now(), subject)
            known_as = token_hex(_ID_BYTES)
            await self._jobs.put(known_as, msgspec.json.encode(job), expect=None)
            self._look()
        return Ack(time=self._now(), nonce=action.nonce, duplicate=duplicate, case=known_as)

    def listed(self, actor: Actor) -> list[tuple[str, Job]]:
        """
        All jobs with their ids, the newest first; completed ones for `KEPT` seconds.

        @raise ChatError: the actor may not see them.
        """
        self._policy.require(actor, EVERYWHERE, "manage")
        return sorted(self._all(), key=lambda pair: (-pair[1].began, pair[0]))

    def _all(self) -> list[tuple[str, Job]]:
        found = ((key, _job_of(value)) for key, value in self._jobs.items())
        return [(key, job) for key, job in found if job is not None]

    def _changed(self, keys: Collection[str]) -> None:
        """Clear what this process alone knows of a forgotten person."""
        for key in keys:
            value = self._jobs.get(key)
            job = None if value is None else _job_of(value)
            if job is not None and job.subject:
                self._restrictions.forget_origin(job.subject)

    def start(self) -> None:
        """Continue interrupted jobs, now and from now on."""
        self._looking = LoopingCall(self._look)
        self._looking.clock = self._time
        self._looking.start(LOOK_EVERY).addErrback(
            lambda failure: _log.failure(
                "Jobs of forgetting people are not worked on any more.", failure
            )
        )

    def _look(self) -> None:
        """Take a job that nobody works at; no-op while this process works at one."""
        if self._work is not None or self._stopping or self._erasure is None:
            return
        now = self._time.wall()
        for key, value in self._jobs.items():
            job = _job_of(value)
            if job is not None and job.subject and job.lease <= now:
                self._work = Deferred.fromCoroutine(self._forget(_Run(key, job, value)))
                self._work.addErrback(_failed).addBoth(self._ended)
                return

    def _ended(self, failed: bool | None) -> None:
        self._work = None
        if not failed:
            self._look()

    async def stop(self) -> None:
        """Leave unfinished jobs to others; returns once they can take them."""
        self._stopping = True
        if self._looking is not None and self._looking.running:
            self._looking.stop()
        if self._work is not None:
            await self._work

    async def _forget(self, run: _Run) -> None:
        """Do the rest of a job."""
        try:
            await self._put(run, run.job)
            veil = Veil(run.job.subject, run.job.pseudonym)
            await self._forget_acts(veil)
            await self._erase_all(run, veil)
            await self._forget_acts(veil)
            await self._end(run)
        except _LostError:
            if self._stopping:
                await self._let_go(run)

    async def _forget_acts(self, veil: Veil) -> None:
        """Remove the person from the shared maps."""
        await self._restrictions.forget(veil.subject, veil.pseudonym)
        await self._leases.forget(veil.subject, veil.pseudonym)
        await self._cases.forget(veil.subject)
        for key in [key for key, _ in self._removals.items()]:
            # The process that works at the job finds that out.
            if key.endswith(f"|{veil.subject}"):
                await self._removals.drop(key)

    async def _erase_all(self, run: _Run, veil: Veil) -> None:
        """Remove the person from all rooms, beginning with those at the job's cursor."""
        assert self._archive is not None
        while True:
            names, cursor = await self._archive.rooms(run.job.cursor)
            for name in names:
                await self._erase(run, veil, name)
            if not cursor:
                return
            await self._keep(run, replace(run.job, cursor=cursor, room="", after=0))

    async def _erase(self, run: _Run, veil: Veil, room: str) -> None:
        assert self._erasure is not None
        # A store may list its rooms in another order than before: all at a cursor are read.
        after = run.job.after if room == run.job.room else 0

        async def keep(done: int, count: int) -> None:
            job = run.job
            await self._keep(run, replace(job, room=room, after=done, count=job.count + count))

        await self._erasure.erase(room, veil, after, keep)
        await self._keep(run, replace(run.job, rooms=run.job.rooms + 1))

    async def _keep(self, run: _Run, job: Job) -> None:
        """Note the job's progress; from time to time in the map, for others, too."""
        run.job = job
        if self._stopping:
            raise _LostError
        if self._time.seconds() - run.renewed >= RENEW_AFTER:
            await self._put(run, job)

    async def _put(self, run: _Run, job: Job) -> None:
        """
        @raise _LostError: another process has the job.
        """
        job = replace(job, lease=self._time.wall() + LEASE)
        value = msgspec.json.encode(job)
        if not await self._jobs.put(run.id, value, expect=run.value):
            raise _LostError
        run.job, run.value, run.renewed = job, value, self._time.seconds()

    async def _let_go(self, run: _Run) -> None:
        """Give the lease back, so that others can go on at once."""
        value = msgspec.json.encode(replace(run.job, lease=0.0))
        await self._jobs.put(run.id, value, expect=run.value)

    async def _end(self, run: _Run) -> None:
        job = run.job
        recorded = Recorded("forget", user=job.pseudonym, case=run.id, count=job.count)
        await self._audit.record_by(job.author, recorded, EVERYWHERE)
        done = Job(
            job.pseudonym,
            job.author,
            job.began,
            rooms=job.rooms,
            count=job.count,
            done=self._now(),
        )
        until = int(self._time.wall()) + KEPT
        value = msgspec.json.encode(done)
        if not await self._jobs.put(run.id, value, until, expect=run.value):
            raise _LostError

    def _now(self) -> int:
        return int(1000 * self._time.wall())


def _job_of(value: bytes) -> Job | None:
    """Read a job of the map; None if another version wrote it in a form unknown here."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


def _failed(failure: Failure) -> bool:
    if isinstance(failure.value, ChatError):
        _log.warn(
            "Forgetting a person was interrupted, and goes on by itself: {reason}",
            reason=failure.value.detail,
        )
    else:
        _log.failure("Forgetting a person failed; it is tried again.", failure)
    return True
