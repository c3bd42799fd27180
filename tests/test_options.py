"""`livechat.options`; tests/test_config.py has what becomes of them all."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest

from livechat.errors import StartError
from livechat.options import flag, option, value, variable


@dataclass
class Few:
    """Options of each kind."""

    a_size: int = option("1", int, "a size", also="SIZE")
    hidden: str | None = option(None, str, "a secret", secret=True)
    several: tuple[int, ...] = option(None, int, "numbers", many=tuple, private=True)


SIZE, HIDDEN, SEVERAL = fields(Few)


def test_flag_and_variable_follow_the_name() -> None:
    """Flag and variable are derived from the option's name."""
    assert (flag(SIZE), variable(SIZE)) == ("a-size", "LIVECHAT_A_SIZE")


@pytest.mark.parametrize(
    ("given", "environment", "found"),
    [
        ({}, {}, 1),
        ({}, {"SIZE": "2"}, 2),
        ({}, {"SIZE": "2", "LIVECHAT_A_SIZE": "3"}, 3),
        ({"a-size": "4"}, {"SIZE": "2", "LIVECHAT_A_SIZE": "3"}, 4),
    ],
)
def test_the_command_line_wins(
    given: dict[str, Any], environment: dict[str, str], found: int
) -> None:
    """The command line wins over the variable, that over another's, and all over the default."""
    assert value(SIZE, given, environment) == found


def test_a_repeated_option_has_several_values() -> None:
    """Repeated on a command line, separated by blanks in the environment."""
    assert value(SEVERAL, {"several": ["1", "2"]}, {}) == (1, 2)
    assert value(SEVERAL, {"several": []}, {"LIVECHAT_SEVERAL": "3 4"}) == (3, 4)
    assert value(SEVERAL, {}, {}) == ()


def test_secrets_are_never_on_a_command_line() -> None:
    """Secrets are not read from a command line, and no error shows a private value."""
    assert value(HIDDEN, {"hidden": "x"}, {}) is None
    assert "x" not in repr(Few(1, "x", ()))
    with pytest.raises(StartError) as caught:
        value(SEVERAL, {}, {"LIVECHAT_SEVERAL": "geheim"})
    assert str(caught.value).startswith("LIVECHAT_SEVERAL: ")
