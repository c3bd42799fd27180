"""The chat in pages of another site: by attributes, by an element of its own, behind a button."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.live.browser import PHONE, until
from tests.live.daemon import CHEAP, ROOT, Daemon
from tests.live.elsewhere import Elsewhere, Guest, script
from tests.live.visitor import Visitor, say


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    site = Elsewhere()
    yield site
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, elsewhere: Elsewhere) -> Iterator[Daemon]:
    """A daemon that allows the other site."""
    options = (f"--origin={elsewhere.url}", "--rate=0", "--rate-per-ip=0")
    with Daemon(tmp_path_factory.mktemp("daemon"), *options, environment=CHEAP) as running:
        yield running


@pytest.fixture
def guest(visitor: Callable[..., Visitor], elsewhere: Elsewhere) -> Callable[..., Guest]:
    return lambda **options: Guest(visitor(**options), elsewhere)


def test_attributes(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """The chat follows its attributes, and ends when it is none any more."""
    ann = guest()
    ann.opens(f"<div id=chat data-livechat=one data-name=Ann><p>No chat.</p></div>{script(daemon)}")
    ann.is_in("one")
    chat = ann.page.locator("#chat")
    chat.evaluate("each => { each.dataset.livechat = 'two'; each.dataset.name = 'Ann Other' }")
    ann.is_in("two")
    expect(ann.page.locator(".people bdi")).to_have_text(["Ann Other"])
    assert ann.opened == 2
    # Its looks are changed in place.
    chat.evaluate("each => { each.dataset.theme = 'dark'; each.dataset.without = 'header roster' }")
    expect(ann.page.locator("header")).to_be_hidden()
    expect(ann.page.locator(".roster")).to_be_hidden()
    assert (
        chat.evaluate("each => getComputedStyle(each.shadowRoot.firstChild).colorScheme") == "dark"
    )
    chat.evaluate("each => { delete each.dataset.theme; each.dataset.without = 'composer' }")
    expect(ann.page.locator("header")).to_be_visible()
    expect(ann.visitor.composer).to_be_hidden()
    assert ann.opened == 2
    chat.evaluate("each => { delete each.dataset.without; each.dataset.lang = 'de' }")
    expect(ann.page.get_by_placeholder("Schreiben Sie etwas")).to_be_visible()
    ann.is_in("two")
    with ann.sockets[-1].expect_event("close"):
        chat.evaluate("each => each.removeAttribute('data-livechat')")
    expect(ann.page.get_by_text("No chat.")).to_be_visible()
    assert ann.sockets == []
    chat.evaluate("each => { each.dataset.lang = 'en'; each.dataset.livechat = 'three' }")
    ann.is_in("three")
    expect(ann.page.get_by_text("No chat.")).to_be_hidden()


def test_two_chats_on_a_page(
    guest: Callable[..., Guest], daemon: Daemon, elsewhere: Elsewhere
) -> None:
    """Two scripts are one; two chats ask for one name and one token, and load everything once."""
    ann = guest()
    other = script(daemon).replace("localhost", "127.0.0.1")
    ann.opens(
        f"""<div data-livechat=left data-token-url=/chat-token></div>
        <div data-livechat=right data-token-url=/chat-token></div>
        {script(daemon)}{script(daemon).replace("embed.js", "embed.js?again")}{other}"""
    )
    names = ann.page.get_by_label("Your name")
    expect(names).to_have_count(2)
    assert elsewhere.asked == 1
    names.first.fill("Ann")
    names.first.press("Enter")
    for room in ("left", "right"):
        expect(ann.room(room).locator(".people bdi")).to_have_text(["Ann"])
    assert len(ann.sockets) == ann.opened == 2
    static = [url for url in ann.requests if url.startswith(f"{daemon.url}/static/")]
    assert sorted(set(static)) == sorted(static)


def test_the_library_beside_the_chat(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """A script that uses the library beside the chat loads nothing twice."""
    ann = guest()
    ann.opens(
        f"""<div data-livechat=beside data-name=Ann></div>{script(daemon)}
        <script type=module>
        import {{ ChatError, connect }} from "{daemon.url}/static/chat.js";
        const chat = connect("{daemon.url}", {{ room: "beside", name: "Ann" }});
        window.beside = chat;
        window.own = new Promise((done) => chat.addEventListener("message", done));
        window.failed = chat.send("").catch((error) => error instanceof ChatError);
        </script>"""
    )
    expect(ann.room("beside").locator(".people li")).to_have_count(1)
    until(ann.page, "beside.state === 'open'")
    ann.visitor.says("hi")
    ann.visitor.hears("hi")
    assert ann.page.evaluate("own.then(({ detail }) => detail.message)") == "hi"
    assert ann.page.evaluate("failed") is True
    static = [url for url in ann.requests if url.startswith(f"{daemon.url}/static/")]
    assert sorted(set(static)) == sorted(static)
    assert not [url for url in static if "/livechat" in url]


def test_mounted_twice(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """An element has one chat, however often one is mounted there, and by however many copies."""
    ann = guest()
    ann.opens("<div id=chat>No chat.</div>")
    ann.page.evaluate(
        """async ([one, other]) => {
            const copies = [await import(one), await import(other)];
            const options = (room) => ({ room, name: "Ann" });
            await Promise.all(copies.map(({ mount }) => mount(chat, options("first"))));
            window.last = await copies[0].mount(chat, options("last"));
        }""",
        [f"{daemon.url}/static/chat.js", f"{daemon.url}/static/chat.js?copy"],
    )
    ann.is_in("last")
    expect(ann.page.locator(".frame")).to_have_count(1)
    with ann.sockets[0].expect_event("close"):
        ann.page.evaluate("last.close(); last.close()")
    expect(ann.page.get_by_text("No chat.")).to_be_visible()
    assert ann.sockets == []


def test_custom_element(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """An element of its own does the same, and tells its page what happens."""
    ann = guest()
    ann.opens("<div id=aside></div>")
    ann.page.evaluate(
        """async ([url, server]) => {
            const made = document.createElement("livechat-room");
            made.id = "chat";
            // Before there is such an element, too.
            made.token = () => "";
            for (const [name, value] of Object.entries({ server, room: "element", name: "Ann" })) {
                made.setAttribute(name, value);
            }
            document.body.append(made);
            await import(url);
        }""",
        [f"{daemon.url}/static/embed.js", daemon.url],
    )
    ann.is_in("element")
    say(daemon, "element", "hi")
    ann.visitor.hears("hi")
    ((joined,), (said,)) = (ann.heard("join"), ann.heard("message"))
    assert (joined["room"], joined["user"]["name"]) == ("element", "Ann")
    assert said["message"] == "hi"
    assert ann.heard("error") == []
    # An element that is moved stays in its room.
    ann.page.evaluate("aside.append(chat)")
    ann.visitor.says("still here")
    ann.visitor.hears("hi", "still here")
    assert ann.opened == 1
    ann.page.evaluate("chat.setAttribute('room', 'other')")
    ann.is_in("other")
    ann.page.evaluate(
        "chat.setAttribute('token-url', '/none'); chat.token = () => { throw 'No.' }; null"
    )
    # A script's token counts before an attribute's.
    until(ann.page, "heard.some(([, type]) => type === 'error')")
    assert ann.heard("error")[0] == {"code": 4100, "reason": "No."}
    ann.page.evaluate("chat.remove()")
    expect(ann.page.locator("livechat-room")).to_have_count(0)


OPEN = re.compile("^Ask us")


def test_launcher(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """A button counts what is unread, and opens the chat: by keyboard alone, and for everybody."""
    ann = guest()
    # The page's policy allows no styles but a script's.
    policy = (
        f"default-src 'none'; script-src {daemon.url}; connect-src {daemon.url} "
        f"{daemon.url.replace('https', 'wss')}; require-trusted-types-for 'script'; "
        "trusted-types livechat"
    )
    ann.opens(
        "<a href=/>Home</a><div data-livechat=ask data-name=Ann data-launcher='Ask us'></div>"
        + script(daemon),
        policy=policy,
    )
    button, panel = (ann.page.get_by_role(role, name=OPEN) for role in ("button", "dialog"))
    until(ann.page, "heard.some(([, type]) => type === 'join')")
    expect(panel).to_be_hidden()
    say(daemon, "ask", "one", "two")
    expect(button).to_have_accessible_name("Ask us, 2 new messages")
    assert [each["count"] for each in ann.heard("unread")][-1] == 2
    # In the corner of the button, beside its picture.
    badge, picture = (button.locator(each).bounding_box() for each in (".badge", "svg"))
    assert badge
    assert picture
    assert badge["x"] > picture["x"] + picture["width"]
    assert ann.visitor.tab.findings() == []
    keys = ann.page.keyboard
    ann.page.get_by_role("link", name="Home").focus()
    keys.press("Tab")
    expect(button).to_be_focused()
    keys.press("Enter")
    expect(ann.visitor.composer).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(button).to_have_accessible_name("Ask us")
    assert ann.visitor.tab.findings() == []
    ann.visitor.says("three")
    ann.visitor.hears("one", "two", "three")
    # Escape closes what is open in it first.
    ann.visitor.opens_menu(ann.visitor.line("three"))
    keys.press("Escape")
    expect(ann.page.get_by_role("menu")).to_be_hidden()
    expect(panel).to_be_visible()
    # An input method takes Escape for itself.
    ann.visitor.tab.composes("Escape")
    expect(panel).to_be_visible()
    keys.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    # Messages that came while one was elsewhere count as well.
    expect(button).to_have_accessible_name("Ask us")
    ann.page.goto("about:blank")
    say(daemon, "ask", "four")
    ann.page.go_back()
    expect(button).to_have_accessible_name("Ask us, 1 new message")
    button.click()
    ann.visitor.hears("one", "two", "three", "four")
    ann.page.get_by_role("button", name="Close the chat").click()
    expect(panel).to_be_hidden()


def test_launcher_on_a_phone(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """The launcher on a phone opens over the whole window, asks for a name, and closes again."""
    ann = guest(**PHONE)
    ann.opens(f"<div data-livechat=phone data-launcher></div>{script(daemon)}")
    ann.page.get_by_role("button", name="Chat", exact=True).tap()
    expect(ann.page.get_by_label("Your name")).to_be_focused()
    box = ann.page.get_by_role("dialog", name="Chat").bounding_box()
    assert box
    assert {**box, "x": 0, "y": 0, "width": 390} == box
    ann.visitor.introduce("Ann")
    assert ann.visitor.tab.findings() == []
    ann.page.get_by_role("button", name="Close the chat").tap()
    expect(ann.visitor.composer).to_be_hidden()
    expect(ann.page.get_by_role("button", name="Chat", exact=True)).to_be_focused()


THEME = """
    [data-livechat] { --accent: rgb(120, 0, 90); --font: Georgia; --font-size: 20px;
                      --radius: 0px; --density: 0.5 }
    [data-livechat]::part(header) { background: rgb(1, 1, 1) }
    [data-livechat]::part(log) { background: rgb(2, 2, 2) }
    [data-livechat]::part(message) { background: rgb(3, 3, 3) }
    [data-livechat]::part(composer) { background: rgb(4, 4, 4) }
    [data-livechat]::part(roster) { background: rgb(5, 5, 5) }
"""
LOOKS = """() => {
    const root = document.querySelector("[data-livechat]").shadowRoot;
    const look = (selector, what) => getComputedStyle(root.querySelector(selector))[what];
    const parts = ["header", ".scroller", ".said p", ".composer", ".roster"];
    const text = ["fontFamily", "fontSize", "borderRadius", "paddingTop"];
    return [parts.map((each) => look(each, "backgroundColor")),
            text.map((each) => look(".said p", each)), look(".send", "backgroundColor")];
}"""


def test_theme_of_a_page(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """A page gives the chat its colours, font, corners and density, and styles its parts."""
    ann = guest()
    ann.opens(f"<div data-livechat=theme data-name=Ann></div>{script(daemon)}", THEME)
    ann.visitor.says("hi")
    ann.visitor.hears("hi")
    parts, text, send = ann.page.evaluate(LOOKS)
    assert parts == [f"rgb({n}, {n}, {n})" for n in range(1, 6)]
    assert text == ["Georgia", "20px", "0px", "5px"]
    assert send == "rgb(120, 0, 90)"


def test_texts_of_a_page(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """A page says its own texts in place of the chat's."""
    ann = guest()
    ann.opens("<div id=chat></div>")
    ann.page.evaluate(
        "async (url) => (await import(url)).mount(chat, { room: 'texts', name: 'Ann', texts: "
        "{ 'composer.hint': 'Ask the speaker <b>' } })",
        f"{daemon.url}/static/chat.js",
    )
    expect(ann.page.get_by_placeholder("Ask the speaker <b>")).to_be_visible()


def test_example_in_the_docs(
    guest: Callable[..., Guest], daemon: Daemon, elsewhere: Elsewhere
) -> None:
    """The page in docs/embed.html has a chat that works, in the page itself."""
    example = (ROOT / "docs" / "embed.html").read_text()
    elsewhere.page = example.replace("https://localhost:10443", daemon.url)
    assert elsewhere.page != example
    ann = guest().visitor
    ann.page.goto(elsewhere.url)
    ann.introduce("Ann")
    ann.says("from another site")
    ann.hears("from another site")
    say(daemon, "lobby", "hi")
    ann.hears("from another site", "hi")
    assert [each["message"] for each in daemon.history("lobby")] == ["from another site", "hi"]
    assert ann.tab.findings() == []
    assert ann.page.locator("iframe").count() == 0


def test_part_of_a_page_that_is_closed(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """A chat in a closed part of a page loads no history, and marks nothing as read."""
    with daemon.socket("hidden") as client:
        for number in range(120):
            client.send(json.dumps({"message": f"n{number}"}))
        for _ in range(120):
            client.recv()
        on = guest()
        ann, place = on.visitor, "<div data-livechat=hidden data-name=Ann></div>"
        on.opens(f"<details><summary>Chat</summary>{place}</details>{script(daemon)}")
        expect(ann.messages()).to_have_count(50)
        client.send('{"message": "later"}')
        expect(ann.messages()).to_have_count(51)
        expect(ann.page.get_by_text("New messages")).to_be_attached()
        ann.page.get_by_text("Chat", exact=True).click()
        expect(ann.page.get_by_text("later", exact=True)).to_be_in_viewport()
        expect(ann.messages()).to_have_count(51)


HOST_STYLE = """
    * { all: unset; display: block !important; padding: 0 !important; color: red !important }
    html { font-size: 8px } body { text-transform: uppercase; letter-spacing: 1em; direction: rtl }
    p { display: none !important } button { display: none !important }
    [data-livechat] { width: 900px; height: 500px }
"""


def test_styles_and_policies(guest: Callable[..., Guest], daemon: Daemon) -> None:
    """Neither page's style gets into the other; strict policies allow it; elements come and go."""
    ann = guest()
    policy = (
        f"default-src 'none'; script-src {daemon.url}; style-src 'unsafe-inline'; "
        f"connect-src {daemon.url} {daemon.url.replace('https', 'wss')}; "
        "require-trusted-types-for 'script'; trusted-types livechat"
    )
    ann.opens(f'<div data-livechat="around"></div>{script(daemon)}', HOST_STYLE, policy)
    ann.visitor.introduce("Ann")
    ann.visitor.says("hi")
    ann.visitor.hears("hi")
    look = ann.visitor.messages().first.evaluate(
        "each => { const style = getComputedStyle(each);"
        "return [style.fontSize, style.letterSpacing, style.textTransform, style.direction,"
        "style.color]; }"
    )
    assert look[:4] == ["16px", "normal", "none", "ltr"]
    assert look[4] != "rgb(255, 0, 0)"
    expect(ann.page.locator(".roster")).to_be_visible()
    with ann.sockets[0].expect_event("close"):
        ann.page.evaluate(
            "const made = document.createElement('div'); made.dataset.livechat = 'other';"
            "document.querySelector('[data-livechat]').replaceWith(made)"
        )
    expect(ann.page.locator("[data-livechat=other] .composer")).to_be_visible()
