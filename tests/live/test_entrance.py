"""The front page and the door of a room, in Chromium: before anybody has said who they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.live.browser import until
from tests.live.daemon import Daemon
from tests.live.moderator import HOSTILE, MARKUP, Moderator
from tests.live.site_users import KNOWS_THEM, token
from tests.live.visitor import Visitor, say

DAEMON = KNOWS_THEM
TITLE = "Münchner Treff"
ROOM = "muenchner-treff"


def test_the_door(visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]) -> None:
    """The door shows the room, how many are there, who can read, and the last lines, as text."""
    mo = moderator("door")
    mo.sets(title=f"The {MARKUP} door")
    for text in ("one", "two", "three", HOSTILE, "five", "six " * 1_000):
        mo.says(text)
    ann = visitor(viewport={"width": 320, "height": 640})
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url))
    ann.tab.open("/rooms/door/")
    expect(ann.page.get_by_role("heading", level=1)).to_have_text(f"The {MARKUP} door")
    facts = "1 person is here. Everybody who has the link can read along."
    expect(ann.page.locator(".facts")).to_have_text(facts)
    lines = ann.page.locator(".last li")
    expect(lines).to_have_count(5)
    expect(lines.first).to_contain_text("two")
    expect(lines.last).to_contain_text("Mo ✓ six six")
    assert len(lines.last.inner_text()) < 400
    expect(ann.page.get_by_label("Your name")).to_be_focused()
    assert len([url for url in asked if "/chat/" in url]) == 1
    assert ann.tab.findings() == []
    mo.sets(guests="read")
    ann.page.evaluate('localStorage[`livechat:ignored:${location.origin}/`] = \'[["u:7","Mo"]]\'')
    ann.page.reload()
    expect(ann.page.locator(".facts")).to_contain_text("but guests cannot write")
    # Ignored people are hidden at the door, too.
    expect(lines).to_have_count(0)
    mo.sets(guests=None)
    ann.introduce("Ann")
    ann.is_with(2)


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"closed": True}, "This room is closed."),
     ({"members": True}, "This room is for people who are signed in.")],
)  # fmt: skip
def test_a_door_that_is_shut(
    visitor: Callable[..., Visitor],
    moderator: Callable[[str], Moderator],
    setting: dict[str, bool],
    said: str,
) -> None:
    """A shut door says so before it asks for a name, and shows nothing of the room."""
    room = f"shut-{next(iter(setting))}"
    mo = moderator(room)
    mo.says("secret")
    mo.sets(title="Layoffs", **setting)
    ann = visitor()
    ann.tab.open(f"/rooms/{room}/")
    expect(ann.page.get_by_role("alert")).to_have_text(said)
    expect(ann.page.get_by_label("Your name")).to_have_count(0)
    everything = ann.everything()
    for hidden in ("secret", "Layoffs", "is here"):
        assert hidden not in everything
    mo.sets(closed=None, members=None, title=None)
    ann.page.get_by_role("button", name="Try again").click()
    expect(ann.page.locator(".last li")).to_have_text("Mo ✓ secret")


def test_a_door_for_somebody_who_is_banned(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]
) -> None:
    """A guest who is banned by key sees nothing of the room; a stranger gets no key at the door."""
    mo, ann = moderator("banned"), visitor()
    mo.says("secret")
    joined = "addEventListener('livechat:join', ({ detail }) => (window.me = detail.user.id))"
    ann.page.add_init_script(joined)
    ann.tab.open("/rooms/banned/")
    expect(ann.page.locator(".last li")).to_have_text("Mo ✓ secret")
    assert ann.page.evaluate("Object.keys(localStorage)") == []
    ann.introduce("Ann")
    mo.restricts(ann.page.evaluate("me"), "ban", guest=True, seconds=3600, reason="rude")
    expect(ann.page.get_by_role("alert")).to_contain_text("You are banned until")
    ann.page.evaluate("localStorage.removeItem('livechat:name')")
    ann.page.reload()
    expect(ann.page.get_by_role("alert")).to_contain_text("You are banned until")
    assert "secret" not in ann.everything()


def test_a_room_that_cannot_be(visitor: Callable[..., Visitor]) -> None:
    """A page that names no room is at fault, and the visitor is not asked for another name."""
    ann = visitor()
    url = f"{ann.tab.daemon.url}/their-page"
    page = """<!doctype html><html lang=en><title>x</title>
        <div data-livechat="Bad &lt;b&gt; Room!" data-name=Ann></div>
        <script>document.addEventListener("livechat:error", (e) => (window.told = e.detail.code));
        </script><script type=module src=/static/embed.js></script>"""
    ann.page.route(url, lambda route: route.fulfill(body=page, content_type="text/html"))
    ann.page.goto(url)
    expect(ann.page.get_by_role("alert")).to_contain_text("The fault is the page’s")
    expect(ann.page.get_by_text("The page calls the room “Bad <b> Room!”.")).to_be_visible()
    expect(ann.page.get_by_label("Your name")).to_have_count(0)
    assert ann.page.evaluate("told") == "bad_room"
    (complaint,) = ann.tab.complaints
    assert '"Bad <b> Room!" is no room\'s name' in complaint
    ann.tab.complaints.clear()


def test_a_room_named_by_people(
    visitor: Callable[..., Visitor], moderator: Callable[[str], Moderator]
) -> None:
    """Words name a room and travel with the link; those that manage it make them its title."""
    ann, bob, mo = visitor(), visitor(), visitor()
    ann.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ann.tab.open("/")
    ann.page.get_by_label("Your name").fill("Ann")
    ann.page.get_by_label("Room").fill(f"  {TITLE}\u202e ")
    ann.page.keyboard.press("Enter")
    ann.page.wait_for_url(f"**/rooms/{ROOM}/?title=*")
    ann.is_in()
    expect(ann.page.get_by_role("heading", name=TITLE)).to_be_visible()
    doubt = f"That is what the link calls the room {ROOM}. Nobody has confirmed it."
    expect(ann.page.locator("header .unconfirmed span")).to_have_text(doubt)
    expect(ann.page.get_by_role("button", name="Keep this title")).to_be_hidden()
    ann.page.get_by_role("button", name="Copy the invitation").click()
    expect(ann.page.get_by_text("The invitation is copied.").first).to_be_attached()
    link = ann.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{ann.tab.daemon.url}/rooms/{ROOM}/?title=M%C3%BCnchner+Treff"
    # The door says whose words these are.
    bob.page.goto(link)
    expect(bob.page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(bob.page.locator(".about .unconfirmed")).to_have_text(doubt)
    # A manager of the room can keep them.
    mo.page.goto(f"{link}#token={token('7', name='Mo', rooms={'*': ['*']})}")
    mo.page.get_by_role("button", name="Keep this title").click()
    for each in (mo, ann):
        expect(each.page.get_by_role("heading", name=TITLE)).to_be_visible()
        expect(each.page.locator("header .unconfirmed")).to_be_hidden()
    bob.page.reload()
    expect(bob.page.locator(".facts")).to_contain_text("people are here")
    expect(bob.page.locator(".about .unconfirmed")).to_be_hidden()
    ann.page.get_by_role("button", name="Copy the invitation").click()
    until(ann.page, f"(await navigator.clipboard.readText()).endsWith('/rooms/{ROOM}/')")
    # A link cannot give a titled room another name.
    bob.page.goto(f"{bob.tab.daemon.url}/rooms/{ROOM}/?title=Official+{MARKUP}")
    expect(bob.page.locator(".facts")).to_contain_text("people are here")
    assert "Official" not in bob.everything()


def test_hostile_words(visitor: Callable[..., Visitor]) -> None:
    """The words of a link are text, wherever they are shown."""
    ann = visitor()
    ann.tab.open(f"/rooms/r/?title={quote(HOSTILE[:90])}")
    expect(ann.page.get_by_role("heading", level=1)).to_contain_text(MARKUP)
    expect(ann.page.get_by_role("heading", level=1)).not_to_contain_text("\u202e")
    ann.introduce("Ann")
    ann.page.get_by_role("button", name="Leave the room").click()
    expect(ann.page.locator("[data-visited] a")).to_contain_text(MARKUP)
    expect(ann.page.locator("[data-visited] .hint")).to_have_text("r")
    ann.tab.open(f"/rooms/r/?title={'x' * 10_000}")
    ann.is_in()
    expect(ann.page.get_by_role("heading", name="r", exact=True)).to_be_visible()


def test_leaving(
    visitor: Callable[..., Visitor], daemon: Daemon, moderator: Callable[[str], Moderator]
) -> None:
    """Leaving ends the chat; the front page has the last rooms, and those for everybody."""
    moderator("open").sets(listed=True, title="For all", topic="anything")
    ann = visitor().join("leave", "Ann")
    ann.page.get_by_role("button", name="Leave the room").click()
    ann.page.wait_for_url(f"{daemon.url}/")
    where = ann.page.get_by_role("region", name="Where you were")
    expect(where.get_by_role("link")).to_have_text(["leave"])
    everybody = ann.page.get_by_role("region", name="Rooms for everybody")
    expect(everybody.get_by_role("link", name="For all")).to_be_visible()
    assert ann.tab.findings() == []
    ann.page.evaluate("localStorage['livechat:visited'] = '[{\"room\":7},{},null]'")
    ann.page.reload()
    expect(ann.page.get_by_label("Room", exact=True)).to_be_focused()
    expect(where).to_be_hidden()
    everybody.get_by_role("link", name="For all").click()
    ann.is_in()
    ann.page.go_back()
    where.get_by_role("button", name="Forget these rooms").click()
    expect(where).to_be_hidden()
    assert not ann.page.evaluate("localStorage['livechat:visited']")
    ann.page.get_by_role("link", name="for developers").click()
    expect(ann.page.get_by_text(re.compile("wscat -c"))).to_be_visible()


def test_an_invitation_without_a_clipboard(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """Without a clipboard the link is shown, and no token is in it."""
    ann = visitor()
    ann.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    ann.join("copy", "Ann")
    ann.page.evaluate("location.hash = 'x=secret'")
    ann.page.get_by_role("button", name="Copy the invitation").click()
    expect(ann.page.get_by_role("textbox", name="The invitation")).to_have_value(
        f"{daemon.url}/rooms/copy/"
    )


def test_a_chat_that_nobody_sees(visitor: Callable[..., Visitor], daemon: Daemon) -> None:
    """A chat that its page hides asks the server nothing until it is shown."""
    ann = visitor()
    say(daemon, "unseen", "hi")
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url))
    url = f"{daemon.url}/their-page"
    page = """<!doctype html><html lang=de><title>x</title>
        <div id=chat data-livechat=unseen hidden></div>
        <script type=module src=/static/embed.js></script>"""
    ann.page.route(url, lambda route: route.fulfill(body=page, content_type="text/html"))
    ann.page.goto(url)
    expect(ann.page.locator(".about")).to_be_attached()
    ann.page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert not [each for each in asked if "/chat/" in each]
    ann.page.evaluate("chat.hidden = false")
    expect(ann.page.locator(".facts")).to_contain_text("Im Augenblick ist niemand hier.")
    expect(ann.page.locator(".last li")).to_contain_text("hi")
    expect(ann.page.get_by_role("button", name="Raum verlassen")).to_have_count(0)
