"""`livechat.web.texts`: the catalogue of texts, in the pages, the chat, and every language."""

from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.web import bundles
from livechat.web.html import folder
from livechat.web.texts import Texts, catalogues, choose
from tests.support import Port

STATIC, TEMPLATES = folder("static"), folder("templates")
CATALOGUES = catalogues(STATIC, TEMPLATES)
ENGLISH = CATALOGUES["en"].catalogue
SCRIPTS = sorted(path for path in STATIC.glob("chat/*.js") if not path.name.startswith("texts"))
#: Operators' pages are in English.
PAGES = sorted(TEMPLATES.glob("*.html"))
#: Keys that begin with what others have sent.
SENT = ("banned.", "muted.")
#: The beginning of a key that is put together: `naming.${code}`, "page.error." ~ status.
_BEGINNING = re.compile(r"[`\"]([a-z]+(?:\.[a-z]+)*\.)(?:\$\{|\" ~)")
#: Names of keys, of headers, and of the software, which are the same in all languages.
NAMES = {"End", "Enter", "Escape", "Files", "Home", "Operator", "Tab"}
#: Bytes of a language, and of the catalogue's code, compressed.
LARGEST = 4_608
_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.DOTALL)
#: A regular expression, which may have quotes.
_REGEX = re.compile(r"(?<=[(=,:\[ ])/(?![/* ])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`')
_TAG = re.compile(r"<[^<>]*>")
#: Code is the same in all languages.
_CODE = re.compile(r"<(pre|code)\b.*?</\1>", re.DOTALL)
#: Attributes of an element that people read.
_READ = re.compile(r'\s(?:aria-label|placeholder|title|alt|label)="([^"{]*[A-Za-z][^"{]*)"')


def forms(text: object) -> list[str]:
    """Render a text's forms by number."""
    return list(text.values()) if isinstance(text, dict) else [str(text)]


def gaps(text: object) -> set[str]:
    """Find the places for values in a text."""
    return {name for form in forms(text) for name in re.findall(r"\{(\w+)\}", form)}


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_every_text_in_every_language(language: str) -> None:
    """A language has all texts and no other, none of them empty, each with its values."""
    catalogue = CATALOGUES[language].catalogue
    assert list(catalogue) == list(ENGLISH)
    assert catalogue["direction"] in ("ltr", "rtl")
    for key, text in catalogue.items():
        assert all(form.strip() for form in forms(text)), key
        assert gaps(text) == gaps(ENGLISH[key]), key
        assert isinstance(text, dict) == isinstance(ENGLISH[key], dict), key
        if isinstance(text, dict):
            assert set(text) <= {"zero", "one", "two", "few", "many", "other"}, key
            assert "other" in text, key
        # The server has no plurals.
        if key.startswith(("page.", "span.")):
            assert isinstance(text, str), key


def test_german_is_not_english() -> None:
    """Few texts are the same in both languages, and short ones."""
    german = CATALOGUES["de"].catalogue
    same = [key for key, text in german.items() if text == ENGLISH[key] and " " in str(text)]
    assert len(same) <= 6, same


def test_the_browser_knows_each_language() -> None:
    """The chat's list of languages has the files that are there."""
    listed = re.findall(
        r'^ {2}"?([\w-]+)"?: \[\(\) => import\("\./texts-\1\.js"\), '
        r'\(\) => import\("\./texts-\1-more\.js"\)\],$',
        (STATIC / "chat" / "texts.js").read_text(),
        re.MULTILINE,
    )
    assert sorted(listed) == sorted(CATALOGUES)


def test_each_language_has_all_files() -> None:
    """The chat's texts, early and late, and the pages', which no browser loads; none is heavy."""
    modules = {path.stem for path in STATIC.glob("chat/texts-*.js")}
    assert modules == {
        f"texts-{language}{part}" for language in CATALOGUES for part in ("", "-more")
    }
    for path in STATIC.glob("chat/texts*.js"):
        text = path.read_text()
        assert '"page.' not in text
        assert len(gzip.compress(text.encode(), mtime=0)) <= LARGEST, path


def test_no_text_is_missing_or_idle() -> None:
    """The catalogue has all texts of code and pages, and no others."""
    scripts = [*SCRIPTS, STATIC / "chat" / "texts.js"]
    code = "\n".join(_COMMENT.sub("", path.read_text()) for path in scripts)
    pages = "\n".join(path.read_text() for path in PAGES)
    said = set(re.findall(r'\bt(?:\.nodes)?\("([\w.-]+)"', code + pages))
    said |= set(re.findall(r'data-t(?:-[a-z-]+)?="([^"]+)"', code))
    assert said - set(ENGLISH) == set()
    server = "\n".join(path.read_text() for path in Path("livechat/web").glob("*.py"))
    quoted = set(re.findall(r'"([a-z][\w.-]*)"', code + pages + server))
    made = (*SENT, *_BEGINNING.findall(code + pages))
    idle = {key for key in ENGLISH if key not in quoted and not key.startswith(made)}
    assert idle == set()


def test_texts_of_what_comes_first() -> None:
    """Modules of the first request use only the texts that come with them."""
    sources = {path.name: path.read_text() for path in STATIC.glob("c*/*.js")}
    sources |= dict.fromkeys(("chat-css.js", "chat-rest-css.js", "chat-launcher-css.js"), "")
    first = [
        name
        for name in bundles.modules_of(sources, ["embed.js", "chat-launcher.js"])
        if name.startswith(("chat", "embed"))
    ]
    code = "\n".join(_COMMENT.sub("", sources[name]) for name in first)
    said = {key for key in re.findall(r"""["`]([a-z][\w.-]*)["`]""", code) if key in ENGLISH}
    begun = tuple(_BEGINNING.findall(code))
    said |= {key for key in ENGLISH if key.startswith(begun)}
    module = sources["texts-en.js"]
    there = set(json.loads(module[module.index("default {") + 8 : module.rindex("}") + 1]))
    # Names of quotes, whose texts are used once the quotes are filled.
    assert there == (said | {"direction"}) - {"quote.reply", "quote.pinned"}


def sentences(source: str) -> Iterator[str]:
    """Find a script's strings that look like text for people."""
    for found in _STRING.findall(_REGEX.sub("0", _COMMENT.sub("", source))):
        text = found[1:-1]
        if re.search(r"<[a-z]", text):
            yield from (
                each for each in _TAG.split(re.sub(r"\$\{[^}]*\}", "", text)) if each.strip()
            )
            yield from _READ.findall(text)
        elif re.match(r"[A-Z][a-zäöü]+(?:[ .,:…!?]|$)", text) or re.match(r" [a-z]+ ", text):
            yield text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_text_is_left_in_scripts(path: Path) -> None:
    """Scripts have no text of their own; errors for developers do not count."""
    source = re.sub(r"(?:Error|console\.\w+)\([^;]*;", "", path.read_text())
    left = [
        each for each in sentences(source) if each not in NAMES and not each.startswith("Arrow")
    ]
    letters = [each for each in left if re.search(r"[^\W\d_]{2}", each)]
    assert letters == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_text_is_left_in_pages(path: Path) -> None:
    """Pages have no text of their own but the software's name."""
    source = _CODE.sub("", path.read_text())
    page = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    assert _READ.findall(page) == []
    assert set(re.findall(r"[^\W\d_]{2,}", _TAG.sub(" ", html.unescape(page)))) <= {"livechat"}
    said = re.findall(r'"([^"]*)"', "".join(re.findall(r"\{[{%].*?[}%]\}", path.read_text())))
    assert [each for each in said if re.search(r"[A-Za-z] [a-z]", each)] == []


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT-1996,en;q=0.5", "de"),
        ("DE-de", "de"),
        ("fr,de;q=0.5,en;q=0.1", "de"),
        ("en;q=0.2, de;q=0.8", "de"),
        ("de;q=0, en", "en"),
        ("fr, *", "en"),
        ("*", "en"),
        ("deutsch", "en"),
        ("-de", "en"),
        (",;q=,--,de--,;;", "de"),
        ("../../de", "en"),
        ("x-" * 4_000 + "de", "en"),
    ],
)
def test_the_first_known_language_is_chosen(accepted: str, language: str) -> None:
    """The browser's first known language is chosen, or a default for any other header."""
    assert choose(accepted, STATIC, TEMPLATES).language == language


def test_numbers_are_written_as_the_language_has_them() -> None:
    """The server writes numbers and short times as the language has them."""
    german, english = CATALOGUES["de"], CATALOGUES["en"]
    assert english("page.listed.all", count=12_345) == "All 12,345 rooms"
    assert german("page.listed.all", count=12_345) == "Alle 12.345 Räume"
    assert [english.span(each) for each in (1, 99, 100, 7_200)] == ["1 s", "99 s", "2 min", "2 h"]


def test_values_are_no_texts() -> None:
    """Braces in a value are no placeholder."""
    assert Texts("x", {"a": "{name}, hi"})("a", name="{count}") == "{count}, hi"


@pytest.mark.parametrize(
    "path", ["/", "/developers/", "/rooms/", "/rooms/x/", "/rooms/%00/", "/nowhere"]
)
def test_a_german_browser_gets_german_pages(port: Port, path: str) -> None:
    """A German browser gets German pages, with English parts marked as such."""
    answer = port.ask("GET", path, Accept="text/html", Accept_Language="de-DE,de;q=0.9,en;q=0.8")
    page = answer.body.decode()
    assert '<html lang="de" dir="ltr">' in page
    german = {html.escape(text) for text in map(str, CATALOGUES["de"].catalogue.values())}
    assert any(f">{text}<" in page for text in german)
    rest = re.sub(r'<(\w+)[^>]* lang="en".*?</\1>', "", page, flags=re.DOTALL)
    texts = [str(text) for text in ENGLISH.values() if " " in str(text)]
    assert [text for text in texts if f">{html.escape(text)}<" in rest] == []
    assert '<html lang="en" dir="ltr">' in port.ask("GET", path, Accept="text/html").body.decode()


def test_styles_follow_the_direction() -> None:
    """Styles say start and end: left and right would be wrong in half of all directions."""
    physical = re.compile(
        r"^\s*(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)[\w-]*"
        r"|left|right|border-(?:top|bottom)-(?:left|right)-radius"
        r"|(?:text-align|float|clear): (?:left|right)"
        r"|inset:(?: [^ ;]+){4};"
        r"|border-radius:(?: [^ ;()]+(?:\([^)]*\))?){3,};).*$",
        re.MULTILINE,
    )
    for path in STATIC.glob("chat/*.css"):
        style = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        # The launcher's panel opens towards the middle of the window, wherever that is.
        style = re.sub(r"[^{}]*\[data-side[^{}]*\{[^}]*\}", "", style)
        assert physical.findall(style) == [], path
