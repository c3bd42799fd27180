"""`livechat.system.environment_file`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.system import environment_file


@pytest.mark.parametrize(
    "text",
    [
        "LIVECHAT_PORT", "=1", "A B=1", "1A=1", "A=1\n- B=2", "A='1", 'A="1', 'A="1\nB=2', "Ä=1",
    ],
)  # fmt: skip
def test_a_line_that_systemd_ignores_is_told(text: str) -> None:
    """A line that systemd would ignore, or read to the end of the file, is told."""
    with pytest.raises(ValueError, match=r"line \d"):
        environment_file.parse(text)


def test_an_endless_file_is_read_to_its_bound(tmp_path: Path) -> None:
    """An endless file is read up to a bound."""
    with pytest.raises(ValueError, match="more than"):
        environment_file.read(Path("/dev/zero"))
    (tmp_path / "latin").write_bytes(b"A=\xe4")
    with pytest.raises(ValueError, match="utf-8"):
        environment_file.read(tmp_path / "latin")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A=", ""),
        ("  A = 1  ", "1"),
        ("A=https://a https://b", "https://a https://b"),
        ("A='https://a  b' ", "https://a  b"),
        ('A="a # b"', "a # b"),
        ("A=a # b", "a # b"),
        ("A='a'\"b\"c", "abc"),
        ('A=a"b"', 'a"b"'),
        (r"A=a\'b\\c", r"a'b\c"),
        (r'A="a\"b\\c\d\$"', r'a"b\c\d$'),
        (r"A='a\b'", r"a\b"),
        ("A=a\\\nb", "ab"),
        ('A="a\\\nb"', "ab"),
        ("A='a\nb'", "a\nb"),
        ("A=redis://:p=w;d#@h", "redis://:p=w;d#@h"),
        ("A=$HOME `id`", "$HOME `id`"),
    ],
)
def test_quotes_are_read_as_systemd_does(line: str, value: str) -> None:
    """Quotes and backslashes are as in systemd's `EnvironmentFile`, and nothing is expanded."""
    assert environment_file.parse(line) == {"A": value}


def test_the_last_of_a_name_counts(tmp_path: Path) -> None:
    """Comments and empty lines are left out, and of a name given twice the last counts."""
    (tmp_path / "conf").write_text("\n# A=0\n;A=0\nA=1\n\t\nB=2\nA=3 ;\r\n")
    assert environment_file.read(tmp_path / "conf") == {"A": "3 ;", "B": "2"}
