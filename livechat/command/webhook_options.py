"""The command line of ``livechat webhook``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from livechat import option_values
from livechat.command import webhooks
from livechat.command.finding import state_directory
from livechat.command.output import Output

#: Actions that ask no server.
WITHOUT_A_SERVER = ("listen", "test")


def add_webhooks(add: Any, actions: Any) -> None:
    """
    Add the actions.

    @param add: adds a command to others, with a name and a text.
    @param actions: the actions of ``webhook``.
    """
    listened = add("listen", "Take events on this machine, and print them.", actions)
    listened.add_argument(
        "--port", type=_port, default=webhooks.PORT, metavar="N", help=f"[{webhooks.PORT}]"
    )
    tested = add("test", "Send one signed event to a receiver, and print its answer.", actions)
    tested.add_argument("url", metavar="URL")
    rewound = add("rewind", "Send receivers the entries since a time again.", actions)
    rewound.add_argument("since", type=_since, metavar="SINCE", help="2h, or 2026-11-27T18:00")
    rewound.add_argument(
        "--receiver", metavar="URL", help="only this receiver: its URL, or its name"
    )
    rewound.set_defaults(
        ask=lambda client, out, asked: webhooks.rewind(client, out, asked.since, asked.receiver)
    )
    shown = add("status", "How it goes with the receivers.", actions)
    shown.set_defaults(ask=lambda client, out, _: webhooks.status(client, out))


def run(output: Output, asked: argparse.Namespace, environment: Mapping[str, str]) -> bool:
    """
    Run an action that asks no server; returns whether all is well.

    @raise CommandError: it cannot be done.
    """
    secrets = webhooks.secrets_of(environment, state_directory(asked.state, environment))
    if asked.action == "test":
        return webhooks.test(output, secrets, asked.url)
    webhooks.listen(output, secrets, asked.port)
    return True


def _port(text: str) -> int:
    try:
        return option_values.integer(0, 65_535)(text)
    except ValueError as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None


def _since(text: str) -> int:
    try:
        return webhooks.since(text, time.time())
    except ValueError as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None
