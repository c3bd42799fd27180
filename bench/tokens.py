"""Makes a token for the loads whose members bring one."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Final

import jwt

#: The file of livechat's token key. It guards nothing else.
KEY: Final = Path(__file__).with_name("token-secret")
_DAY: Final = 86_400


@cache
def token() -> str:
    """Make a user's token for a day."""
    now = int(time.time())
    claims = {"sub": "42", "name": "Ann", "iat": now, "exp": now + _DAY}
    return jwt.encode(claims, KEY.read_bytes(), "HS256")
