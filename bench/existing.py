"""
Fills a state directory with rooms: ``python bench/existing.py DIRECTORY ROOMS [MESSAGES]``.

Only the measured livechat knows its tables. So its own Python runs this script, which imports
nothing of the benchmark.
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

#: Messages of one transaction.
GROUP: Final = 1_000
#: The text of each message, as long as those of the loads.
TEXT: Final = "x" * 100


def fill(directory: Path, rooms: int, messages: int = 1) -> None:
    """
    Put *messages* messages into each of *rooms* rooms. No load uses their names.

    The messages of a room are written one after the other: otherwise millions would take hours.
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
