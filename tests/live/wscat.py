"""The WebSocket client wscat, of npm."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from typing import Any, Final, Self

from tests.live.daemon import PATIENCE, ROOT, Daemon, Output

WSCAT: Final = ROOT / "tests" / "clients" / "node_modules" / ".bin" / "wscat"


class Wscat:
    """A wscat in a room, on a terminal, without which it prints nothing."""

    def __init__(self, daemon: Daemon, room: str, *options: str, base: str = "") -> None:
        assert WSCAT.exists(), f"wscat is missing: run {ROOT}/tests/clients/install"
        path = room if "?" in room else f"{room}/"
        self._terminal, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [
                str(WSCAT), "--no-color", "--no-check", *options,
                "-c", f"wss://localhost:{daemon.port}{base}/ws/chat/{path}",
            ],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        self.output = Output(self._terminal)

    def __enter__(self) -> Self:
        self.output.wait_for("Connected")
        return self

    def hears(self, count: int) -> list[Any]:
        """The frames that were shown, when there are *count* of them."""
        self.output.wait_for(r"< [^\r\n]+\r?\n", count)
        return [json.loads(frame) for frame in self.heard()]

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self.output.close()
        os.close(self._terminal)

    def says(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\n")

    def heard(self) -> list[str]:
        """The frames that were shown."""
        shown = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.output.text)
        return re.findall(r"< ([^\r\n]+)\r?\n", shown)
