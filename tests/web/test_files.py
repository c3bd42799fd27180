"""`livechat.web.files`."""

from __future__ import annotations

from pathlib import Path

from livechat.web import files
from livechat.web.html import folder


def test_s_10_links_and_directories(tmp_path: Path) -> None:
    """Of a directory its files are served: nothing else, and nothing from elsewhere."""
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
    assert sorted([*names, "chat-css.js"]) == sorted(files.read(static).newest)


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


def test_the_chat_is_one_request() -> None:
    """The page of a room has all of the chat in one script, its style sheets too."""
    read = files.read(folder("static"))
    whole = read.named[read.newest["embed.js"]].plain.body.decode()
    assert "\nimport " not in whole
    for path in [*folder("static").glob("client/*.js"), folder("static") / "chat" / "chat.js"]:
        assert f'"{path.name}": ($url) =>' in whole
    assert ".composer" in whole
