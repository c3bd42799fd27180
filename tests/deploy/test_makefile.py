"""The Makefile says what a machine lacks, and goes on once it is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.live.daemon import ROOT

#: A Debian without python3-venv: the folder is there, and nothing works in it.
WITHOUT_VENV = """
case "$*" in
    *version_info*) exit 0 ;;
    "-m venv "*) mkdir -p "$3/bin"; ln -sf /bin/false "$3/bin/python"; exit 1 ;;
esac
"""
WITHOUT_PIP = WITHOUT_VENV.replace("exit 1", "exit 0")
OLD = """
exit 1
"""


def make(directory: Path, python: str) -> str:
    """Run `make run` with a Python that does this; returns what it prints before it fails."""
    program = directory / "python"
    program.write_text(f"#!/bin/sh{python}")
    program.chmod(0o755)
    ran = subprocess.run(
        ["make", "--no-print-directory", "run", f"VENV={directory / 'venv'}", f"PYTHON={program}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    return ran.stdout


@pytest.mark.parametrize("python", [WITHOUT_VENV, WITHOUT_PIP], ids=["venv", "pip"])
def test_a_missing_venv_names_its_packages(tmp_path: Path, python: str) -> None:
    """The packages are named, and the next run does not take half a venv for one."""
    for _ in range(2):
        said = make(tmp_path, python)
        assert "sudo apt-get install python3-venv python3-pip" in said
        assert not (tmp_path / "venv/bin/python").is_symlink()


def test_an_old_python_is_told(tmp_path: Path) -> None:
    said = make(tmp_path, OLD)
    assert "livechat needs Python 3.11 or later" in said
    assert not (tmp_path / "venv").exists()
