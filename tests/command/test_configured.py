"""`livechat.command.configured`."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from livechat.command.configured import config_of
from livechat.errors import StartError


def test_options_are_of_the_command_line_or_the_environment(tmp_path: Path) -> None:
    """Options stand behind ``--`` or in the environment; the command's --state wins."""
    given = ["--redis=redis://one", "--redis-prefix=x"]
    config = config_of(given, {"LIVECHAT_STATE": "/elsewhere"}, str(tmp_path))
    assert (config.redis, config.redis_prefix) == (("redis://one",), "x")
    assert config.state == tmp_path
    assert config_of([], {"LIVECHAT_STATE": str(tmp_path)}, None).state == tmp_path


def test_bad_options_end_the_command() -> None:
    with pytest.raises(UsageError):
        config_of(["--nothing"], {}, None)
    with pytest.raises(StartError):
        config_of(["--history-limit=x"], {}, None)
