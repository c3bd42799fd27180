"""Sends one POST to a receiver of webhooks, as the server would, and reads its answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from livechat import __version__
from livechat.command.output import CommandError
from livechat.protocol.signing import signed

#: Seconds for the connection, and for the answer; and bytes of it that are read.
WITHIN: Final = 15.0
LARGEST: Final = 4_096


class Posted(Struct, frozen=True):
    """
    An answer.

    @ivar seconds: how long it took.
    """

    status: int
    reason: str
    body: bytes
    seconds: float

    @property
    def good(self) -> bool:
        """Tell whether the receiver has taken it."""
        return 200 <= self.status < 300


def post(url: str, body: bytes, known_as: str, secrets: Sequence[bytes]) -> Posted:
    """
    Send *body*, signed; follows no redirect.

    @raise CommandError: there is no answer.
    """
    parts = urlsplit(url)
    made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = made(parts.hostname or "", parts.port, timeout=WITHIN)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    headers = signed(secrets, known_as, int(time.time()), body)
    headers |= {"Content-Type": "application/json", "User-Agent": f"livechat/{__version__}"}
    began = time.monotonic()
    with closing(connection):
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            data = answer.read(LARGEST)
        except ssl.SSLCertVerificationError as reason:
            text = f"its certificate is not trusted: {reason.verify_message}"
            raise CommandError(text) from None
        except TimeoutError:
            raise CommandError(f"it does not answer within {WITHIN:g} seconds") from None
        except OSError as reason:
            raise CommandError(f"it does not answer: {reason.strerror or reason}") from None
        except HTTPException as reason:
            why = str(reason) or type(reason).__name__
            raise CommandError(f"it does not answer in HTTP: {why}") from None
    return Posted(answer.status, answer.reason, data, time.monotonic() - began)
