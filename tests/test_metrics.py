"""`livechat.metrics`."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import generate_latest, values
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from livechat import metrics
from tests.support import Port, World, client_frame


def value(name: str) -> float:
    """A figure, by its name and labels; 0 if there is none yet."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics.text().decode(), re.MULTILINE)
    return float(found[1]) if found else 0


@contextmanager
def counts(**by: float) -> Iterator[None]:
    """Figures change by so much."""
    names = {NAMES.get(name, f"livechat_{name}_total"): change for name, change in by.items()}
    before = {name: value(name) for name in names}
    yield
    assert {name: value(name) - before[name] for name in names} == pytest.approx(names)


NAMES = {
    "bad_json": 'livechat_refusals_total{code="bad_json"}',
    "bad_room": 'livechat_refusals_total{code="bad_room"}',
    "not_found": 'livechat_refusals_total{code="not_found"}',
    "flood": 'livechat_closes_total{by="server",code="1008"}',
    "normal": 'livechat_closes_total{by="peer",code="1000"}',
    "no_code": 'livechat_closes_total{by="peer",code="1005"}',
    "broken": 'livechat_closes_total{by="peer",code="1006"}',
    "other": 'livechat_closes_total{by="peer",code="other"}',
    "ok": 'livechat_requests_total{method="GET",status="200"}',
    "strange": 'livechat_requests_total{method="other",status="405"}',
    "written": "livechat_stored_to_written_seconds_count",
    "lags": "livechat_reactor_lag_seconds_count",
    "late": "livechat_reactor_lag_seconds_sum",
}


def test_a_message_counts_for_each_member(port: Port) -> None:
    """A message counts as stored once, and as delivered for each member."""
    with counts(stored=2, delivered=6, written=2):
        wires = [port.socket() for _ in range(3)]
        for _ in range(2):
            wires[0].says("x")
            port.world.hub.flush()
            for wire in wires:
                assert wire.heard() == ["x"]


def test_refusals_count_by_code(port: Port) -> None:
    """Each refusal counts by its code, whoever is told of it and however."""
    with counts(bad_json=1, bad_room=2, not_found=1, ok=1, strange=1):
        wire = port.socket()
        wire.send(client_frame(b"{"))
        port.ask("GET", "/chat/history/a%20b/")
        port.ask("GET", "/rooms/a%20b/")
        port.ask("GET", "/nowhere")
        port.ask("GET", "/healthz")
        port.ask("INVENTED", "/healthz")


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (struct.pack("!H", 1000), "normal"), (b"", "no_code"), (None, "broken"),
        (struct.pack("!H", 4321), "other"), (struct.pack("!H", 3999), "other"),
    ],
)  # fmt: skip
def test_closes_count_by_bounded_codes(port: Port, frame: bytes | None, name: str) -> None:
    """A close counts by its code, of which a peer cannot invent more than one more."""
    with counts(**{name: 1}):
        wire = port.socket()
        if frame is not None:
            wire.send(client_frame(frame, opcode=8))
        wire.hang_up()


def test_unanswered_connections_count(port: Port) -> None:
    """Connections that nobody even answers count."""
    full = Port(port.world, most=1)
    with counts(turned_away=1):
        address = IPv4Address("TCP", "192.0.2.1", 50_000)
        for _ in range(200):
            if full.factory.buildProtocol(address) is None:
                break


def test_a_late_timer_tells_the_lag() -> None:
    """A timer that is late says how long something else took."""
    clock = Clock()
    pulse = metrics.Pulse(clock)
    with counts(lags=5, late=0.5 + 0.5 + 2.25):
        # In time; late, twice by as much; in time again; and after two that were left out.
        for seconds in (1.0, 1.5, 1.0, 0.5, 3.25):
            clock.advance(metrics.LOOK_EVERY * seconds)
            pulse.measure()


def test_no_label_holds_a_name_of_clients(make_world: Callable[..., World]) -> None:
    """No label holds what clients choose."""
    port = Port(make_world())
    port.ask("GET", "/chat/history/a-secret-room/?name=a-secret-name")
    port.ask("A-SECRET-METHOD", "/a-secret-path")
    wire = port.socket("a-secret-room")
    wire.says("a-secret-text")
    assert b"secret" not in metrics.text().lower()


def test_a_foreign_directory_of_figures_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory for figures that somebody else has set does not matter to a lone process."""
    monkeypatch.setenv(metrics.SHARED, "/nowhere")
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue())
    process = metrics._Process()
    process.figures.turned_away.inc()
    assert b"livechat_turned_away_total 1.0" in generate_latest(process.figures.registry)


def test_any_process_answers_for_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Any process answers for all, and one that takes another's place goes on with its figures."""
    monkeypatch.setenv(metrics.SHARED, str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", None)
    for number in (1, 2, 2):
        monkeypatch.setattr(metrics, "_process", metrics._Process())
        metrics.share(str(tmp_path), number)
        metrics.turned_away()
        with pytest.raises(AssertionError):
            metrics.share(str(tmp_path), 3)
    assert value("livechat_turned_away_total") == 3
