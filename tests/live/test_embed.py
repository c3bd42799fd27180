"""The chat in a page whose author hides, sizes and moves it, or has forgotten the origin."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.live.browser import STILL, Profiles, Tab
from tests.live.daemon import Daemon
from tests.live.visitor import Visitor, site

HIDDEN = {
    "attribute": ("hidden", ""),
    "style": ("", "[data-livechat] { display: none }"),
    "important style": ("", "[data-livechat] { display: none !important }"),
    "style of the element": ('style="display: none"', ""),
    "parent": ("", ".around { display: none }"),
    "visibility": ("", "[data-livechat] { visibility: hidden }"),
}


@pytest.fixture(scope="module")
def guest(browser: Profiles, daemon: Daemon) -> Iterator[Visitor]:
    """A visitor who goes from page to page: nothing of a page is left on the next one."""
    made = Visitor(Tab(browser, daemon, **STILL))
    yield made
    made.tab.close()
    assert made.tab.complaints == []


def embed(ann: Visitor, attributes: str = "", style: str = "") -> Locator:
    """The chat's element in a page of its own."""
    url = f"{ann.tab.daemon.url}/their-page"
    page = f"""<!doctype html><html lang=en><title>x</title><style>{style}</style>
        <main class=around><div id=chat data-livechat=embed data-name=Ann {attributes}></div>
        <p id=below>below</p></main>
        <script type=module src=/static/embed.js></script>"""
    ann.page.route(url, lambda route: route.fulfill(body=page, content_type="text/html"))
    ann.page.goto(url)
    expect(ann.page.locator(".composer")).to_be_attached()
    return ann.page.locator("#chat")


@pytest.mark.parametrize("how", HIDDEN)
def test_hidden(guest: Visitor, how: str) -> None:
    """A page hides the chat in whatever way it likes, and shows it again."""
    attributes, style = HIDDEN[how]
    ann = guest
    chat = embed(ann, attributes, style)
    expect(chat).to_be_hidden()
    expect(ann.composer).to_be_hidden()
    ann.page.evaluate(
        "() => { chat.hidden = false; chat.removeAttribute('style');"
        "document.querySelector('style').remove(); }"
    )
    expect(ann.composer).to_be_visible()
    ann.says(how)
    ann.hears_by_now(how)
    chat.evaluate("each => (each.hidden = true)")
    expect(ann.composer).to_be_hidden()


def test_before_it_is_the_chat(visitor: Callable[..., Visitor]) -> None:
    """An element that is hidden is so at every moment, while its script loads too."""
    ann = visitor()
    ann.page.add_init_script(
        "window.seen = 0; (function look() { const it = document.querySelector('#chat');"
        "if (it?.getClientRects().length) seen++; requestAnimationFrame(look); })()"
    )
    embed(ann, "hidden")
    expect(ann.page.locator(".roster li")).not_to_have_count(0)
    assert ann.page.evaluate("seen") == 0


@pytest.mark.parametrize(
    ("style", "box"),
    [
        ("width: 250px; height: 180px", {"x": 8, "y": 8, "width": 250, "height": 180}),
        pytest.param(
            "height: auto; max-height: 200px; width: 300px", {"width": 300}, marks=pytest.mark.soak
        ),
        ("position: fixed; inset: auto 20px 10px auto; width: 340px; height: 400px",
         {"x": 920, "y": 450, "width": 340, "height": 400}),
        pytest.param(
            "display: inline-block; width: 300px; margin-left: 100px", {"x": 108, "width": 300},
            marks=pytest.mark.soak,
        ),
    ],
)  # fmt: skip
def test_sized_and_moved(guest: Visitor, style: str, box: dict[str, int]) -> None:
    """The chat has the size and the place that the page gives it, and covers nothing else."""
    ann = guest
    chat = embed(ann, style=f"[data-livechat] {{ {style} }}")
    found = chat.bounding_box()
    assert found
    assert {**found, **box} == found
    frame = ann.page.locator(".frame").bounding_box()
    assert frame
    assert frame["height"] <= found["height"]
    assert frame["width"] <= found["width"]
    ann.composer.scroll_into_view_if_needed()
    ann.says(style)
    ann.hears_by_now(style)


def test_its_usual_size(guest: Visitor) -> None:
    """A page that says nothing gets a chat of a usable size."""
    box = embed(guest).bounding_box()
    assert box
    assert (box["width"], box["height"]) == (1264, 576)


def test_origin_that_was_forgotten(
    visitor: Callable[..., Visitor], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """The page, the console and the log say that the server allows no pages of this site."""
    daemon = start()
    page = f"""<div data-livechat=r></div>
        <script type=module src={daemon.url}/static/embed.js></script>"""
    file = tmp_path / "page.html"
    file.write_text(page)
    with site(page) as url:
        tried = [visitor(daemon), visitor(daemon)]
        addresses = ((url, url), (file.as_uri(), "null"))
        for eve, (address, origin) in zip(tried, addresses, strict=True):
            eve.page.goto(address)
            eve.page.get_by_label("Your name").fill("Eve")
            eve.page.get_by_role("button", name="Join").click()
            expect(eve.banner).to_contain_text("This page may not use the chat")
            # Once, however often it is tried.
            with eve.page.expect_response("**/chat/origin/"):
                eve.banner.get_by_role("button").click()
            expect(eve.banner).to_contain_text("This page may not use the chat")
            assert eve.roster() == []
            said = [each for each in eve.tab.complaints if "CORS" not in each]
            assert len(said) == 1, said
            assert f"start it with --origin {origin}" in said[0]
        assert len(re.findall("Pages of .* are refused", daemon.log.text)) == 2
        assert f"To allow them: --origin {url}." in daemon.log.text
        daemon.stop()
        start(f"--port={daemon.port}", f"--origin={url}")
        # A retry finds the fault gone.
        tried[0].banner.get_by_role("button").click()
        tried[0].is_in()
        for eve in tried:
            eve.tab.complaints.clear()
