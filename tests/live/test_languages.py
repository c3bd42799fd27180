"""The pages and the chat in other languages than English, one of them from right to left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Route, expect

from livechat.web.html import folder
from livechat.web.texts import catalogues
from tests.live.daemon import Daemon
from tests.live.speaker import Speaker
from tests.live.visitor import Visitor

CATALOGUES: Final = catalogues(folder("static"), folder("templates"))
ENGLISH, GERMAN = (CATALOGUES[each].catalogue for each in ("en", "de"))
#: All that a page and its chat show, or say to a screen reader.
READ: Final = """() => {
    const roots = [document, ...[...document.querySelectorAll("*")].map(each => each.shadowRoot)];
    const all = roots.filter(Boolean).flatMap(root => [...root.querySelectorAll("*")]);
    const own = each => [...each.childNodes].map(node => node.nodeType === 3 ? node.data : "");
    return all
        .filter(each => !each.matches("script, style, noscript") && !each.closest("[lang=en]"))
        .flatMap(each => [...own(each), each.title, each.ariaLabel, each.placeholder])
        .filter(text => text && text.trim());
}"""
#: Elements that are drawn over each other, or out of the chat; and texts that are cut off.
CLASHES: Final = """() => {
    const root = document.querySelector("[data-livechat]").shadowRoot;
    const frame = root.querySelector(".frame").getBoundingClientRect();
    const box = each => each.getBoundingClientRect();
    const isSeen = each => each.checkVisibility({ visibilityProperty: true })
        && box(each).width > 1 && getComputedStyle(each).position === "static";
    const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    const found = [];
    const rows = "header, .message, .when, .composer, .aim, .marker, .roster, .roster li";
    for (const parent of root.querySelectorAll(rows)) {
        const children = [...parent.children].filter(isSeen);
        for (const one of children) {
            const [a, text] = [box(one), one.outerHTML.slice(0, 80)];
            const cut = one.matches("button, label") && one.scrollWidth > one.clientWidth + 1;
            if (cut) found.push(`cut: ${text}`);
            const isIn = a.left > frame.left - 1 && a.right < frame.right + 1;
            if (!isIn) found.push(`outside: ${text}`);
            for (const other of children) {
                if (other === one) break;
                if (over(a, box(other))) found.push(`${text} over ${other.outerHTML.slice(0, 80)}`);
            }
        }
    }
    // What is too long loses its end, and not its beginning, whatever direction it has.
    for (const each of root.querySelectorAll("*")) {
        if (getComputedStyle(each).textOverflow !== "ellipsis" || !isSeen(each)) continue;
        for (const part of [each, ...each.querySelectorAll("bdi, .words")]) {
            const texts = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
            const first = texts.nextNode();
            if (!first) continue;
            const range = document.createRange();
            range.setStart(first, 0);
            range.setEnd(first, 1);
            const [a, b] = [range.getBoundingClientRect(), box(each)];
            if (part !== each && part.closest(".unseen")) continue;
            const isIn = a.left > b.left - 1 && a.right < b.right + 1;
            if (!isIn) found.push(`no beginning: ${part.outerHTML.slice(0, 120)}`);
        }
    }
    return found;
}"""
_ALEPH: Final = 0x05D0


def mirrored(text: Any) -> Any:
    """A text of the pseudo-locale: in Hebrew letters, a third longer, with its values."""
    if isinstance(text, dict):
        return {form: mirrored(each) for form, each in text.items()}
    parts = re.split(r"(\{\w+\})", text)
    letters = [
        each if index % 2 else re.sub("[A-Za-z]", lambda one: chr(_ALEPH + ord(one[0]) % 22), each)
        for index, each in enumerate(parts)
    ]
    return "".join(letters) + " " + letters[0][: len(text) // 3].strip()


PSEUDO: Final = {key: mirrored(text) for key, text in ENGLISH.items()} | {"direction": "rtl"}


def from_right_to_left(visitor: Visitor) -> None:
    """Have the pseudo-locale in place of German."""

    def swap(route: Route) -> None:
        answer = route.fetch()
        texts = json.dumps(PSEUDO)
        body = re.sub(
            r"(?<=\$default = )\{.*?\n\}", lambda _: texts, answer.text(), flags=re.DOTALL
        )
        route.fulfill(
            response=answer, body=body.replace('lang="de" dir="ltr"', 'lang="de" dir="rtl"')
        )

    visitor.page.route(re.compile(r"/static/texts-de(-more)?\.|/(rooms/.*)?$"), swap)


def said(texts: list[str]) -> set[str]:
    """English texts of some words among these."""
    known = {text for text in ENGLISH.values() if isinstance(text, str) and " " in text}
    return known & set(texts) - set(map(str, GERMAN.values()))


def test_a_german_visitor(visitor: Callable[..., Visitor], speaker: Callable[..., Speaker]) -> None:
    """A German browser has it in German: the front page, the room, menus, times, numbers."""
    ann = visitor(cabled=True, locale="de-DE", timezone_id="UTC")
    ann.tab.open("/rooms/muenchner-treff/")
    ann.page.get_by_label("Ihr Name").fill("\u034f")
    ann.page.get_by_role("button", name="Eintreten").click()
    expect(ann.page.get_by_role("alert")).to_contain_text("Das kann kein Name sein.")
    loaded: list[str] = []
    ann.page.on("request", lambda request: loaded.append(request.url))
    ann.tab.open("/")
    assert said(ann.page.evaluate(READ)) == set()
    ann.page.get_by_label("Ihr Name").fill("Änn")
    ann.page.get_by_label("Raum").fill("Münchner Treff")
    ann.page.get_by_role("button", name="Eintreten").click()
    ann.page.wait_for_url("**/rooms/muenchner-treff/**")
    ann.composer = ann.page.get_by_label("Nachricht", exact=True)
    expect(ann.composer).to_be_focused()
    ann.is_in()
    speaker("muenchner-treff", "Bo").says("hello")
    ann.hears("hello")
    ann.says("guten Tag")
    early = ann.page.locator("link[rel=modulepreload]").get_attribute("href")
    first, later = (url for url in loaded if "/texts" in url)
    assert first == f"{ann.tab.url}{early}"
    assert "/static/texts-de-more." in later
    expect(ann.page.locator("button.count")).to_have_text("2 Personen")
    expect(ann.line("guten Tag").locator("time")).to_have_text(re.compile(r"^\d\d:\d\d$"))
    expect(ann.page.locator(".day")).to_have_text(re.compile("Heute|Gestern"))
    for text, choices in (
        ("guten Tag", ["Antworten", "Bearbeiten", "Zurücknehmen"]),
        ("hello", ["Antworten", "Melden…", "Diese Person ignorieren"]),
    ):
        ann.line(text).hover()
        ann.line(text).get_by_role("button", name="Aktionen zur Nachricht").click()
        expect(ann.page.get_by_role("menuitem")).to_have_text(choices)
        assert said(ann.page.evaluate(READ)) == set()
        ann.page.keyboard.press("Escape")
    ann.tab.goes_offline()
    expect(ann.banner).to_contain_text("Verbindung wird wieder aufgebaut")
    ann.says("später")
    expect(ann.page.locator(".waiting")).to_contain_text("Wartet auf die Verbindung")
    assert said(ann.page.evaluate(READ)) == set()


def test_the_language_of_the_page(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """The element's language counts, then that of the page around, then the browser's."""
    ann = visitor(locale="de-AT")
    url = f"{daemon.url}/their-page"
    page = """<!doctype html><html lang=fr><title>x</title>
        <div id=said data-livechat=one data-lang=en-GB></div>
        <section lang=en><div id=around data-livechat=two></div></section>
        <div id=browser data-livechat=three></div>
        <div id=wrong lang="x y" data-livechat=four data-lang="__proto__"></div>
        <script type=module src=/static/embed.js></script>"""
    ann.page.route(url, lambda route: route.fulfill(body=page, content_type="text/html"))
    ann.page.goto(url)
    for place, language, label in (
        ("said", "en-GB", "Your name"),
        ("around", "en", "Your name"),
        ("browser", "de-AT", "Ihr Name"),
        ("wrong", "de-AT", "Ihr Name"),
    ):
        expect(ann.page.locator(f"#{place} .frame")).to_have_attribute("lang", language)
        expect(ann.page.locator(f"#{place}").get_by_label(label)).to_be_visible()


def test_texts_of_the_site(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A site's own texts stand for the catalogue's, as text."""
    ann = visitor()
    url = f"{daemon.url}/their-page"
    page = "<!doctype html><html lang=en><title>x</title><div id=place></div>"
    ann.page.route(url, lambda route: route.fulfill(body=page, content_type="text/html"))
    ann.page.goto(url)
    ann.page.evaluate(
        """async () => {
            const { mount } = await import("/static/chat.js");
            await mount(place, { room: "own", texts: { "join.enter": "<b>Go</b> {x}" } });
        }"""
    )
    expect(ann.page.get_by_role("button", name="<b>Go</b> ", exact=True)).to_be_visible()
    expect(ann.page.get_by_label("Your name")).to_be_visible()


@pytest.mark.parametrize("width", [320, pytest.param(1280, marks=pytest.mark.soak)])
def test_from_right_to_left(visitor: Callable[..., Visitor], daemon: Daemon, width: int) -> None:
    """A mirrored page has no overlaps, and nothing cut off or too wide."""
    ann = visitor(locale="de", viewport={"width": width, "height": 700})
    from_right_to_left(ann)
    ann.tab.open("/")
    assert ann.tab.findings() == []
    long = quote("Maximiliane-Alexandra von Hohenstaufen")
    with daemon.socket(f"rtl{width}/?name={long}") as bo:
        for text in ("hello", "word " * 60, "שלום " * 40, "x" * 300):
            bo.send(json.dumps({"message": text}))
        ann.tab.open(f"/rooms/rtl{width}/")
        expect(ann.page.locator(".frame")).to_have_attribute("dir", "rtl")
        ann.page.locator("#name").fill("Ann")
        ann.page.locator("form button").first.click()
        ann.composer = ann.page.locator("textarea")
        ann.is_in()
        ann.says("mine", "another " * 40)
        ann.hears_by_now("mine")
        own = ann.line("mine").locator("p").bounding_box()
        theirs = ann.line("hello").locator("p").bounding_box()
        send = ann.page.locator(".send").bounding_box()
        typed = ann.composer.bounding_box()
        assert own
        assert theirs
        assert send
        assert typed
        assert own["x"] < theirs["x"], "one's own are on the other side"
        assert send["x"] < typed["x"], "the button is behind the text"
        line = ann.line("hello")
        line.hover()
        line.locator(".actions").click()
        # The menu has its place when the button says that it is open.
        expect(line.locator(".actions")).to_have_attribute("aria-expanded", "true")
        menu = ann.page.get_by_role("menu").bounding_box()
        assert menu
        assert menu["x"] >= 0
        assert menu["x"] + menu["width"] <= width
        ann.page.get_by_role("menuitem").first.click()
        ann.says("an answer")
        expect(ann.line("an answer").locator(".quote")).to_contain_text("hello")
        assert ann.page.evaluate(CLASHES) == []
        assert ann.tab.findings() == []
