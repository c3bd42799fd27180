"""The clock of the embedded backend's file: how far it was trusted is kept in the file."""

from __future__ import annotations

import sqlite3
from typing import Final

from livechat.system.wallclock import Record, WallClock

#: Seconds after which a trusted time is stored again; a doubted one is stored at each sweep.
_KEEP_EVERY: Final = 3_600.0


class KeptClock:
    """
    A wall clock whose record outlives the process.

    @ivar doubt: the line for the log if the clock could not be trusted at the start; else empty.
    """

    def __init__(self, wall: WallClock) -> None:
        self._wall = wall
        self._kept = Record()
        self.doubt = ""

    def start(self, db: sqlite3.Connection, newest: int) -> None:
        """
        Start the clock from what was kept, or else from the newest message.

        @param newest: its time, as far as it is not among the file's rooms; 0 if there is none.
        """
        found = db.execute("SELECT trusted, doubted, held FROM clock").fetchone()
        (moved,) = db.execute("SELECT max(time) FROM rooms").fetchone()
        latest = max(moved or 0, newest)
        self._kept = Record()
        if found is not None:
            self.doubt = self._wall.start(Record(*found))
        else:
            self.doubt = self._wall.start(Record(latest / 1000) if latest else None)

    def keep(self, db: sqlite3.Connection) -> None:
        """Write down how far the clock is trusted, for the next start."""
        record = self._wall.record()
        if record.doubted or abs(record.trusted - self._kept.trusted) >= _KEEP_EVERY:
            db.execute("REPLACE INTO clock VALUES (1, ?, ?, ?)", record)
            self._kept = record

    def rolled_back(self) -> None:
        """Write it down again the next time: the last record may not be in the file."""
        self._kept = Record()
