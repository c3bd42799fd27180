"""
Checks if a livechat with these options could run, or does: a line for each thing.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from twisted.python import usage

from livechat import __version__
from livechat.command.client import Client, RefusedError, UnreachableError, fetched
from livechat.command.configured import config_of
from livechat.command.finding import Server, find
from livechat.command.output import CommandError, Output, printable
from livechat.config import Config
from livechat.daemon.permissions import exposed
from livechat.errors import StartError
from livechat.identity.token_keys import LARGEST, keys_of_file, keys_of_json
from livechat.net import certificates, fast
from livechat.net.certificates import Certificate
from livechat.system import files
from livechat.system.process import SPARE_FILES

#: Seconds by which clocks may differ.
CLOCK: Final = 10.0
#: Files by whose times it shows that the clock was set back.
_WRITTEN: Final = ("livechat.sqlite3", "livechat.sqlite3-wal", "maps.sqlite3", "operators.json")

State = Literal["ok", "warn", "FAIL"]


class Finding(Struct, frozen=True):
    """
    @ivar about: what was looked at.
    @ivar state: "warn": it runs, but somebody should see to it.
    """

    about: str
    state: State
    text: str


def check(
    output: Output,
    given: Sequence[str],
    environment: Mapping[str, str],
    server: str | None,
    state: str | None,
    *,
    directory: str | None,
) -> bool:
    """
    Look at everything; returns whether nothing is wrong.

    @param given: options of the daemon, as on its command line.
    @param directory: its working directory; None: this one.
    """
    good = True
    for each in _findings(given, environment, server, state, directory=directory):
        good = good and each.state != "FAIL"
        text = printable(f"{each.state:<4} {each.about:<11} {each.text}")
        output.show({"about": each.about, "state": each.state.lower(), "text": each.text}, text)
    return good


def _findings(
    given: Sequence[str],
    environment: Mapping[str, str],
    server: str | None,
    state: str | None,
    *,
    directory: str | None,
) -> Iterator[Finding]:
    try:
        config = config_of(given, environment, state, directory)
    except (StartError, usage.UsageError) as reason:
        yield Finding("options", "FAIL", str(reason))
        return
    yield Finding("options", "ok", f"livechat {__version__}, --state {config.state}")
    certificate, found = _certificate(config)
    yield found
    yield from _files(config, certificate)
    yield _open_files(config)
    yield Finding("fast path", "ok", fast.described())
    yield _clock(config, time.time())
    if config.redis:
        yield from _redis(config)
    elif config.backend is not None:
        yield Finding("backend", "ok", "an extension's; it is not looked at")
    yield from _token_keys(config)
    yield _server(server, state, environment, config)


def _certificate(config: Config) -> tuple[Certificate | None, Finding]:
    about = "certificate"
    directory = config.directory / "certs"
    if all(each.is_plain for each in config.listen):
        return None, Finding(about, "ok", "none is needed: TLS ends at a proxy (--listen)")
    try:
        if config.certificate is not None:
            key = config.private_key or config.certificate
            found = certificates.load(config.certificate, key)
        elif (directory / "livechat.crt").exists() or (directory / "livechat.key").exists():
            found = certificates.load(directory / "livechat.crt", directory / "livechat.key")
        else:
            return None, Finding(about, "ok", f"one is made at the start, in {directory}")
    except StartError as reason:
        return None, Finding(about, "FAIL", str(reason))
    now = datetime.now(UTC)
    ill = found.warning(now)
    if ill is not None:
        counts = found.begins <= now < found.expires
        return found, Finding(about, "warn" if counts else "FAIL", ill)
    kind = ", self-signed" if found.self_signed else ""
    text = f"{found.chain} for {', '.join(found.names)}, until {found.expires:%Y-%m-%d}{kind}"
    return found, Finding(about, "ok", text)


def _files(config: Config, certificate: Certificate | None) -> Iterator[Finding]:
    if not config.state.exists():
        parent = next(each for each in config.state.parents if each.exists())
        state: State = "ok" if _is_writable(parent) else "FAIL"
        text = "is made at the start" if state == "ok" else f"cannot be made in {parent}"
        yield Finding("files", state, f"{config.state} {text}")
        return
    if not _is_writable(config.state):
        yield Finding("files", "FAIL", f"{config.state} is no directory that can be written")
        return
    # Without a certificate its key is nothing to look at.
    lines = exposed(config, certificate or _NOWHERE)
    yield from (Finding("files", "FAIL", each) for each in lines)
    if not lines:
        yield Finding("files", "ok", f"nobody else can use what is in {config.state}")


#: For files that there are not.
_NOWHERE: Final = Certificate(
    Path("/nonexistent"), Path("/nonexistent"), (), datetime.max.replace(tzinfo=UTC), True
)


def _is_writable(directory: Path) -> bool:
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def _open_files(config: Config) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return Finding("open files", "ok", "without a limit here")
    needed = config.max_connections + SPARE_FILES
    text = f"{hard} are allowed here"
    if config.max_connections == 0:
        return Finding("open files", "ok", f"{text}, and --max-connections is no limit")
    if hard < needed:
        text += f", and --max-connections {config.max_connections} needs {needed}"
        return Finding("open files", "FAIL", f"{text}: raise it (ulimit -n, LimitNOFILE)")
    return Finding("open files", "ok", f"{text}, of {needed} that --max-connections needs")


def _clock(config: Config, now: float) -> Finding:
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    newest = 0.0
    for name in _WRITTEN:
        path = config.state / name
        if path.exists():
            newest = max(newest, path.stat().st_mtime)
    if newest > now + CLOCK:
        late = int(newest - now)
        return Finding("clock", "FAIL", f"{shown} is {late} s before {config.state} was written")
    return Finding("clock", "ok", shown)


def _redis(config: Config) -> Iterator[Finding]:
    # Only here: it brings much with it.
    from livechat.backends.redis.tls import TLSFiles  # noqa: PLC0415
    from livechat.command.redis_check import look_at_all  # noqa: PLC0415

    files = TLSFiles(config.redis_ca, config.redis_certificate, config.redis_key)
    for found in look_at_all(config.redis, files, config.redis_prefix):
        if found.wrong:
            yield Finding("Redis", "FAIL", f"{found.name} {found.wrong}")
            continue
        yield Finding("Redis", "ok", f"{found.name}, version {found.version}")
        for text in found.warnings:
            yield Finding("Redis", "warn", f"{found.name} {text}")
        if abs(found.ahead) > CLOCK:
            text = f"that of {found.name} is {found.ahead:+.0f} s from this one"
            yield Finding("clock", "FAIL", text)


def _token_keys(config: Config) -> Iterator[Finding]:
    about = "token keys"
    for source in config.token_keys:
        try:
            if isinstance(source, Path):
                found = keys_of_file(files.read(source, LARGEST))
            else:
                found = keys_of_json(fetched(source, LARGEST), of_others=True)
        except OSError as reason:
            yield Finding(about, "FAIL", f"{source} cannot be read: {reason.strerror or reason}")
        except (CommandError, ValueError) as reason:
            yield Finding(about, "FAIL", f"{source}: {reason}")
        else:
            kinds = sorted({name for key in found for name in key.algorithms})
            yield Finding(about, "ok", f"{source}: {len(found)}, for {', '.join(kinds)}")


def _server(
    server: str | None, state: str | None, environment: Mapping[str, str], config: Config
) -> Finding:
    about = "server"
    try:
        given = state if state is not None else str(config.state)
        found: Server = find(server, given, environment, keyed=False)
        return _answering(found, lambda path: Client(found).ask("GET", path))
    except UnreachableError as reason:
        return Finding(about, "warn", f"it does not run: {reason}")
    except RefusedError as reason:
        return Finding(about, "FAIL", str(reason))
    except CommandError as reason:
        return Finding(about, "warn" if server is None else "FAIL", str(reason))


def _answering(found: Server, ask: Callable[[str], object]) -> Finding:
    """
    @raise CommandError: it does not.
    """
    ask("/healthz")
    ask("/readyz")
    return Finding("server", "ok", f"ready at https://{found.address}{found.prefix}/")
