"""`livechat.command.service`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.conftest import Command


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the test's directory."""
    monkeypatch.chdir(tmp_path)


def test_options_and_paths(command: Command, tmp_path: Path) -> None:
    """A service's options are those of its file, and its paths those of its directory."""
    (tmp_path / "service").mkdir()
    (tmp_path / "conf").write_text("LIVECHAT_RATE=fast\nLIVECHAT_STATE=rooms\n")
    words = ["check", f"--config={tmp_path}/conf", "--rundir=service"]
    assert "LIVECHAT_RATE: 'fast'" in command(*words).out
    (tmp_path / "conf").write_text("LIVECHAT_STATE=rooms\nLIVECHAT_CERTIFICATE=my.pem\n")
    out = command(*words, LIVECHAT_STATE="").out
    assert f"{tmp_path}/service/my.pem" in out
    # The caller's own variables and options win.
    assert f"--state {tmp_path}/service/mine" in command(*words, LIVECHAT_STATE="mine").out
    assert f"--state {tmp_path}/mine" in command(*words, "--state=mine").out


def test_an_unreadable_service_file_is_told(command: Command, tmp_path: Path) -> None:
    ran = command("check", "--config=/nowhere")
    assert (ran.code, ran.err) == (
        1, "livechat: --config: /nowhere cannot be read: No such file or directory\n",
    )  # fmt: skip
    (tmp_path / "conf").write_text("[Service]\n")
    assert "line 1 is not NAME=VALUE" in command("key", "list", f"--config={tmp_path}/conf").err
