"""`livechat.identity.site_secret`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.errors import StartError
from livechat.identity.site_secret import FILE, read_site_secrets, site_secrets
from livechat.protocol.signing import secret_to_text

ONE, TWO = b"1" * 32, b"2" * 24


def test_a_missing_secret_is_made_once(tmp_path: Path) -> None:
    """A missing secret is made, for its owner alone; from then on it is the same."""
    state = tmp_path / "state"
    (made,) = site_secrets((), state)
    assert (state / FILE).stat().st_mode & 0o777 == 0o600
    assert site_secrets((), state) == (made,) == read_site_secrets(state)
    assert [each.name for each in state.iterdir()] == [FILE]


def test_of_the_environment(tmp_path: Path) -> None:
    """Secrets in the environment take precedence, and no file is made."""
    assert site_secrets((ONE, TWO), tmp_path) == (ONE, TWO)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_have_two_secrets(tmp_path: Path) -> None:
    """A file may have two, on a line each or on one, while one is replaced."""
    for blank in (" ", "\n"):
        text = f"{secret_to_text(ONE)}{blank}{secret_to_text(TWO)}\n"
        (tmp_path / FILE).write_text(text)
        assert site_secrets((), tmp_path) == (ONE, TWO)


@pytest.mark.parametrize("text", ["", "s3same", "\0" * 2_000, f"{secret_to_text(ONE)}\n" * 3])
def test_a_file_without_a_secret_stops_the_start(tmp_path: Path, text: str) -> None:
    """A file without a secret stops the start, in a line that does not show it."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StartError, match="without this file a new one is made") as caught:
        site_secrets((), tmp_path)
    assert "s3same" not in str(caught.value).replace(str(tmp_path), "")
    assert (tmp_path / FILE).read_text() == text


def test_an_unreadable_secret_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StartError, match=FILE):
        site_secrets((), tmp_path)
