"""`livechat.web.admin.notices`: only the server can write a page's notice."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from livechat.http.response import Response
from livechat.web.admin.notices import LONGEST_NOTICE, Notice, notice_of, see_notice
from tests.support import Browser
from tests.web.admin.moderating import notices


def query(answer: Response) -> dict[str, str]:
    location = dict(answer.headers)["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


@pytest.mark.parametrize("failed", [True, False])
@pytest.mark.parametrize("text", ["<b>done", "\u202e🙂 & more", "x" * LONGEST_NOTICE])
def test_a_notice_is_read_back(text: str, failed: bool) -> None:
    found = query(see_notice("/admin/?page=2", text, "a token", failed=failed))
    assert found["page"] == "2"
    assert notice_of(found, "a token") == Notice(text, failed)


def test_a_forged_notice_is_not_shown() -> None:
    """A link with another text, another meaning or of another session shows no notice."""
    found = query(see_notice("/admin/", "done", "a token"))
    assert notice_of(found, "another token") is None
    assert notice_of({**found, "done": "evil"}, "a token") is None
    assert notice_of({"failed": found["done"], "mark": found["mark"]}, "a token") is None
    assert notice_of({**found, "mark": "\udcff"}, "a token") is None
    assert notice_of({}, "a token") is None


def test_a_long_notice_is_cut() -> None:
    found = query(see_notice("/admin/", "x" * 1_000, "a token"))
    assert notice_of(found, "a token") == Notice("x" * LONGEST_NOTICE)


def test_a_link_from_elsewhere(browser: Browser) -> None:
    text = browser.get("/admin/?done=Your+session+has+ended&mark=x").body.decode()
    assert notices(text) == []
    assert "session" not in text
