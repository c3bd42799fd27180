"""
Operators' passwords: given by the operator or made at the first start; and their hashes.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from msgspec import Struct
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, StartError
from livechat.system import files

_log = Logger()

#: Characters of a password.
SHORTEST: Final = 8
LONGEST: Final = 1_024
#: The beginning of a hash that is given in place of a password.
HASH: Final = "$argon2id$"
#: The most that a check of a hash may cost, some seconds of a core: memory in KiB times passes over
#: it (as much as RFC 9106's first choice), passes, and threads of each.
MOST_WORK: Final = 2 * 1024 * 1024
MOST_PASSES: Final = 100
MOST_LANES: Final = 64
#: Letters that cannot be mistaken for each other, five bits each.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_VARIABLE: Final = "LIVECHAT_ADMIN_PASSWORD"


class Password(Struct, frozen=True):
    """
    The password that was set.

    @ivar text: the password, or its argon2id hash in the form that begins with `HASH`.
    @ivar source: its origin, for the log.
    """

    text: str
    source: str


def affordable(hashed: str) -> bool:
    """
    True if a check against *hashed* is bounded in time and memory.

    @raise InvalidHashError: this is no argon2 hash.
    """
    costs = extract_parameters(hashed)
    return (
        costs.memory_cost * costs.time_cost <= MOST_WORK
        and costs.time_cost <= MOST_PASSES
        and costs.parallelism <= MOST_LANES
    )


def new_hash(hasher: PasswordHasher, before: str, password: Password) -> str | None:
    """
    Return the hash of *password*; None if *before* fits it.  Blocks.

    @raise StartError: the password was given as a hash that cannot be used.
    """
    text = password.text
    if not text.startswith(HASH):
        return None if fits(hasher, before, text) else hasher.hash(text)
    try:
        _check_costs(text, password.source)
        hasher.verify(text, "")
    except VerifyMismatchError:
        pass
    except (VerificationError, InvalidHashError):
        raise _invalid(password.source) from None
    return None if before == text else text


def _check_costs(hashed: str, source: str) -> None:
    if not affordable(hashed):
        raise StartError(
            f"{source}: this hash costs too much to check; it may have at most {MOST_WORK} KiB"
            f" of memory times passes, {MOST_PASSES} passes and {MOST_LANES} lanes"
        )


def _invalid(source: str) -> StartError:
    return StartError(f"{source}: this is not a valid argon2id hash")


def fits(hasher: PasswordHasher, hashed: str, password: str) -> bool:
    """Check *password* against *hashed*.  Blocks."""
    try:
        return hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def decoy(hasher: PasswordHasher) -> str:
    """Make a hash of no password, which takes as long to check as those of *hasher*."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    return (
        f"{HASH}v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        f"${salt}${digest}"
    )


def checked_password(text: str) -> str:
    """
    Return *text*, if it can be an operator's password.

    @raise ChatError: it cannot.
    """
    # Half a surrogate pair cannot be hashed, nor be typed.
    one_line = not any(each in "\r\n" or "\ud800" <= each <= "\udfff" for each in text)
    if not (SHORTEST <= len(text) <= LONGEST and one_line):
        raise ChatError(
            Kind.BAD_REQUEST, f"A password is one line of {SHORTEST} to {LONGEST} characters."
        )
    return text


def generated() -> str:
    """Make a password that cannot be guessed."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(5))
    return "-".join(groups)


def find_password(text: str | None, path: Path | None, usual: Path) -> Password:
    """
    The password, from the first of: *text*, the file *path*, the file *usual*,
    which is made if it is missing.  Blocks.

    @raise StartError: a file cannot be read or made, or it is no password.
    """
    if text is not None:
        return Password(_usable(text, _VARIABLE), _VARIABLE)
    if path is None:
        if not usual.exists():
            _generate(usual)
        return Password(_read(usual, "--state"), str(usual))
    return Password(_read(path, "--admin-password-file"), str(path))


def _generate(path: Path) -> None:
    try:
        files.write(path, f"{generated()}\n".encode(), 0o600)
    except OSError as reason:
        raise StartError(f"--state: cannot write {path}: {reason.strerror}") from None


def _read(path: Path, option: str) -> str:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            # Reading stops where the text is too long: the file may be endless.
            text = file.read(LONGEST + 3)
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
    if password.startswith(HASH):
        # The check is made now, since workers that fail to start would be restarted again and
        # again.
        try:
            _check_costs(password, source)
        except InvalidHashError:
            raise _invalid(source) from None
    return password
