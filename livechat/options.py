"""An option: a field of `livechat.config.Config`, found on a command line or in the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, field
from typing import Any

from livechat.errors import StartError


def option(
    default: str | None,
    parse: Callable[[str], Any],
    doc: str,
    *,
    many: Callable[[Iterable[Any]], Any] | None = None,
    secret: bool = False,
    private: bool = False,
    also: str | None = None,
) -> Any:
    """
    Define an option.

    @param many: makes the option's value of all that were given; it may be repeated.
    @param secret: it is never on a command line.
    @param private: there may be a secret in it, so it is never shown.
    @param also: the name of another variable, which others know too.
    """
    metadata = {
        "default": default,
        "parse": parse,
        "doc": doc,
        "many": many,
        "secret": secret,
        "private": private or secret,
        "also": also,
    }
    return field(metadata=metadata, repr=not metadata["private"])


def flag(option: Field[Any]) -> str:
    """An option's name on the command line, without its dashes."""
    return option.name.replace("_", "-")


def variable(option: Field[Any]) -> str:
    """An option's name in the environment."""
    return f"LIVECHAT_{option.name.upper()}"


def source(
    option: Field[Any], given: Mapping[str, Any], environment: Mapping[str, str]
) -> str | None:
    """Say where *option* is given; None if it is not."""
    if given.get(flag(option)) not in (None, []):
        return f"--{flag(option)}"
    return variable(option) if variable(option) in environment else None


def value(option: Field[Any], given: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    """
    Find the value of *option*: of the command line, else of the environment, else its default.

    @param given: texts by the option's name; a list of texts for a repeatable one.
    @raise StartError: the text is not allowed; the error says which and why.
    """
    secret = option.metadata["secret"]
    source, text = f"--{flag(option)}", None if secret else given.get(flag(option))
    if text is None or text == []:
        source, text = variable(option), environment.get(variable(option))
    if text is None and option.metadata["also"] is not None:
        source, text = option.metadata["also"], environment.get(option.metadata["also"])
    many = option.metadata["many"]
    if text is None:
        text = option.metadata["default"]
    if text is None:
        return None if many is None else many(())
    parse = option.metadata["parse"]
    try:
        if many is not None:
            return many(map(parse, text.split() if isinstance(text, str) else text))
        return parse(text)
    except ValueError as reason:
        shown = "" if option.metadata["private"] else f" {text!r}"
        raise StartError(f"{source}:{shown} {reason}") from None
