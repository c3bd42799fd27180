"""`livechat.daemon.hooks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from livechat.daemon.hooks import Webhooks, hooks
from livechat.errors import StartError
from livechat.identity.site_secret import FILE
from livechat.system.time import Time
from tests.support.outbox import MemoryOutbox
from tests.support.services import config


class Backend:
    """A backend, with or without an outbox."""

    def __init__(self, outbox: MemoryOutbox | None) -> None:
        self.outbox = outbox

    def shared_map(self, name: str, **_: int) -> Any:
        from livechat.backends.alone import LoneMaps  # noqa: PLC0415

        return LoneMaps(lambda: 0.0).get(name, most=60, largest=4_096)


def test_a_place_without_an_outbox(tmp_path: Path) -> None:
    """A backend without an outbox refuses webhooks at the start."""
    backend: Any = Backend(None)
    clock: Any = Clock()
    assert hooks(config(tmp_path), backend, clock, Time(clock)) is None
    given = config(tmp_path, webhook="https://hooks.example/")
    with pytest.raises(StartError, match="--webhook"):
        hooks(given, backend, clock, Time(clock))


def test_without_receivers(tmp_path: Path) -> None:
    """Without webhooks no lease is taken and no secret made; former receivers are forgotten."""
    outbox = MemoryOutbox()
    clock: Any = Clock()
    backend: Any = Backend(outbox)
    made = hooks(config(tmp_path), backend, clock, Time(clock))
    assert made is not None
    service = Webhooks(made)
    service.startService()
    assert outbox.kept == [frozenset()]
    assert not made.telling.leads()
    assert not (tmp_path / "state" / FILE).exists()
    assert clock.getDelayedCalls() == []
    service.stopService()


def test_each_webhook_is_a_receiver(tmp_path: Path) -> None:
    """Each receiver is told; the secret is made, and a broken one stops the start."""
    outbox = MemoryOutbox()
    clock: Any = Clock()
    backend: Any = Backend(outbox)
    given = config(tmp_path, webhook="https://hooks.example/a http://127.0.0.1:1/")
    made = hooks(given, backend, clock, Time(clock))
    assert made is not None
    assert [each.url for each in made.board.states()] == [
        "https://hooks.example/…", "http://127.0.0.1:1/",
    ]  # fmt: skip
    assert (tmp_path / "state" / FILE).exists()
    (tmp_path / "state" / FILE).write_text("geheim")
    with pytest.raises(StartError, match=FILE):
        hooks(given, backend, clock, Time(clock))
