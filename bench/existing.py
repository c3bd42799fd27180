"""
Rooms that exist before a livechat starts: ``python bench/existing.py DIRECTORY ROOMS [MESSAGES]``.

The livechat that is measured fills its own state directory: it alone knows its tables.  So this
is run by its Python, as a script, and uses nothing of the benchmark.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.protocol.messages import Draft

#: Messages that are stored in one transaction.
GROUP: Final = 1_000
#: As long as the messages of the loads.
TEXT: Final = "x" * 100


def fill(directory: Path, rooms: int, messages: int = 1) -> None:
    """
    Put *messages* messages into each of *rooms* rooms, whose names are not those of the loads.

    Those of a room come one after the other: in any other order, millions would take hours.
    """
    database = Database(directory, Retention(), time.time, time.monotonic)
    database.prepare()
    drafts: Iterator[Draft] = (
        Draft(f"existing-{number}", TEXT) for number in range(rooms) for _ in range(messages)
    )
    while group := list(islice(drafts, GROUP)):
        for result in database.write(group):
            if isinstance(result, Exception):
                raise result
    database.close()
    database.release()


if __name__ == "__main__":
    fill(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
