"""The options of the daemon, as a command is given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from livechat.command_line import Options
from livechat.config import Config


def config_of(
    given: Sequence[str],
    environment: Mapping[str, str],
    state: str | None,
    directory: str | None = None,
) -> Config:
    """
    Read options, as on the daemon's command line, and those of the environment.

    @param state: the state directory; None: as the options say.
    @param directory: the daemon's working directory; None: this one.
    @raise livechat.errors.StartError: an option is not allowed.
    @raise twisted.python.usage.UsageError: there is none such.
    """
    options = Options()
    options.parseOptions([*given, *([] if state is None else [f"--state={Path.cwd() / state}"])])
    return Config.of(options, environment, Path.cwd() / (directory or ""))
