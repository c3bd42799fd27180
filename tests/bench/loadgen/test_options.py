"""The load generator refuses senseless options and other machines; its report is JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.loadgen.running import play, refusal
from tests.bench.loadgen.server import Server


def test_other_machines_are_left_alone() -> None:
    assert "not a loopback address" in refusal("--url", "ws://192.0.2.1/")
    assert "not a loopback address" in refusal(
        *("--mode", "http", "--url", "ws://127.0.0.1:1/", "--http-url", "http://192.0.2.1/")
    )


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--mode", "none"),
        ("--url", "gopher://127.0.0.1/"),
        ("--url", "ws://127.0.0.1:1/", "--conns", "many"),
        ("--url", "ws://127.0.0.1:1/", "--rate", "-1"),
        ("--url", "ws://127.0.0.1:1/", "--noecho"),
        ("--url", "ws://127.0.0.1:1/", "--mode", "http"),
        ("--url", "ws://127.0.0.1:1/", "--step", "dance"),
        ("--url", "ws://127.0.0.1:1/", "stray"),
    ],
    ids=" ".join,
)
def test_senseless_options_are_refused(options: tuple[str, ...]) -> None:
    assert refusal(*options)


def test_report_escapes_text(tmp_path: Path) -> None:
    file = tmp_path / "results"
    label = 'a "label" \\ of\tours'
    result = play(Server(), "--label", label, "--json", str(file))
    again = play(Server(), "--label", label, "--json", str(file))
    assert result.report["label"] == label
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        result.report,
        again.report,
    ]
