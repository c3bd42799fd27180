"""Receivers of webhooks: whether they answer, and whether others could sign in our name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from secrets import token_hex

from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.command.output import CommandError
from livechat.command.posting import post
from livechat.config import Config
from livechat.identity.site_secret import FILE, read_site_secrets
from livechat.protocol.receivers import shown_url

_ABOUT = "webhooks"


def webhooks(config: Config) -> Iterator[Finding]:
    """Send each receiver an empty batch, which says nothing, and must be answered like others."""
    path = config.state / FILE
    secrets = config.webhook_secret
    if not secrets and path.exists():
        try:
            secrets = read_site_secrets(config.state)
            mode = path.stat().st_mode
        except (OSError, ValueError) as reason:
            text = f"{path}: {getattr(reason, 'strerror', None) or reason}"
            yield ill(_ABOUT, text, "make it readable by livechat's user, or remove it")
            return
        if mode & 0o077:
            text = f"{path} can be read by others, who could sign events"
            yield ill(_ABOUT, text, f"chmod 600 {path}, and replace the secret")
    for url in config.webhook:
        if not secrets:
            yield Finding(_ABOUT, "ok", f"a secret is made at the start, in {path}")
            return
        yield _answering(url, secrets)


def _answering(url: str, secrets: tuple[bytes, ...]) -> Finding:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = f'{{"type":"events","timestamp":"{moment}","data":[]}}'.encode()
    shown = shown_url(url)
    cure = "events wait meanwhile; livechat webhook test URL shows the answer"
    try:
        found = post(url, body, f"msg_{token_hex(16)}", secrets)
    except CommandError as reason:
        return doubtful(_ABOUT, f"{shown}: {reason}", cure)
    if not found.good:
        return doubtful(_ABOUT, f"{shown} answers {found.status} {found.reason}", cure)
    return Finding(_ABOUT, "ok", f"{shown} answers {found.status} after {found.seconds:.2f} s")
