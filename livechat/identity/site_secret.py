"""
The secret by which the site knows requests of this server.

It is in the environment, or in a file of the state directory that only its owner can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from livechat.errors import StartError
from livechat.protocol.signing import MOST_SECRETS, make_secret, secret_of_text, secret_to_text
from livechat.system import files

#: The file, in the state directory.
FILE: Final = "webhook-secret"
_LONGEST: Final = 1_000


def site_secrets(given: Sequence[bytes], state: Path) -> tuple[bytes, ...]:
    """
    Find the secrets, the new one first; make one if there is none.

    @param given: those of the environment.
    @raise StartError: they cannot be read or made.
    """
    if given:
        return tuple(given)
    path = state / FILE
    try:
        if not path.exists():
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.make(path, f"{secret_to_text(make_secret())}\n".encode())
        return read_site_secrets(state)
    except OSError as reason:
        raise StartError(f"{path}: {reason.strerror}") from None
    except ValueError as reason:
        raise StartError(f"{path}: {reason}; without this file a new one is made") from None


def read_site_secrets(state: Path) -> tuple[bytes, ...]:
    """
    Read the secrets of the state directory.

    @raise OSError: they cannot be read.
    @raise ValueError: the file has none, or too many.
    """
    texts = files.read(state / FILE, _LONGEST).decode(errors="replace").split()
    if not 0 < len(texts) <= MOST_SECRETS:
        raise ValueError(f"it has {len(texts)} secrets, and must have one, or two")
    return tuple(map(secret_of_text, texts))
