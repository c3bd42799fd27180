"""A token that members bring, where a load says so."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Final

import jwt

#: The secret that livechat is given as a token key; nothing else is guarded by it.
KEY: Final = Path(__file__).with_name("token-secret")
_DAY: Final = 86_400


@cache
def token() -> str:
    """A user's token, for a day."""
    now = int(time.time())
    claims = {"sub": "42", "name": "Ann", "iat": now, "exp": now + _DAY}
    return jwt.encode(claims, KEY.read_bytes(), "HS256")
