"""The site that is asked (``--ask``): whether it answers, and knows this server's secret."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

from livechat import __version__
from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.config import Config
from livechat.identity.site import WITHIN
from livechat.identity.site_secret import FILE, read_site_secrets
from livechat.protocol.asking import CHECK, Question
from livechat.protocol.receivers import shown_url
from livechat.protocol.signing import signed

#: Seconds to wait for an answer: more than the server's, to tell a slow site from one that hangs.
PATIENCE: Final = 5.0
_ABOUT: Final = "ask"
_UNSIGNED: Final = (401, 403)


def site(config: Config) -> Iterator[Finding]:
    """Ask it a question that is about nothing."""
    if config.ask is None:
        return
    shown = shown_url(config.ask)
    try:
        secrets = config.webhook_secret or read_site_secrets(config.state)
    except FileNotFoundError:
        text = f"{shown} is not asked now: {config.state / FILE} is made at the first start"
        yield doubtful(_ABOUT, text, "start livechat, and give the site the secret in that file")
        return
    except (OSError, ValueError) as reason:
        cure = "name a secret as docs/moderation.md says, or remove the file: another one is made"
        yield ill(_ABOUT, f"{config.state / FILE}: {reason}", cure)
        return
    began = time.monotonic()
    try:
        status = _status(config.ask, secrets)
    except (OSError, HTTPException) as reason:
        text = f"{shown} does not answer: {str(reason) or type(reason).__name__}"
        yield ill(_ABOUT, text, f"start the site; until then acts are {_done(config)}")
        return
    took = time.monotonic() - began
    if status in _UNSIGNED:
        cure = "give the site the secret of this server (LIVECHAT_WEBHOOK_SECRET)"
        yield ill(_ABOUT, f"{shown} answers {status}: it does not know the signature", cure)
    elif status not in (200, 204):
        cure = "let it answer what it does not know, such as about 'check', with 204"
        yield ill(_ABOUT, f"{shown} answers {status}, and neither 200 nor 204", cure)
    elif took > WITHIN:
        text = f"{shown} takes {took:.1f} seconds, and an answer counts for {WITHIN:g}"
        yield doubtful(_ABOUT, text, f"make it faster; acts are {_done(config)}")
    else:
        about = ", ".join(sorted(config.ask_about))
        yield Finding(_ABOUT, "ok", f"{shown} answers in {1000 * took:.0f} ms; about {about}")


def _done(config: Config) -> str:
    return "refused" if config.ask_failing == "refuse" else "accepted unasked"


def _status(url: str, secrets: tuple[bytes, ...]) -> int:
    """
    @raise OSError: no answer came; HTTPException means the same.
    """
    parts = urlsplit(url)
    made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    body = Question(CHECK).body()
    headers = signed(secrets, f"ask_{token_hex(12)}", int(time.time()), body)
    headers |= {"Content-Type": "application/json", "User-Agent": f"livechat/{__version__}"}
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    with closing(made(parts.hostname or "", parts.port, timeout=PATIENCE)) as connection:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
