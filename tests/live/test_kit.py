"""The npm package `clients/js`: what it holds, its types, its size, and that apps work with it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, Route, expect

from livechat import __version__
from livechat.web import bundles, files
from tests.live.browser import Tab, until
from tests.live.daemon import ROOT, tool
from tests.support.archives import unpack

CLIENTS: Final = ROOT / "tests" / "clients"
MODULES: Final = CLIENTS / "node_modules"
APP: Final = CLIENTS / "kit"
#: The most that the library, and what a visitor loads first of the whole chat, may be.
LARGEST: Final = ["9 kB", "25 kB"]


def run(name: str, *arguments: str, cwd: Path, **environment: str) -> str:
    """Run a tool from npm, and return its output; a missing tool, or a finding, is an error."""
    return tool(str(MODULES / ".bin" / name), *arguments, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `npm pack` makes it."""
    target = tmp_path_factory.mktemp("packed")
    tool("npm", "pack", "--silent", "--pack-destination", str(target), cwd=ROOT / "clients" / "js")
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def app(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app that has the package, and React."""
    directory = tmp_path_factory.mktemp("app")
    modules = directory / "node_modules"
    modules.mkdir()
    for each in MODULES.iterdir():
        (modules / each.name).symlink_to(each)
    with tarfile.open(tarball) as archive:
        unpack(archive, modules)
    (modules / "package").rename(modules / "livechat-client")
    for each in APP.iterdir():
        (directory / each.name).write_text(each.read_text())
    return directory


def test_the_same_source(app: Path) -> None:
    """The package has the modules that the server serves, as real files."""
    packed = app / "node_modules" / "livechat-client"
    names = {str(path.relative_to(packed)) for path in packed.rglob("*") if path.is_file()}
    assert not any(path.is_symlink() for path in packed.rglob("*"))
    for folder in ("client", "chat"):
        for path in (ROOT / "static" / folder).iterdir():
            if path.suffix in {".js", ".ts"} and not path.name.endswith("-css.js"):
                assert (packed / "dist" / path.name).read_bytes() == path.read_bytes()
    assert {"package.json", "README.md", "LICENSE", "dist/react.js"} <= names
    assert json.loads((packed / "package.json").read_text())["version"] == __version__
    # The style sheets are in modules that the server makes, too.
    served = files.read(ROOT / "static").named
    for name in ("chat-css.js", "chat-rest-css.js", "chat-launcher-css.js"):
        both = (served[name].plain.body.decode(), (packed / "dist" / name).read_text())
        made, packed_too = (json.loads(each.partition(" = ")[2].strip("; \n")) for each in both)
        assert packed_too == made


def test_hook_is_small() -> None:
    """The hook can be read at a glance."""
    lines = (ROOT / "clients" / "js" / "src" / "react.js").read_text().splitlines()
    assert len(lines) <= 100


def test_publint(app: Path) -> None:
    """The package's package.json has all that bundlers and Node.js need."""
    packed = app / "node_modules" / "livechat-client"
    run("publint", "run", "--strict", str(packed), cwd=app)


def test_are_the_types_wrong(tarball: Path) -> None:
    """TypeScript finds the types of each export, however it resolves modules."""
    run("attw", str(tarball), "--profile", "esm-only", "--no-emoji", cwd=tarball.parent)


def test_types_of_a_consumer(app: Path) -> None:
    """Strict TypeScript takes an app that uses it, by its name and by an address."""
    hook = "node_modules/livechat-client/dist/react.js"
    types = "node_modules/livechat-client/dist/livechat.d.ts"
    options = {
        # The library's declarations are checked by test_library.py.
        "strict": True, "noEmit": True, "allowJs": True, "checkJs": True, "skipLibCheck": True,
        "jsx": "react-jsx",
        "target": "es2022", "lib": ["es2023", "dom", "dom.iterable"], "types": [],
        "module": "esnext", "moduleResolution": "bundler",
        "paths": {"https://chat.example.org/static/livechat.js": [f"./{types}"]},
    }  # fmt: skip
    config = app / "tsconfig.json"
    config.write_text(json.dumps({"compilerOptions": options, "files": ["consumer.tsx", hook]}))
    run("tsc", "-p", str(config), cwd=app)


def test_sizes_of_the_package(app: Path) -> None:
    """The library is small, and so is what a visitor loads first; the rest does not grow unseen."""
    packed = app / "node_modules" / "livechat-client"
    checks = json.loads((packed / "package.json").read_text())["size-limit"]
    assert [check["limit"] for check in checks][::2] == LARGEST
    # All that is imported later is named: what is not would be counted at once.
    sources = {path.name: path.read_text() for path in (packed / "dist").glob("*.js")}
    there = bundles.modules_of(sources, ["embed.js", "texts-en.js"])
    later = [*bundles.later(sources, there), *bundles.plan(sources, there)]
    assert set(checks[2]["ignore"]) == {f"./{name}" for name in later}
    run("size-limit", "--json", cwd=packed)


def test_rendered_on_a_server(app: Path) -> None:
    """Without a browser and without `require` all of it is imported, and a room is rendered."""
    said = tool("node", "ssr.mjs", cwd=app)
    assert said.strip() == "<p>connecting</p> function,function,function"


@pytest.fixture(scope="module")
def built(app: Path) -> Path:
    """The app, built by Vite with the React that checks its users."""
    run(
        "vite", "build", "--mode", "development", "--base", "./", "--logLevel", "error",
        cwd=app, NODE_ENV="development",
    )  # fmt: skip
    return app / "dist"


def opened(tab: Tab, built: Path, room: str, query: str = "") -> tuple[Page, list[str]]:
    """The app in a browser, and the addresses of its WebSockets."""
    sockets: list[str] = []
    tab.page.on("websocket", lambda socket: sockets.append(socket.url))
    # A page that a test answers is of no network.
    tab.context.grant_permissions(["local-network-access"])
    url = f"{tab.url}/app/"

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(url).removesuffix(query)
        route.fulfill(path=built / (name or "index.html"))

    tab.page.route(f"{url}**", answer)
    tab.page.goto(f"{url}{query}#{room}")
    return tab.page, sockets


def test_strict_mode(tab: Callable[..., Tab], built: Path) -> None:
    """React that mounts everything twice makes one connection, and shows everything once."""
    page, sockets = opened(tab(), built, "strict")
    expect(page.locator("section[data-state=open]")).to_have_count(1)
    page.get_by_role("button", name="Say hi").click()
    expect(page.locator("li")).to_have_text(["hi from strict"])
    page.get_by_role("button", name="Show 2").click()
    expect(page.locator("section[data-state=open]")).to_have_count(2)
    expect(page.locator("li")).to_have_text(["hi from strict"] * 2)
    expect(page.locator(".users")).to_have_text(["1", "1"])
    assert len(sockets) == 1


def test_another_view_and_back(tab: Callable[..., Tab], built: Path) -> None:
    """A message written offline is said once, though its view went and came back."""
    on = tab(cabled=True)
    page, _ = opened(on, built, "back")
    expect(page.locator("section[data-state=open]")).to_have_count(1)
    on.goes_offline()
    expect(page.locator("section[data-state=waiting]")).to_have_count(1)
    page.get_by_role("button", name="Say hi").click()
    expect(page.locator(".waiting")).to_have_text("1")
    page.get_by_role("button", name="Show 0").click()
    expect(page.locator("section")).to_have_count(0)
    page.get_by_role("button", name="Show 1").click()
    expect(page.locator(".waiting")).to_have_text("1")
    on.is_online_again()
    expect(page.locator(".waiting")).to_have_text("0")
    expect(page.locator("li")).to_have_text(["hi from back"])


#: Timers that wait, as a script in the page counts them; and what the chat tells the page.
WATCH: Final = """
    const waiting = window.waiting = new Set();
    const set = setTimeout, every = setInterval;
    window.setTimeout = (call, ...more) => {
        const id = set((...given) => (waiting.delete(id), call(...given)), ...more);
        waiting.add(id);
        return id;
    };
    window.setInterval = (...more) => {
        const id = every(...more);
        waiting.add(id);
        return id;
    };
    for (const name of ["clearTimeout", "clearInterval"]) {
        const clear = window[name];
        window[name] = (id) => (waiting.delete(id), clear(id));
    }
    window.heard = [];
    for (const type of ["join", "message", "error"])
        addEventListener(`livechat:${type}`, () => heard.push(type));
"""
#: Objects that outlive the element.
OUTSIDE: Final = ("window", "document", "visualViewport", "navigator.serviceWorker")


def listeners(page: Page) -> list[str]:
    """Types of the events that are listened to outside of the element."""
    session = page.context.new_cdp_session(page)
    found = []
    for each in OUTSIDE:
        made = session.send("Runtime.evaluate", {"expression": each})["result"]
        given = {"objectId": made["objectId"]}
        said = session.send("DOMDebugger.getEventListeners", given)["listeners"]
        found += [f"{each} {one['type']}" for one in said]
    session.detach()
    return sorted(found)


def test_strict_mode_of_the_whole_chat(tab: Callable[..., Tab], built: Path) -> None:
    """The whole chat, mounted in an effect that runs twice, is there once, then gone."""
    on = tab()
    on.page.add_init_script(WATCH)
    page, sockets = opened(on, built, "whole", "?whole")
    expect(page.get_by_role("button", name="Show 1")).to_be_visible()
    before, title = listeners(page), page.title()
    with page.expect_websocket() as opening:
        page.get_by_role("button", name="Show 1").click()
    expect(page.get_by_role("region", name="Chat in whole")).to_have_count(1)
    expect(page.locator(".people li")).to_have_count(1)
    page.get_by_label("Message", exact=True).fill("hi")
    page.keyboard.press("Enter")
    expect(page.locator(".said .message p")).to_have_text(["hi"])
    expect(page.locator(".waiting li")).to_have_count(0)
    assert page.evaluate("heard") == ["join", "message"]
    assert len(sockets) == 1
    assert listeners(page) != before
    with opening.value.expect_event("close"):
        page.get_by_role("button", name="Show 0").click()
    expect(page.locator("#app div")).to_have_count(0)
    assert listeners(page) == before
    assert page.title() == title
    until(page, "waiting.size === 0")
    # The room comes back as it was.
    page.get_by_role("button", name="Show 1").click()
    expect(page.locator(".said .message p")).to_have_text(["hi"])
    assert len(sockets) == 2
