"""One room that a process listens to: its state, without I/O."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from livechat.backends.redis.publisher import Sending
from livechat.backends.redis.stream import Entry, Stream


class Subscription:
    """
    What a process knows of a room that it listens to.

    @ivar stream: None until it is known where it stands.
    @ivar doubted: its numbers may have been given to other messages.
    @ivar early: what was heard before it was opened, or while it was doubted.
    @ivar entering: joins that wait until then.
    @ivar unseen: what was stored from here and is not delivered yet, by its tag.
    @ivar before: the stream that another numbering has ended.
    @ivar listening: Redis has confirmed that it tells of it.
    @ivar informed: what other processes say of it has been heard since then.
    @ivar check: there is a reason to look for what is missing.
    @ivar quiet: nothing was heard since the last sweep.
    """

    __slots__ = (
        "before", "check", "doubted", "early", "entering", "hole", "informed", "linger",
        "listening", "name", "quiet", "stream", "tended", "unseen",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.stream: Stream | None = None
        self.early: list[Entry] = []
        self.entering: list[Deferred[None]] = []
        self.unseen: dict[bytes, tuple[Sending, Entry]] = {}
        self.before: Stream | None = None
        self.doubted = False
        self.listening = False
        self.informed = False
        self.tended = False
        self.check = False
        self.quiet = True
        self.hole: IDelayedCall | None = None
        self.linger: IDelayedCall | None = None

    def forget_answered(self) -> None:
        """
        Forget messages whose senders were told that nobody knows: they may never be delivered.
        """
        if self.unseen:
            self.unseen = {
                tag: (sending, entry)
                for tag, (sending, entry) in self.unseen.items()
                if sending.answer is not None
            }

    def take_early(self, word: bytes) -> list[Entry]:
        """
        What was heard until Redis was asked.

        @param word: that of the numbering that Redis has.
        """
        early, self.early = self.early, []
        ours = [entry for entry in early if entry.word == word]
        if len(ours) < len(early):
            # Of a numbering that has ended, or of one that began after Redis was asked.
            self.check = True
        return ours

    def answer_passed(self, stream: Stream) -> None:
        """Answer senders whose messages are behind where *stream* stands: no delivery follows."""
        for tag, (sending, entry) in tuple(self.unseen.items()):
            if passed(stream, entry):
                del self.unseen[tag]
                sending.stored(entry.message())


def passed(stream: Stream, entry: Entry) -> bool:
    """Tell whether *stream* has let through *entry*, or a later one of its numbering."""
    return entry.word == stream.word and entry.seq <= stream.position
