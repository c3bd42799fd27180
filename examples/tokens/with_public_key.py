"""
Makes a token with a private key, of which the chat server has only the public half.

    openssl genpkey -algorithm ed25519 -out chat.key
    openssl pkey -in chat.key -pubout -out chat.pub    # --token-keys chat.pub
"""

import sys
import time
from pathlib import Path

import jwt


def token(private_key: bytes, user: str, name: str) -> str:
    """Say who somebody is, for ten minutes."""
    now = int(time.time())
    claims = {"sub": user, "name": name, "iat": now, "exp": now + 600}
    return jwt.encode(claims, private_key, "EdDSA")


if __name__ == "__main__":
    sys.stdout.write(token(Path(sys.argv[1]).read_bytes(), *sys.argv[2:]))
