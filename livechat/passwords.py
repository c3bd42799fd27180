"""Where the operators' password comes from: the operator, or the first start."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from msgspec import Struct
from twisted.logger import Logger

from livechat import files
from livechat.errors import StartError

_log = Logger()

#: Characters of a password.
SHORTEST: Final = 8
LONGEST: Final = 1_024
#: How a hash that is given in place of a password begins.
HASH: Final = "$argon2id$"
#: Letters that cannot be mistaken for each other, five bits each.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_VARIABLE: Final = "LIVECHAT_ADMIN_PASSWORD"


class Password(Struct, frozen=True):
    """
    The password that was set.

    @ivar text: itself, or its argon2id hash in the form that begins with `HASH`.
    @ivar source: where it is from, as the log says it.
    """

    text: str
    source: str


def find_password(text: str | None, path: Path | None, generated: Path) -> Password:
    """
    The password, from the first of: *text*, the file *path*, the file *generated*,
    which is made if it is missing.  Blocks.

    @raise StartError: a file cannot be read or made, or it is no password.
    """
    if text is not None:
        return Password(_usable(text, _VARIABLE), _VARIABLE)
    if path is None:
        if not generated.exists():
            _generate(generated)
        return Password(_read(generated, "--state"), str(generated))
    return Password(_read(path, "--admin-password-file"), str(path))


def _generate(path: Path) -> None:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(5))
    try:
        files.write(path, ("-".join(groups) + "\n").encode(), 0o600)
    except OSError as reason:
        raise StartError(f"--state: cannot write {path}: {reason.strerror}") from None


def _read(path: Path, option: str) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        if path.stat().st_mode & 0o007:
            _log.warn(
                "{path} holds a password, and everybody on this machine can read it.",
                path=str(path),
            )
    except OSError as reason:
        raise StartError(f"{option}: cannot read {path}: {reason.strerror}") from None
    return _usable(text, f"{option}: {path}")


def _usable(text: str, source: str) -> str:
    password = text.rstrip("\r\n")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise StartError(f"{source}: this is not UTF-8") from None
    if not SHORTEST <= len(password) <= LONGEST or "\n" in password:
        raise StartError(f"{source}: a password is one line of {SHORTEST} to {LONGEST} characters")
    return password
