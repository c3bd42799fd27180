"""`livechat.command.checking.findings`."""

from __future__ import annotations

from livechat.command.checking.findings import Finding, doubtful, ill


def test_a_line_has_columns_and_its_cure() -> None:
    """A line has its columns, and the cure behind an arrow."""
    assert Finding("files", "ok", "fine").line == "ok   files       fine"
    assert doubtful("disk", "small", "grow").line == "warn disk        small → grow"
    assert ill("open files", "few", "more").line == "FAIL open files  few → more"
