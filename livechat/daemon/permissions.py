"""
Warnings of files that other users of the machine could read or replace.

A private key may be read by its group: Debian's `ssl-cert` and systemd's credentials have it
so.  The state directory, and what is trusted in it, may be written by the daemon's user only:
a session in `maps.sqlite3` is a way into the admin page.  Permissions are checked, and
never changed: they are the operator's to set.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from livechat.config import Config
from livechat.identity.local_key import FILE as LOCAL_KEY
from livechat.identity.token_keys import keys_of_file
from livechat.net.certificates import Certificate
from livechat.net.whereabouts import FILE

#: Rights that others must not have: to a private key, its group included, and to the state.
_KEY: Final = stat.S_IRWXO | stat.S_IWGRP
_STATE: Final = stat.S_IWOTH | stat.S_IWGRP
#: Trusted files in the state directory.
_TRUSTED: Final = (
    "operators.json",
    "admin-password",
    FILE,
    LOCAL_KEY,
    "livechat.sqlite3",
    "livechat.sqlite3-wal",
    "livechat.sqlite3-shm",
    "maps.sqlite3",
    "maps.sqlite3-wal",
    "maps.sqlite3-shm",
)


def exposed(config: Config, certificate: Certificate | None) -> list[str]:
    """A line for each file that others could use against this daemon.  Blocks."""
    secrets = [each for each in _files_of_keys(config) if _is_secret(each)]
    to_redis = config.redis_key or config.redis_certificate
    return [
        *(() if certificate is None else _exposed("the private key", certificate.key)),
        *(_exposed("the private key", to_redis) if to_redis is not None else ()),
        *(line for each in secrets for line in _exposed("the secret of tokens", each)),
        *_readable(config.state / LOCAL_KEY),
        *_writable(config),
    ]


def _readable(path: Path) -> Iterator[str]:
    status = _status(path)
    if status is not None and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        yield (
            f"Other users can read {path} (mode {mode:04o}), with which commands act with all"
            f" rights; remove it, and restart livechat, which makes another one."
        )


def _exposed(what: str, key: Path) -> Iterator[str]:
    status = _status(key)
    if status is not None and status.st_mode & _KEY:
        yield (
            f"Other users can read or replace {what} {key}"
            f" (mode {stat.S_IMODE(status.st_mode):04o}); make it 0600, or 0640 for a group."
        )


def _writable(config: Config) -> Iterator[str]:
    certificates = config.redis_ca, config.redis_certificate, config.redis_key
    named = (config.admin_password_file, *certificates, *_files_of_keys(config))
    for path in (
        config.state,
        *(config.state / name for name in _TRUSTED),
        *(path for path in named if path is not None),
    ):
        status = _status(path)
        if status is None:
            continue
        if status.st_mode & _STATE:
            mode = stat.S_IMODE(status.st_mode)
            yield (
                f"Other users can write {path} (mode {mode:04o}), which livechat trusts;"
                f" chmod go-w {path}."
            )
        elif status.st_uid not in (0, os.geteuid()):
            yield (
                f"{path}, which livechat trusts, belongs to another user ({status.st_uid}),"
                " who can write it; chown it to livechat's user."
            )


def _files_of_keys(config: Config) -> list[Path]:
    return [each for each in config.token_keys if isinstance(each, Path)]


def _is_secret(path: Path) -> bool:
    """Tell whether a file has a key of tokens that nobody else may read."""
    try:
        return any(isinstance(key.material, bytes) for key in keys_of_file(path.read_bytes()))
    except (OSError, ValueError):
        return False


def _status(path: Path) -> os.stat_result | None:
    """Stat the file, following links; None if that fails."""
    try:
        return path.stat()
    except OSError:
        return None
