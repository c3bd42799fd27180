"""`livechat.command_line`."""

from __future__ import annotations

import pytest
from twisted.python import usage

from livechat.command_line import Options
from livechat.config import options
from livechat.options import flag


def test_unknown_options_are_refused() -> None:
    """Twistd refuses what it does not know."""
    with pytest.raises(usage.UsageError):
        Options().parseOptions(["--prot=1"])


@pytest.mark.parametrize("option", options(), ids=flag)
def test_the_help_has_every_option_but_secrets(option: object) -> None:
    """The help has every option but the secrets."""
    assert (f"--{flag(option)}=" in str(Options())) != option.metadata["secret"]  # type: ignore[attr-defined,arg-type]


def test_a_repeated_option_is_a_list() -> None:
    """A repeatable option is a list of texts."""
    parsed = Options()
    parsed.parseOptions(["--webhook=http://[::1]:1/", "--webhook=http://[::1]:2/", "--port=1"])
    assert parsed["webhook"] == ["http://[::1]:1/", "http://[::1]:2/"]
    assert parsed["port"] == "1"
