"""
Checks if a livechat with these options could run, or does: a line for each thing, with the cure of
what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from twisted.python import usage

from livechat import __version__
from livechat.command.checking import disk, machine, site, trust
from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.command.checking.webhooks import webhooks
from livechat.command.client import Client, RefusedError, UnreachableError
from livechat.command.configured import config_of
from livechat.command.finding import Server, find
from livechat.command.output import CommandError, Output, printable
from livechat.config import Config
from livechat.errors import StartError


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
        told = {"about": each.about, "state": each.state.lower(), "text": each.text}
        if each.cure:
            told["cure"] = each.cure
        output.show(told, printable(each.line))
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
        yield ill("options", str(reason), "docs/operations.md, Options, says what each may be")
        return
    yield Finding("options", "ok", f"livechat {__version__}, --state {config.state}")
    certificate, found = trust.certificate(config)
    yield from found
    yield from trust.believed(config)
    yield trust.password(config)
    yield from disk.files(config, certificate)
    yield from disk.databases(config)
    yield from disk.disk(config)
    yield machine.open_files(config)
    yield machine.fast_path()
    yield from machine.workers(config, environment)
    yield from machine.brought(config)
    yield disk.clock(config)
    if config.redis:
        # Imported here, as it imports much.
        from livechat.command.checking.redis import redis  # noqa: PLC0415

        yield from redis(config)
    elif config.backend is not None:
        yield Finding("backend", "ok", "an extension's; it is not checked")
    yield from trust.token_keys(config)
    yield from site.site(config)
    yield from webhooks(config)
    yield from _server(server, state, environment, config)


def _server(
    server: str | None, state: str | None, environment: Mapping[str, str], config: Config
) -> Iterator[Finding]:
    about = "server"
    start = "systemctl start livechat; its log says why it does not"
    try:
        given = state if state is not None else str(config.state)
        found: Server = find(server, given, environment, keyed=False)
        yield _answering(found, lambda path: Client(found).ask("GET", path))
    except UnreachableError as reason:
        yield doubtful(about, f"it does not run: {reason}", start)
        yield from machine.ports(config)
    except RefusedError as reason:
        yield ill(about, str(reason), "docs/operations.md, It stores nothing, says what to do")
    except CommandError as reason:
        if server is not None:
            cure = (
                "give the address of a server, and SSL_CERT_FILE where its certificate is private"
            )
            yield ill(about, str(reason), cure)
            return
        yield doubtful(about, str(reason), start)
        yield from machine.ports(config)


def _answering(found: Server, ask: Callable[[str], object]) -> Finding:
    """
    @raise CommandError: the server does not answer.
    """
    ask("/healthz")
    ask("/readyz")
    return Finding("server", "ok", f"ready at {found.url}")
