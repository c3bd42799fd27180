"""Connections that end turns of a reactor."""

from __future__ import annotations

from typing import Final

from tests.support import client_frame

HI: Final = client_frame(b"hi")
PONG: Final = client_frame(b"", 10)
LONGEST: Final = 100_000
