"""`livechat.command.checking.site`."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from livechat.command.checking import site as checking
from livechat.command.checking.site import site
from livechat.protocol.signing import secret_to_text, verify
from tests.command.checking.looking import config, wrong
from tests.support.site import PlainSite, answers, hangs

SECRET = b"s" * 32
ENVIRONMENT = {"LIVECHAT_WEBHOOK_SECRET": secret_to_text(SECRET)}


def test_nothing_is_asked(tmp_path: Path) -> None:
    """Without a site there is nothing to say."""
    assert not list(site(config(tmp_path)))


@pytest.mark.parametrize(
    ("status", "expected", "cure"),
    [
        ("204 No Content", [], ""),
        ("200 OK", [], ""),
        ("401 Unauthorized", [("ask", "FAIL")], "LIVECHAT_WEBHOOK_SECRET"),
        ("403 Forbidden", [("ask", "FAIL")], "LIVECHAT_WEBHOOK_SECRET"),
        ("404 Not Found", [("ask", "FAIL")], "204"),
        ("301 Moved Permanently", [("ask", "FAIL")], "204"),
        ("500 Internal Server Error", [("ask", "FAIL")], "204"),
    ],
)
def test_the_site_is_asked_once_about_nothing(
    tmp_path: Path, status: str, expected: list[tuple[str, str]], cure: str
) -> None:
    """The site is asked once, signed, about nothing; its answer is told."""
    with PlainSite(answers(b"", status)) as there:
        found = list(site(config(tmp_path, f"--ask={there.url()}", **ENVIRONMENT)))
    assert wrong(found) == expected
    assert cure in found[0].cure
    assert f"127.0.0.1:{there.port}" in found[0].text
    assert "x=y" not in found[0].text, "there may be a secret in it"
    [(head, body)] = there.requests
    assert head.startswith(b"POST /ask/?x=y HTTP/1.1\r\n")
    assert json.loads(body) == {"type": "ask", "about": "check"}
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, _, value in lines}
    verify((SECRET,), headers, body, int(headers["webhook-timestamp"]))


def test_a_site_that_is_away_is_told(tmp_path: Path) -> None:
    """A site that is away is told, and what becomes of messages."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    [found] = site(config(tmp_path, f"--ask={url}", **ENVIRONMENT))
    assert wrong([found]) == [("ask", "FAIL")]
    assert "refused" in found.cure
    [found] = site(config(tmp_path, f"--ask={url}", "--ask-failing=accept", **ENVIRONMENT))
    assert "accepted unasked" in found.cure


def test_a_slow_site_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that takes longer than an answer counts is told; one that hangs is not waited for."""
    monkeypatch.setattr(checking, "WITHIN", 0)
    with PlainSite(answers()) as there:
        found = list(site(config(tmp_path, f"--ask={there.url()}", **ENVIRONMENT)))
    assert wrong(found) == [("ask", "warn")]
    monkeypatch.setattr(checking, "PATIENCE", 0.1)
    with PlainSite(hangs) as there:
        found = list(site(config(tmp_path, f"--ask={there.url()}", **ENVIRONMENT)))
    assert wrong(found) == [("ask", "FAIL")]


def test_the_check_makes_no_secret(tmp_path: Path) -> None:
    """A check makes no secret; one that cannot be read is told."""
    options = ("--ask=http://127.0.0.1:1/",)
    assert wrong(site(config(tmp_path, *options))) == [("ask", "warn")]
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "webhook-secret").write_text("nonsense")
    assert wrong(site(config(tmp_path, *options))) == [("ask", "FAIL")]
