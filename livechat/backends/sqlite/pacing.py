"""
The pace of rooms, as the embedded backend counts it.

The newest message of each key is a row that the message's own transaction writes: a slow mode
of hours outlives the process.  The rate of a room is in memory, since it is over after a second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from livechat.backends.pacing import Pacing, Spoken
from livechat.errors import ChatError
from livechat.protocol.messages import Draft, Submission
from livechat.protocol.settings import SLOWEST

_FIND: Final = """
SELECT key, time, until FROM pace WHERE key IN (SELECT value FROM json_each(?))
"""
_KEEP: Final = """
REPLACE INTO pace (key, time, until)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(?)
"""
_FORGET: Final = """
DELETE FROM pace WHERE key IN
    (SELECT key FROM pace WHERE until <= :now OR until > :latest LIMIT :most)
"""


class FilePacing:
    """The pace of the rooms of one file; a group at a time, in one transaction."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        """
        @param secret: the file's secret: without it nobody can tell who is slowed down.
        """
        self._secret = secret
        self._pacing = Pacing()
        # Rows of the group's keys, as before the group.
        self._found: Mapping[Hashable, Spoken] = {}

    def begin(self, db: sqlite3.Connection, acts: Sequence[Submission]) -> None:
        """Read the rows of *acts*."""
        keys = {
            self._key(act)
            for act in acts
            if isinstance(act, Draft) and act.throttle is not None and act.throttle.slow
        }
        rows = db.execute(_FIND, (json.dumps([*keys]),)) if keys else ()
        self._found = {key: Spoken(time, until) for key, time, until in rows}
        self._pacing.spoken = dict(self._found)

    def admit(self, draft: Draft, now: int) -> ChatError | None:
        """Implement `Pacing.admit` for a draft of the group."""
        if draft.throttle is None:
            return None
        return self._pacing.admit(draft.room, self._key(draft), draft.throttle, now)

    def keep(self, db: sqlite3.Connection) -> None:
        """Write the rows that are others now."""
        spoken = self._pacing.spoken.items()
        changed = [(key, *each) for key, each in spoken if self._found.get(key) != each]
        if changed:
            db.execute(_KEEP, (json.dumps(changed),))

    def forget(self, db: sqlite3.Connection, now: int, latest: int, most: int) -> None:
        """
        Remove up to *most* rows that hold nobody up any more.

        @param latest: in milliseconds; later stamps are of a wrong clock.
        """
        bounds = {"now": now, "latest": latest + 1000 * SLOWEST, "most": most}
        db.execute(_FORGET, bounds)

    def _key(self, draft: Draft) -> int:
        assert draft.throttle is not None
        # A key may have a lone surrogate, unlike the name of a room.
        text = f"{draft.room} {draft.throttle.key}".encode(errors="surrogatepass")
        digest = blake2b(text, key=self._secret(), digest_size=8, person=b"pace").digest()
        return int.from_bytes(digest, signed=True)
