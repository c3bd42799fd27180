"""`livechat.daemon.edition`, with processes in place of other versions."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from livechat import __version__
from livechat.backends.redis.keys import FORMAT
from livechat.daemon import edition
from livechat.daemon.edition import Edition, UnknownError, here, installed, show
from livechat.daemon.lifeline import TERMS


def test_this_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert here() == Edition(__version__, FORMAT.decode(), TERMS)
    show()
    assert msgspec.json.decode(capsys.readouterr().out, type=Edition) == here()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "99"}, None),
        ({"layout": "99"}, "livechat 1 keeps rooms in layout 99, and the workers that run, in"),
        ({"terms": 99}, "livechat 1 wants another supervisor than 1"),
    ],
)
def test_versions_run_together_where_they_agree(changes: dict[str, Any], why: str | None) -> None:
    """Two versions run together where they agree on Redis, and on supervision."""
    own = Edition("1", "3", 1)
    refusal = own.refuses(msgspec.structs.replace(own, **changes))
    assert (refusal is None) == (why is None)
    assert why is None or why in (refusal or "")


def children() -> set[str]:
    """Find this process's children."""
    return {*Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


class InstalledTest(TestCase):
    """Processes that print their version, or something else, or nothing."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = tmp_path
        self.monkeypatch = monkeypatch

    async def ask(self, program: str | None = None) -> Edition:
        from twisted.internet import reactor  # noqa: PLC0415

        if program is not None:
            self.monkeypatch.setattr(edition, "_SHOW", program)
        given: Any = reactor
        return await installed(given, dict(os.environ))

    async def refused(self, program: str) -> str:
        try:
            await self.ask(program)
        except UnknownError as reason:
            return str(reason)
        raise AssertionError("it was taken")

    async def test_the_installed_version_is_asked_in_a_process(self) -> None:
        assert await self.ask() == here()

    async def test_code_that_crashes(self) -> None:
        """The error has the last line of the traceback."""
        assert await self.refused("import livechat.nowhere") == (
            "it ends: ModuleNotFoundError: No module named 'livechat.nowhere'"
        )
        assert await self.refused("raise SystemExit(3)") == "it ends: without a word"

    async def test_code_that_says_something_else(self) -> None:
        for program in ("pass", "print('hello')", "print('{}')"):
            assert await self.refused(program) == "it says something else than its version"

    async def test_a_cancelled_question_kills_its_process(self) -> None:
        """A process whose answer is no longer awaited is killed."""
        self.monkeypatch.setattr(edition, "_SHOW", "import time; time.sleep(60)")
        from twisted.internet import reactor  # noqa: PLC0415

        given: Any = reactor
        # Children of earlier tests may still run.
        before = children()
        asked = Deferred.fromCoroutine(installed(given, dict(os.environ)))
        asked.addErrback(lambda failure: failure.trap(CancelledError))
        (child,) = children() - before
        asked.cancel()
        while child in children():
            await deferLater(given, 0.01, lambda: None)

    async def test_code_that_does_not_end(self) -> None:
        self.monkeypatch.setattr(edition, "ANSWER_WITHIN", 0.1)
        assert await self.refused("import time; time.sleep(60)") == "it ends: signal 9"

    async def test_a_child_that_holds_the_output(self) -> None:
        """The process has ended without an answer; its child is not waited for."""
        holds = "import os, time\nif not os.fork(): time.sleep(9)"
        self.monkeypatch.setattr(edition, "_SHOW", holds)
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        clock = Clock()
        given: Any = SimpleNamespace(spawnProcess=real.spawnProcess, callLater=clock.callLater)
        before = children()
        asked = Deferred.fromCoroutine(installed(given, dict(os.environ)))
        (process,) = children() - before
        while process in children():
            await deferLater(real, 0.01, lambda: None)
        clock.advance(edition.ANSWER_WITHIN)
        refused = await self.assertFailure(asked, UnknownError)
        assert str(refused) == "it says something else than its version"
