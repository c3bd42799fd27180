"""Finds and loads other people's code (`livechat.interfaces.IExtension`)."""

from __future__ import annotations

import traceback
from typing import Final

from twisted.python import reflect

from livechat.errors import StartError

#: Characters of somebody else's error that a line repeats.
_REPEATED: Final = 300


def find(name: str, option: str) -> object:
    """
    Import what a dotted name means.

    @param option: where the name was given, such as ``--extension``.
    @raise StartError: there is no such thing, or importing it fails.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise StartError(f"{option}: {name!r} is no dotted name, such as package.module")
    try:
        return reflect.namedAny(name)
    except reflect.InvalidName:
        raise StartError(f"{option}: there is no module {name.partition('.')[0]!r}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        if isinstance(error, reflect.ObjectNotFound | AttributeError) and _is_twisteds(error):
            raise StartError(f"{option}: there is no {name!r}") from None
        raise StartError(f"{option}: {name!r} cannot be imported: {explained(error)}") from None


def _is_twisteds(error: BaseException) -> bool:
    """Whether `reflect.namedAny` raised it, and no module that it has imported."""
    return traceback.extract_tb(error.__traceback__)[-1].filename == reflect.__file__


def explained(error: BaseException) -> str:
    """Somebody else's exception in one line: what it is, what it says, and where it was raised."""
    said = " ".join(str(error).split())[:_REPEATED]
    text = type(error).__name__ + (f": {said}" if said else "")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or isinstance(error, SyntaxError):
        return text
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})"
