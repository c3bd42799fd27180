"""The chat in a page whose author hides, sizes and moves it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.live.daemon import Daemon
from tests.live.visitor import Visitor

HIDDEN = {
    "attribute": ("hidden", ""),
    "style": ("", "[data-livechat] { display: none }"),
    "important style": ("", "[data-livechat] { display: none !important }"),
    "style of the element": ('style="display: none"', ""),
    "parent": ("", ".around { display: none }"),
    "visibility": ("", "[data-livechat] { visibility: hidden }"),
}


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
def test_hidden(visitor: Callable[..., Visitor], daemon: Daemon, how: str) -> None:
    """A page hides the chat in whatever way it likes, and shows it again."""
    attributes, style = HIDDEN[how]
    ann = visitor()
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


def test_before_it_is_the_chat(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """An element that is hidden is so at every moment, while its script loads too."""
    ann = visitor()
    ann.page.add_init_script(
        "window.seen = 0; (function look() { const it = document.querySelector('#chat');"
        "if (it?.getClientRects().length) seen++; requestAnimationFrame(look); })()"
    )
    embed(ann, "hidden")
    expect(ann.page.locator(".roster li")).to_have_count(1)
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
def test_sized_and_moved(
    visitor: Callable[..., Visitor], daemon: Daemon, style: str, box: dict[str, int]
) -> None:
    """The chat has the size and the place that the page gives it, and covers nothing else."""
    ann = visitor()
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


def test_its_usual_size(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A page that says nothing gets a chat of a usable size."""
    box = embed(visitor()).bounding_box()
    assert box
    assert (box["width"], box["height"]) == (1264, 576)
