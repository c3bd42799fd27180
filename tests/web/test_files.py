"""`livechat.web.files`."""

from __future__ import annotations

import re
from pathlib import Path

from livechat.web import files
from livechat.web.html import folder


def test_links_and_directories_s10(tmp_path: Path) -> None:
    """Only a directory's own files are served: no folders, and no links out of it."""
    (tmp_path / "secret").write_text("secret")
    static = tmp_path / "static" / "chat"
    (static / "more").mkdir(parents=True)
    (static / "a.css").write_text("a")
    (static / "b.css").symlink_to("a.css")
    (static / "c.css").symlink_to(tmp_path / "secret")
    (static / "d.css").symlink_to("nothing")
    read = files.read(static.parent)
    assert sorted(read.newest) == ["a.css", "b.css"]
    assert sorted(read.named) == sorted([*read.newest, *read.newest.values()])


def test_no_file_name_twice() -> None:
    """Addresses of files are flat, so a name is in one folder only; none is beside the folders."""
    static = folder("static")
    names = [path.name for path in static.rglob("*") if path.is_file()]
    made = ["chat-css.js", "chat-rest-css.js", "chat-launcher-css.js"]
    assert sorted([*names, *made]) == sorted(files.read(static).newest)


def test_new_contents_new_address(tmp_path: Path) -> None:
    """The address of a bundle changes with each module in it, and with nothing else."""

    def address(version: str, line: str) -> str:
        static = tmp_path / version / "chat"
        static.mkdir(parents=True)
        (static / "front.js").write_text('import { a } from "./a.js";\nconsole.log(a);\n')
        (static / "a.js").write_text(line)
        return files.read(static.parent).newest["front.js"]

    first = address("1", "export const a = 1;\n")
    assert address("2", "export const a = 1;\n") == first
    assert address("3", "export const a = 2;\n") != first


def test_what_comes_first_is_one_request() -> None:
    """A room's page has one script and one style sheet for reading and writing."""
    read = files.read(folder("static"))
    first = read.named[read.newest["embed.js"]].plain.body.decode()
    assert "\nimport " not in first
    library = {path.name for path in folder("static").glob("client/*.js")} - {"livechat-events.js"}
    for name in [*library, "chat-view.js"]:
        assert f'"{name}": ($url) =>' in first
    assert ".composer" in first
    assert "texts-en.js" in first


def test_what_comes_later_is_by_itself() -> None:
    """Each chunk has an address with a digest, and leaves out modules that are loaded before."""
    read = files.read(folder("static"))

    def modules(name: str) -> list[str]:
        body = read.named[read.newest[name]].plain.body.decode()
        return re.findall(r'^"([\w.-]+)": \(\$url\) =>', body, re.MULTILINE)

    first = modules("embed.js")
    rest = modules("chat-rest.js")
    moderation = modules("chat-moderation.js")
    assert {"chat-menu.js", "chat-bell.js", "chat-rest-css.js", "texts-en-more.js"} <= set(rest)
    assert {"chat-cases.js", "chat-said.js"} <= set(moderation)
    launcher, events = modules("chat-launcher.js"), modules("livechat-events.js")
    assert "chat-launcher.js" in launcher
    assert events == ["livechat-events.js"]
    everything = [*first, *rest, *moderation, *launcher, *events]
    assert len(everything) == len(set(everything))
    for name in ("chat-rest.js", "texts-de.js", "texts-de-more.js", "chat-launcher.js"):
        assert read.newest[name] in read.named[read.newest["embed.js"]].plain.body.decode()
    chunk = read.named[read.newest["chat-rest.js"]]
    stamp = read.newest["chat-rest.js"].split(".")[1]
    assert chunk.plain.body.endswith(f'export const $stamp = "{stamp}";\n'.encode())
    assert read.newest["chat-moderation.js"] in chunk.plain.body.decode()
    assert "immutable" in chunk.caching[1]


def test_style_sheets_are_small() -> None:
    """Only comments and idle space are left out of style sheets in scripts."""
    text = files.small(
        "/* No. */\n:host {\n  --a: light-dark(#fff, #000);\n}\n\n"
        '@media (min-width: 1px) {\n  a > b:is(c, d) e::before {\n    content: "";\n'
        "    width: calc(100% - 2rem);\n    inset: 0 1px;\n  }\n}\n"
    )
    assert text == (
        ":host{--a:light-dark(#fff,#000)}@media (min-width: 1px){a>b:is(c,d) e::before"
        '{content:"";width:calc(100% - 2rem);inset:0 1px}}'
    )
