"""
The local key, with which commands on the same machine act with all rights.

It is a file of the state directory that only its owner can read.  All processes of that directory
share it; no map and no other machine has it.
"""

from __future__ import annotations

import re
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

from livechat.errors import StartError
from livechat.system import files

#: The id of the local key, which no other key has.
LOCAL: Final = "local"
#: The file, in the state directory.
FILE: Final = "local-key"
#: Random bytes of the secret of a key, and the characters that they are written as.
SECRET_BYTES: Final = 32
RANDOM_PART: Final = r"[A-Za-z0-9_-]{43}"
_KEY: Final = re.compile(rf"lck_{LOCAL}_({RANDOM_PART})\n?", re.ASCII)
_LONGEST: Final = 100


def local_key(state: Path) -> str:
    """
    Read the key of the state directory; make it if there is none.

    @raise StartError: it cannot be read or made.
    """
    path = state / FILE
    try:
        if not path.exists():
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.make(path, f"lck_{LOCAL}_{token_urlsafe(SECRET_BYTES)}\n".encode())
        return read_local_key(state)
    except OSError as reason:
        raise StartError(f"{path}: {reason.strerror}") from None
    except ValueError as reason:
        raise StartError(f"{path}: {reason}; without this file a new one is made") from None


def read_local_key(state: Path) -> str:
    """
    Read the key of the state directory.

    @raise OSError: it cannot be read.
    @raise ValueError: the file has no key.
    """
    found = _KEY.fullmatch(files.read(state / FILE, _LONGEST).decode(errors="replace"))
    if found is None:
        raise ValueError("it has no key")
    return f"lck_{LOCAL}_{found[1]}"
