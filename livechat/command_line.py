"""twistd's view of the options: how they are given on its command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.python import usage

from livechat.config import options
from livechat.options import flag


def _doc(name: str) -> str:
    return str(next(each.metadata["doc"] for each in options() if each.name == name))


def _repeatable(name: str) -> Callable[[usage.Options, str], None]:
    """Make the method that takes a value of a repeatable option."""

    def take(self: usage.Options, value: str) -> None:
        self.setdefault(name.replace("_", "-"), []).append(value)

    take.__doc__ = _doc(name)
    return take


class Options(usage.Options):
    """twistd's view of `Config`: takes texts, checks nothing."""

    synopsis: ClassVar[str] = "[options]"
    longdesc: ClassVar[str] = (
        "A live chat server: rooms over WebSockets and HTTP, on one TLS port. "
        "Each option can also be given in the environment: --max-message as "
        "LIVECHAT_MAX_MESSAGE."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        [
            flag(each),
            None,
            None,
            each.metadata["doc"]
            + (f" [{each.metadata['default']}]" if each.metadata["default"] else ""),
        ]
        for each in options()
        if not each.metadata["many"] and not each.metadata["secret"]
    ]

    opt_listen = _repeatable("listen")
    opt_origin = _repeatable("origin")
    opt_extension = _repeatable("extension")
    opt_mount = _repeatable("mount")
    opt_host = _repeatable("host")
    opt_token_keys = _repeatable("token_keys")
    opt_trust_proxy = _repeatable("trust_proxy")
    opt_webhook = _repeatable("webhook")
