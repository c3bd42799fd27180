"""
A policy: some words are not said here.  The file has one a line.

    export WORD_FILTER=words.txt
    twistd --pidfile= -n livechat --extension examples.word_filter.WordFilter
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from unicodedata import normalize

from livechat.config import Config
from livechat.errors import ChatError, Kind, StartError
from livechat.extensions import ExtensionBase, PolicyBase
from livechat.interfaces import IActor
from livechat.protocol.messages import Draft


def words(text: str) -> list[str]:
    """The words of a text, in a form in which capitals and full-width letters are alike."""
    return re.findall(r"\w+", normalize("NFKC", text).casefold())


class NoSuchWords(PolicyBase):
    """Refuses messages with any of *refused*; operators may say everything."""

    def __init__(self, refused: Iterable[str]) -> None:
        self._refused = frozenset(refused)

    def send(self, actor: IActor, draft: Draft) -> None:
        if actor.kind != "operator" and not self._refused.isdisjoint(words(draft.message)):
            raise ChatError(Kind.FORBIDDEN, "Such words are not said here.")


class WordFilter(ExtensionBase):
    """Reads the words while livechat starts."""

    def policy(self, config: Config) -> NoSuchWords:
        path = os.environ.get("WORD_FILTER")
        if path is None:
            raise StartError("WORD_FILTER must name a file with a word a line")
        try:
            return NoSuchWords(words((config.directory / path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as reason:
            raise StartError(f"WORD_FILTER: {reason}") from None
