"""
Asks the operator's site about what clients want to do.

The site need not be there, or friendly.  So all is bounded, and no act waits for it for long:

    `WITHIN`         seconds for an answer, and no second try
    `BOUNDS`         questions at a time, and those that wait, in all and of one client;
                     beyond them an act is refused with ``overloaded``
    `MOST_FAILURES`  in a row, after which it is not asked for `PAUSE` seconds

An act about which it could not be asked is refused, or accepted, as the operator chose.  What is
no answer counts as none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from secrets import token_hex
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.limits.queueing import Bounds, FairQueue
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.asking import ACCEPT, About, Failing, Question, Ruling, ruling_of
from livechat.protocol.signing import signed
from livechat.system.time import Time

#: Seconds for an answer.
WITHIN: Final = 1.0
BOUNDS: Final = Bounds(running=64, waiting=1_000, running_of_one=16, waiting_of_one=250)
#: Failures in a row, and the seconds for which the site is not asked then.
MOST_FAILURES: Final = 5
PAUSE: Final = 5.0
#: Seconds for the last answers when the process stops.
STOP_WITHIN: Final = 2.0
#: Seconds between two lines of the log.
LOG_EVERY: Final = 10.0
#: Random bytes of a question's id.
_ID_BYTES: Final = 12

#: Posts a body with these headers, within so many seconds.  Fires with the body of the answer, or
#: None for an empty one; fails with OSError, which says why there is none.
Post = Callable[[bytes, Mapping[str, str], float], Deferred[bytes | None]]

_log = Logger(namespace="livechat")


class _Asked(Struct, frozen=True):
    """A question that waits, or is being asked."""

    about: About
    known_as: str
    body: bytes
    headers: Mapping[str, str]
    answer: Deferred[Ruling]


class Site:
    """The site, as far as it is asked."""

    def __init__(
        self,
        post: Post,
        time: Time,
        *,
        about: Collection[About],
        failing: Failing = "refuse",
        secrets: Sequence[bytes],
    ) -> None:
        """
        @param about: acts that the site is asked about.
        @param failing: what becomes of an act where the site does not answer.
        @param secrets: sign the questions.
        """
        self._post = post
        self._time = time
        self._about = frozenset(about)
        self._failing = failing
        self._secrets = tuple(secrets)
        self._queue: FairQueue[_Asked] = FairQueue(BOUNDS, self._start)
        self._failures = 0
        self._again_at = 0.0
        self._reason = ""
        self._lines = LogLimit(Rate(1 / LOG_EVERY, 1))
        self._stopping: Deferred[None] | None = None

    def asks(self, about: About) -> bool:
        """Tell whether the site is asked about such acts."""
        return about in self._about

    @property
    def waiting(self) -> int:
        """The questions that wait for an answer."""
        return self._queue.running + len(self._queue)

    def trouble(self) -> str | None:
        """The reason why the site is not asked just now; None if it is."""
        return self._reason if self._time.seconds() < self._again_at else None

    def ask(
        self,
        about: About,
        question: Question,
        owner: str,
        *,
        known_as: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[Ruling]:
        """
        Ask; fires with the answer.  Fails with ``unavailable`` if there is none.

        @param owner: whose share of the questions it takes.
        @param known_as: an id that is the same where the same is asked again.
        @param headers: those of the client's request that the site is shown.
        @raise ChatError: at once: ``overloaded``.
        """
        if self._stopping is not None or self.trouble() is not None or self._tried:
            metrics.asked(about, "not_asked")
            return self._unanswered()
        answer: Deferred[Ruling] = Deferred()
        known_as = known_as or f"ask_{token_hex(_ID_BYTES)}"
        asked = _Asked(about, known_as, question.body(), headers or {}, answer)
        if not self._queue.put(owner, asked):
            metrics.asked(about, "overloaded")
            raise ChatError(Kind.OVERLOADED, "Too many acts wait for the site; try again later.")
        return answer

    @property
    def _tried(self) -> bool:
        """Tell whether one question is to show that the site, which failed, answers again."""
        return self._failures >= MOST_FAILURES and self.waiting > 0

    def _unanswered(self) -> Deferred[Ruling]:
        answer: Deferred[Ruling] = Deferred()
        self._fail(answer)
        return answer

    def _fail(self, answer: Deferred[Ruling]) -> None:
        """Answer a question to which the site did not."""
        if self._failing == "accept" and self._stopping is None:
            answer.callback(ACCEPT)
        else:
            answer.errback(
                ChatError(Kind.UNAVAILABLE, "The site that decides on this does not answer.")
            )

    def _start(self, owner: str, asked: _Asked) -> None:
        began = self._time.seconds()
        now = int(self._time.wall())
        headers = {**asked.headers, **signed(self._secrets, asked.known_as, now, asked.body)}
        read = self._post(asked.body, headers, WITHIN).addCallback(_read, asked.about)
        read.addBoth(self._answered, owner, asked, began).addErrback(_broken)

    def _answered(self, result: Ruling | Failure, owner: str, asked: _Asked, began: float) -> None:
        metrics.site_answered(self._time.seconds() - began)
        try:
            if isinstance(result, Ruling):
                self._failures = 0
                metrics.asked(asked.about, _shown(result))
                asked.answer.callback(result)
            else:
                metrics.asked(asked.about, "failed")
                self._failed(result)
                self._fail(asked.answer)
        finally:
            self._queue.done(owner)
            self._check_stopped()

    def _failed(self, failure: Failure) -> None:
        reason = str(failure.value) or type(failure.value).__name__
        if not isinstance(failure.value, OSError | ValueError):
            _log.failure("The site could not be asked.", failure)
        self._failures += 1
        pauses = self._failures >= MOST_FAILURES and self.trouble() is None
        if pauses:
            self._again_at = self._time.seconds() + PAUSE
            self._reason = reason
        if (more := self._lines.due(self._time.seconds())) is not None:
            _log.warn(
                "The site (--ask) does not answer: {reason}. Acts that it should decide on are"
                " {done}.{more}",
                reason=reason,
                done="refused" if self._failing == "refuse" else "accepted unasked",
                more=more,
            )
        if pauses:
            self._give_up()

    def _give_up(self) -> None:
        """Answer all that waits: the site is not asked now."""
        for each in self._queue.clear():
            metrics.asked(each.about, "not_asked")
            self._fail(each.answer)

    def stop(self) -> Deferred[None]:
        """
        Ask no more.  Fires once all that is being asked is answered, within `STOP_WITHIN`
        seconds; what waits is refused.
        """
        if self._stopping is None:
            self._stopping = Deferred()
            self._give_up()
            self._check_stopped()
        stopped: Deferred[None] = Deferred()
        self._stopping.chainDeferred(stopped)
        return stopped.addTimeout(STOP_WITHIN, self._time, lambda *_: None)

    def _check_stopped(self) -> None:
        stopping = self._stopping
        if stopping is not None and not stopping.called and not self._queue.running:
            stopping.callback(None)


def owner_of(actor: Actor) -> str:
    """Name the share of the questions that *actor* takes: as its rates are counted."""
    if actor.lease is not None and actor.lease.key is not None:
        return f"k:{actor.lease.key}"
    if actor.user is not None and actor.user.verified:
        return actor.user.subject
    return f"a:{actor.source.key}"


def _read(body: bytes | None, about: About) -> Ruling:
    """
    @raise ValueError: that is no answer.
    """
    try:
        return ACCEPT if body is None else ruling_of(body, about)
    except ValueError as reason:
        raise ValueError(f"its answer cannot be used: {reason}") from None


def _shown(ruling: Ruling) -> str:
    if ruling.verdict != "accept":
        return ruling.verdict
    return "accept" if ruling.message is None else "rewrite"


def _broken(failure: Failure) -> None:
    _log.failure("The site's answer could not be carried out.", failure)
