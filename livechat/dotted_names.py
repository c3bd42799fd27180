"""
Dotted names of other people's code: imports the objects, and reports a failure in one line.
"""

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
    """Tell whether `reflect.namedAny` raised it, and no module that it has imported."""
    return traceback.extract_tb(error.__traceback__)[-1].filename == reflect.__file__


def explained(error: BaseException) -> str:
    """Describe an extension's exception in one line: its type, its text, where it was raised."""
    said = one_line(str(error))
    text = type(error).__name__ + (f": {said}" if said else "")
    # Some modules of Python have no files.
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
    ]
    if not frames or isinstance(error, SyntaxError):
        return text
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})"


def one_line(text: str) -> str:
    """Put *text* into one line, of `_REPEATED` characters at most."""
    return " ".join(text.split())[:_REPEATED]
