"""`livechat.command.checking.webhooks`."""

from __future__ import annotations

from pathlib import Path

from livechat.command.checking.webhooks import webhooks
from livechat.identity.site_secret import FILE, site_secrets
from tests.command.checking.looking import config, wrong
from tests.command.receiver import DeafPort, Receiver


def test_no_receivers(tmp_path: Path) -> None:
    assert list(webhooks(config(tmp_path))) == []


def test_a_receiver_that_takes_an_empty_batch_is_well(tmp_path: Path) -> None:
    """A receiver that takes an empty batch is well; nothing is sent before there is a secret."""
    with Receiver() as receiver:
        made = config(tmp_path, f"--webhook={receiver.url}")
        assert [each.state for each in webhooks(made)] == ["ok"]
        assert receiver.bodies == []
        receiver.secrets = site_secrets((), made.state)
        (found,) = webhooks(made)
        assert found.state == "ok"
        assert "answers 204" in found.text
        assert receiver.events == []
        assert len(receiver.bodies) == 1


def test_a_receiver_that_refuses_is_told_with_its_cure(tmp_path: Path) -> None:
    """A receiver that is away, or refuses the batch, is told with its cure."""
    made = config(tmp_path, "--webhook=http://127.0.0.1:1/", "--webhook=http://127.0.0.1:2/")
    site_secrets((), made.state)
    assert wrong(webhooks(made)) == [("webhooks", "warn")] * 2
    with Receiver() as receiver:
        receiver.secrets = (b"another secret, quite long",)
        made = config(tmp_path, f"--webhook={receiver.url}")
        (found,) = webhooks(made)
        assert (found.state, "answers 401" in found.text) == ("warn", True)
    with DeafPort() as deaf:
        made = config(tmp_path, f"--webhook={deaf.url}")
        (found,) = webhooks(made)
        assert (found.state, "does not answer" in found.text) == ("warn", True)


def test_a_secret_for_others(tmp_path: Path) -> None:
    """A secret that others can read, or nobody, must be mended."""
    made = config(tmp_path)
    site_secrets((), made.state)
    (made.state / FILE).chmod(0o644)
    assert wrong(webhooks(made)) == [("webhooks", "FAIL")]
    (made.state / FILE).write_text("geheim")
    (found,) = webhooks(made)
    assert found.state == "FAIL"
    assert "geheim" not in found.text
