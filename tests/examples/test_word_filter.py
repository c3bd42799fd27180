"""`examples.word_filter`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from examples.word_filter import NoSuchWords
from livechat.config import Config
from livechat.errors import ChatError, StartError
from livechat.extensions import load
from livechat.protocol.messages import Draft

GUEST: Any = Mock(kind="guest")
OPERATOR: Any = Mock(kind="operator")


@pytest.mark.parametrize("text", ["drat", "Oh DRAT!", "ｄｒａｔ", "drat\0it", "a\ndrat\nb"])
def test_a_word_is_refused_however_it_is_written(text: str) -> None:
    """A word is refused wherever it stands and however it is written."""
    with pytest.raises(ChatError, match="not said here"):
        NoSuchWords(["drat"]).send(GUEST, Draft("r", text))


@pytest.mark.parametrize("text", ["", "hydrate", "d r a t", "\0"])
def test_a_part_of_another_word_is_allowed(text: str) -> None:
    """A word that is part of another one is allowed."""
    NoSuchWords(["drat"]).send(GUEST, Draft("r", text))


def test_an_operator_may_quote_a_refused_word() -> None:
    """An operator may quote a refused word."""
    NoSuchWords(["drat"]).send(OPERATOR, Draft("r", "drat"))


def test_the_file_is_read_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read at the start, which fails without it."""
    config = Config.of({"extension": ["examples.word_filter.WordFilter"]}, {}, tmp_path)
    monkeypatch.delenv("WORD_FILTER", raising=False)
    with pytest.raises(StartError, match="WORD_FILTER must name a file"):
        load(config)
    monkeypatch.setenv("WORD_FILTER", "words.txt")
    with pytest.raises(StartError, match="No such file"):
        load(config)
    (tmp_path / "words.txt").write_bytes(b"\xff")
    with pytest.raises(StartError, match="'utf-8' codec can't decode"):
        load(config)
    (tmp_path / "words.txt").write_text("Drat\n\nheck\n")
    (policy,) = load(config).policies
    with pytest.raises(ChatError):
        policy.send(GUEST, Draft("r", "what the heck"))
