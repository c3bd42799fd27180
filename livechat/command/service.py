"""The options and the directory of a service, which its unit gives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from livechat.command.finding import USUAL_STATE
from livechat.command.output import CommandError
from livechat.system import environment_file


def environment_of(
    config: str | None, rundir: str | None, own: Mapping[str, str]
) -> Mapping[str, str]:
    """
    Return the environment that counts for a command.

    @param config: the service's ``EnvironmentFile``; *own* variables win over it.
    @param rundir: the service's directory, to which its state directory is relative.
    @raise CommandError: the file cannot be used.
    """
    found = {**_read(config), **own} if config is not None else dict(own)
    if rundir is not None:
        state = Path(rundir, found.get("LIVECHAT_STATE") or USUAL_STATE)
        found["LIVECHAT_STATE"] = str(state.absolute())
    return found


def _read(config: str) -> dict[str, str]:
    try:
        return environment_file.read(Path(config))
    except OSError as reason:
        raise CommandError(f"--config: {config} cannot be read: {reason.strerror}") from None
    except ValueError as reason:
        raise CommandError(f"--config: {config}: {reason}") from None
