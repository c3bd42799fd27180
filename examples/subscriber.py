"""
A subscriber: what happens is written to a file, a line each, and nothing is missed after a crash.

    twistd --pidfile= -n livechat --extension examples.subscriber.ToFile
"""

import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from livechat.config import Config
from livechat.extensions import ExtensionBase, SubscriberBase
from livechat.protocol.events import Event, encode_event

#: Ids that are remembered: an event may come twice, within a batch or two of each other.
REMEMBERED = 10_000


class Lines(SubscriberBase):
    """Appends events to a file.  The cursor moves once they are on the disk."""

    name = "lines"
    kinds = ("message", "edited", "retracted", "occupied", "vacated")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: deque[str] = deque(maxlen=REMEMBERED)

    async def events(self, batch: Sequence[Event]) -> None:
        new = [event for event in batch if event.id not in self._seen]
        await self._append(b"".join(encode_event(event) + b"\n" for event in new))
        self._seen.extend(event.id for event in new)

    def _append(self, lines: bytes) -> Any:
        def append() -> None:
            with self._path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())

        # The reactor's thread must not wait for a disk.
        return deferToThread(append)


class ToFile(ExtensionBase):
    """Brings the subscriber."""

    def subscribers(self, config: Config) -> list[Lines]:
        return [Lines(Path(os.environ.get("EVENTS_FILE", "events.jsonl")))]
