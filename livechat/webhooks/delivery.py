"""
Tells one receiver of events, in their order: the next batch only once it has taken the last one.

    Feed.batch ──> signed POST ──> 2xx ──> Feed.told
                        └── else: a pause, and the batch is read anew

A receiver that answers 410 (Gone) is told no more until the next start, or until it is rewound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.events.batches import Batch
from livechat.events.feed import Feed
from livechat.limits.rates import LogLimit, Rate
from livechat.net.posting import Answered
from livechat.protocol.counts import counted
from livechat.protocol.receivers import Answer, shown_url
from livechat.system.time import Time
from livechat.webhooks.backoff import asked_for, pause
from livechat.webhooks.requests import Outgoing, make_request

#: Seconds for an answer.
WITHIN: Final = 15.0
#: Seconds between two lines of the log about the same trouble.
LOG_EVERY: Final = 600.0
#: Characters of an answer that are shown.
_SHOWN: Final = 200
_GONE: Final = 410

#: Posts a body with headers to an address, within so many seconds; fails with OSError.
Post = Callable[[str, bytes, Mapping[str, str], float], Deferred[Answered]]
State = Literal["waiting", "sending", "failing", "gone"]

_log = Logger(namespace="livechat")


class Counts(Struct):
    """
    A receiver since this process leads.

    @ivar sent: events that it has taken.
    @ivar failed: attempts that failed; and those of them in a row until now.
    @ivar next_at: when the next attempt is, in seconds since 1970; None: as soon as it can be.
    """

    state: State = "waiting"
    sent: int = 0
    failed: int = 0
    in_a_row: int = 0
    answer: Answer | None = None
    next_at: float | None = None


class Delivery:
    """
    Tells one receiver, and counts how that goes.

    @ivar counts: the state of the receiver, and its counts until now.
    """

    def __init__(
        self,
        url: str,
        feed: Feed,
        post: Post,
        secrets: Sequence[bytes],
        *,
        time: Time,
        random: Callable[[], float],
        counted: Callable[[int, int], None] = lambda _sent, _failed: None,
    ) -> None:
        """
        @param secrets: secrets that sign requests, the new one first.
        @param counted: called with the numbers of sent events, and of failed attempts.
        """
        self.counts = Counts()
        self.feed = feed
        self._url = url
        self._post = post
        self._secrets = secrets
        self._time = time
        self._random = random
        self._counted = counted
        self._troubles = LogLimit(Rate(1 / LOG_EVERY, 1))

    async def run(self, leads: Callable[[], bool], round_: str = "") -> None:
        """
        Tell the receiver of all events that wait or come, until cancelled.

        @param leads: tells whether this process may send.
        @param round_: the newest rewind, which gives repeated events other request ids.
        """
        self.counts = Counts()
        self.feed.begin()
        while self.counts.state != "gone":
            self._put("waiting" if not self.counts.in_a_row else "failing")
            batch = await self.feed.batch()
            if not leads():
                # The lease has ended, so this is cancelled soon.
                await deferLater(self._time, 1.0, lambda: None)
                continue
            answer = await self._send(_request(batch, round_, self._time.wall()))
            if answer is not None and answer.good:
                await self.feed.told(batch)
                self._taken(len(batch.events))
            else:
                await self._failed(answer)

    async def _send(self, request: Outgoing) -> Answered | None:
        """Send a request; return the answer, or None if there is none."""
        self._put("sending" if not self.counts.in_a_row else "failing")
        began, wall = self._time.seconds(), self._time.wall()
        headers = request.headers(self._secrets, wall)
        answer: Answered | None = None
        try:
            answer = await self._post(self._url, request.body, headers, WITHIN)
            text = answer.body.decode(errors="replace")[:_SHOWN]
        except OSError as reason:
            text = str(reason)[:_SHOWN]
        status = None if answer is None else answer.status
        took = self._time.seconds() - began
        self.counts.answer = Answer(int(1000 * self._time.wall()), round(took, 3), status, text)
        return answer

    def _taken(self, events: int) -> None:
        counts = self.counts
        if counts.in_a_row:
            _log.info(
                "The receiver {url} takes events again, after {failures}.",
                url=shown_url(self._url),
                failures=counted(counts.in_a_row, "failure"),
            )
            self._troubles = LogLimit(Rate(1 / LOG_EVERY, 1))
        counts.sent += events
        counts.in_a_row = 0
        counts.next_at = None
        self._counted(events, 0)

    async def _failed(self, answer: Answered | None) -> None:
        """Note a failure, and rest until the next attempt."""
        counts = self.counts
        counts.failed += 1
        counts.in_a_row += 1
        self._counted(0, 1)
        if answer is not None and answer.status == _GONE:
            self._put("gone")
            _log.error(
                "The receiver {url} says that it is gone (410): it is told no more until the next"
                " start, or: livechat webhook rewind SINCE.",
                url=shown_url(self._url),
            )
            return
        seconds = pause(counts.in_a_row, self._random)
        if answer is not None and answer.retry_after:
            seconds = asked_for(answer.retry_after, self._time.wall()) or seconds
        self._put("failing")
        counts.next_at = self._time.wall() + seconds
        more = self._troubles.due(self._time.seconds())
        if more is not None:
            _log.warn(
                "The receiver {url} does not take events ({why}); they wait, and are sent again"
                " until it does{more}.",
                url=shown_url(self._url),
                why=_why(counts.answer),
                more=more,
            )
        await deferLater(self._time, seconds, lambda: None)
        counts.next_at = None

    def _put(self, state: State) -> None:
        self.counts.state = state


def _request(batch: Batch, round_: str, wall: float) -> Outgoing:
    times = [getattr(each, "time", 0) for each in batch.events]
    newest = max(times, default=0) or int(1000 * wall)
    return make_request([each.id for each in batch.events], batch.encoded, newest, round_)


def _why(answer: Answer | None) -> str:
    if answer is None:
        return "no answer"
    return answer.text if answer.status is None else f"the answer is {answer.status}"
