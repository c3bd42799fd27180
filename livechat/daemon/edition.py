"""Versions of livechat, and whether two of them run together."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from livechat import __version__
from livechat.daemon.lifeline import TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.posixbase import PosixReactorBase
    from twisted.internet.process import Process

#: Seconds for the answer of a version that is asked.
ANSWER_WITHIN: Final = 20.0
#: The most bytes of it that are kept.
MOST: Final = 65_536
_SHOW: Final = "from livechat.daemon.edition import show; show()"


class Edition(Struct, frozen=True):
    """
    A version.

    @ivar layout: that of its keys in Redis.
    @ivar terms: the version of the talk between its supervisors and workers.
    """

    version: str
    layout: str
    terms: int

    def refuses(self, other: Edition) -> str | None:
        """The reason why workers of *other* cannot run beside ours; None if they can."""
        if other.layout != self.layout:
            return (
                f"livechat {other.version} keeps rooms in layout {other.layout}, and the workers"
                f" that run, in layout {self.layout}"
            )
        if other.terms != self.terms:
            return f"livechat {other.version} wants another supervisor than {self.version}"
        return None


def here() -> Edition:
    """Return the version of this process."""
    # The import installs a reactor.
    from livechat.backends.redis.keys import FORMAT  # noqa: PLC0415

    return Edition(__version__, FORMAT.decode(), TERMS)


def show() -> None:
    """Write the version of this process to the standard output."""
    sys.stdout.write(msgspec.json.encode(here()).decode())


class UnknownError(Exception):
    """A version could not be asked; the text says why."""


async def installed(reactor: PosixReactorBase, environment: Mapping[str, str]) -> Edition:
    """
    Ask a new process for its version, which is that of the installed code.

    @raise UnknownError: the process does not tell it.
    """
    asked = _Asked()
    program = [sys.executable, "-P", "-c", _SHOW]
    process = reactor.spawnProcess(asked, program[0], program, env=dict(environment))
    late = reactor.callLater(ANSWER_WITHIN, _end, process)
    try:
        answer = await asked.answer
    finally:
        if late.active():
            late.cancel()
        if not asked.ended:
            # The caller has cancelled, so the answer is not needed.
            _end(process)
    try:
        return msgspec.json.decode(answer, type=Edition)
    except msgspec.DecodeError:
        raise UnknownError("it says something else than its version") from None


def _end(process: Process) -> None:
    """Kill *process*, and hang up on children of its own, which may have its output for longer."""
    with suppress(ProcessExitedAlready):
        process.signalProcess("KILL")
    process.loseConnection()


class _Asked(ProcessProtocol):
    """
    Gathers the output of a process.

    @ivar ended: true once the process has ended.
    """

    def __init__(self) -> None:
        self.ended = False
        self.answer: Deferred[bytes] = Deferred()
        self._said = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._said[childFD] = (self._said[childFD] + data)[-MOST:]

    def processEnded(self, reason: Failure) -> None:
        self.ended = True
        how: Any = reason.value
        if how.exitCode == 0:
            self.answer.callback(self._said[1])
            return
        lines = self._said[2].decode(errors="replace").strip().splitlines()
        why = lines[-1] if lines else f"signal {how.signal}" if how.signal else "without a word"
        self.answer.errback(UnknownError(f"it ends: {why}"))
