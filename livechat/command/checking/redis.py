"""Each Redis, as livechat would use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from livechat.backends.redis.tls import TLSFiles
from livechat.command.checking.disk import CLOCK
from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.command.redis_check import look_at_all
from livechat.config import Config

#: Words in a fault, and its cure; the first that fits counts.
_CURES: Final = (
    (
        "NOPERM",
        "give its user the rights of docs/operations.md, More than one process (ACL SETUSER)",
    ),
    ("WRONGPASS", "mend user and password in the URL"),
    ("NOAUTH", "put user and password into the URL, in the environment (LIVECHAT_REDIS)"),
    ("READONLY", "name the master, or let Sentinel name it: redis+sentinel://"),
    ("certificate", "see that it names the host, and give --redis-ca"),
    ("--redis-", "mend that option"),
    ("a URL", "write it such as redis://user:password@host:6379/0"),
    ("maxmemory-policy", "CONFIG SET maxmemory-policy noeviction, and so in redis.conf"),
    ("appendonly", "CONFIG SET appendonly yes, and so in redis.conf"),
    ("CONFIG GET", "give its user +config|get"),
)
_USUAL: Final = "start it, see that this machine may reach it, and mend --redis"


def redis(config: Config) -> Iterator[Finding]:
    """Check that each can be used, loses nothing, and has this machine's time."""
    files = TLSFiles(config.redis_ca, config.redis_certificate, config.redis_key)
    for found in look_at_all(config.redis, files, config.redis_prefix):
        if found.wrong:
            yield ill("Redis", f"{found.name} {found.wrong}", cure_of(found.wrong))
            continue
        yield Finding("Redis", "ok", f"{found.name}, version {found.version}")
        for text in found.warnings:
            yield doubtful("Redis", f"{found.name} {text}", cure_of(text))
        if abs(found.ahead) > CLOCK:
            text = f"that of {found.name} is {found.ahead:+.0f} s from this one"
            yield ill("clock", text, "set both: timedatectl set-ntp true")


def cure_of(text: str) -> str:
    """The way out of a fault, by the words that tell it."""
    return next((cure for words, cure in _CURES if words in text), _USUAL)
