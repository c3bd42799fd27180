"""Configurations and findings for tests of the checks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from livechat.command.checking.findings import Finding
from livechat.command_line import Options
from livechat.config import Config


def config(directory: Path, *given: str, **environment: str) -> Config:
    options = Options()
    options.parseOptions(given)
    return Config.of(options, environment, directory)


def wrong(found: Iterable[Finding]) -> list[tuple[str, str]]:
    """Names and states of all findings that are not "ok"; each must have a cure."""
    ill = [each for each in found if each.state != "ok"]
    assert all(each.cure for each in ill), ill
    return [(each.about, each.state) for each in ill]
