"""The admin page in Chromium."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from playwright.sync_api import Route, expect

from livechat.web.admin.rooms import ROOMS_PER_PAGE
from tests.live.browser import CUT, HOSTILE, NARROW, WIDE, Tab
from tests.live.daemon import PASSWORD, QUICK, Daemon
from tests.live.visitor import say, site

DAEMON = ("--max-connections-per-ip=0",)
NARROWEST: Final = {"width": 320, "height": 568}


#: The names of what has the keyboard's focus, and how its outline is drawn.
FOCUSED: Final = """() => {
    const at = document.activeElement;
    return [[at.innerText, at.labels?.[0]?.innerText], getComputedStyle(at).outlineStyle];
}"""


@pytest.mark.parametrize(
    ("scripts", "viewport"), [(True, NARROW), (False, WIDE)], ids=["scripts", "no scripts"]
)
def test_tour(
    tab: Callable[..., Tab], daemon: Daemon, scripts: bool, viewport: dict[str, int]
) -> None:
    """Sign in, see a room appear, say something there, hear something, sign out."""
    operator = tab(java_script_enabled=scripts, viewport=viewport)
    page = operator.page
    room = f"tour-{scripts}-{viewport['width']}"

    def news() -> None:
        """See what is new: without scripts, by a reload."""
        if not scripts:
            page.reload()

    operator.sign_in()
    if scripts:
        operator.live()
    link = page.get_by_role("link", name=room)
    assert link.count() == 0
    with daemon.socket(room) as client:
        news()
        expect(link).to_be_visible()
        link.click()
        expect(page.get_by_role("heading", name=room)).to_be_visible()
        if scripts:
            operator.live()
        page.get_by_label("Message", exact=True).fill("from the operator")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Message 1 was sent to everyone in the room.")).to_be_visible()
        assert json.loads(client.recv()) == {"message": "from the operator"}
        client.send('{"message": "from the client"}')
        client.recv()
        news()
        expect(page.get_by_text("from the client")).to_be_visible()
        assert operator.messages() == ["from the operator", "from the client"]
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    operator.open()
    assert "/admin/sign-in/" in page.url


def test_admin_page_by_keyboard(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """All of it by keyboard alone."""
    operator = tab()
    page, keys = operator.page, operator.page.keyboard

    def reach(name: str) -> None:
        """Go on with the Tab key until what is called so has the focus."""
        for _ in range(40):
            keys.press("Tab")
            names, outline = page.evaluate(FOCUSED)
            if name in names:
                assert outline != "none", f"{name} has the focus, and one does not see it"
                return
        raise AssertionError(f"{name} cannot be reached")

    with daemon.socket("by-keyboard") as client:
        operator.open()
        expect(page.get_by_label("Operators’ password")).to_be_focused()
        keys.type(PASSWORD)
        keys.press("Enter")
        page.wait_for_url("**/admin/")
        operator.live()
        keys.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        keys.press("Enter")
        reach("Filter by name")
        keys.type("keyboard")
        expect(page.locator(".rooms tbody tr")).to_have_count(1)
        reach("by-keyboard")
        keys.press("Enter")
        page.wait_for_url("**/admin/rooms/by-keyboard/")
        operator.live()
        reach("Message")
        keys.type("two")
        keys.press("Shift+Enter")
        keys.type("lines")
        keys.press("Enter")
        assert json.loads(client.recv()) == {"message": "two\nlines"}
        expect(page.get_by_role("status").filter(has_text="was sent")).to_be_visible()
        expect(page.get_by_label("Message", exact=True)).to_be_focused()
        keys.type("again")
        keys.press("Enter")
        assert json.loads(client.recv()) == {"message": "again"}
    page.reload()
    reach("Sign out")
    keys.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        pytest.param("light", WIDE, id="light-wide", marks=pytest.mark.soak),
        pytest.param("dark", NARROWEST, id="dark-narrowest"),
    ],
)
def test_axe(
    tab: Callable[..., Tab], daemon: Daemon, scheme: str, viewport: dict[str, int]
) -> None:
    """Axe-core finds nothing serious on any page, error states included."""
    operator = tab(color_scheme=scheme, viewport=viewport)
    page = operator.page
    with daemon.socket("x" * 128), daemon.socket("axe"):
        say(daemon, "axe", "hi", "y" * 300, *HOSTILE)
        operator.open()
        assert operator.findings() == []
        page.get_by_label("Operators’ password").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This is not the password.")
        assert operator.findings() == []
        operator.sign_in()
        operator.live()
        expect(page.get_by_role("link", name="axe", exact=True)).to_be_visible()
        assert operator.findings() == []
        for path in (
            "/admin/?q=nothing", "/admin/?page=0", "/admin/rooms/?room=a%20b",
            "/admin/rooms/nobody/", f"/admin/rooms/{'x' * 128}/",
        ):  # fmt: skip
            operator.open(path)
            assert operator.findings() == [], path
            assert page.evaluate(CUT) == [], path
        operator.open("/admin/rooms/axe/")
        operator.live()
        page.get_by_label("Message", exact=True).fill("z" * 20_000)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("alert")).to_contain_text("at most 16384 are allowed")
        assert operator.findings() == []


def test_filters_and_pages_of_the_list(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Filter, sort and turn pages without a reload; the address says what is shown."""
    operator = tab()
    page = operator.page
    many = [daemon.socket(f"list-{number:03}") for number in range(ROOMS_PER_PAGE + 5)]
    operator.enters()
    operator.live()
    page.evaluate("window.same = true")
    page.get_by_label("Filter by name").fill("list-")
    expect(page.get_by_text(f"{ROOMS_PER_PAGE + 5} of")).to_be_visible()
    page.get_by_role("link", name="Room", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Room")
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".rooms tbody tr")).to_have_count(5)
    assert page.url.endswith("/admin/?q=list-&sort=name&page=2")
    assert operator.rooms() == [
        f"list-{number:03}" for number in range(ROOMS_PER_PAGE, ROOMS_PER_PAGE + 5)
    ]
    many.append(daemon.socket("list-zzz"))
    expect(page.get_by_role("link", name="list-zzz")).to_be_visible()
    page.go_back()
    expect(page.locator(".rooms tbody tr")).to_have_count(ROOMS_PER_PAGE)
    page.get_by_label("Filter by name").fill("zzz")
    expect(page.locator(".rooms tbody tr")).to_have_count(1)
    assert page.url.endswith("/admin/?q=zzz&sort=name")
    assert page.evaluate("window.same")
    operator.page.reload()
    assert operator.rooms() == ["list-zzz"]
    expect(page.get_by_label("Filter by name")).to_have_value("zzz")
    for each in many:
        each.close()


def test_the_list_holds_still(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Under the pointer, or the keyboard's focus, no room takes another's place."""
    operator = tab()
    page, keys = operator.page, operator.page.keyboard
    with daemon.socket("still-a"):
        operator.enters("/admin/?q=still")
        operator.live()
        link = page.get_by_role("link", name="still-a")
        messages = page.locator("tr", has=link).locator("[data-unit=messages]")
        link.hover()
        with daemon.socket("still-b"), daemon.socket("still-b"):
            say(daemon, "still-a", "hi")
            expect(messages).to_have_text("1")
            expect(page.get_by_text("3").first).to_be_visible()
            assert operator.rooms() == ["still-a"]
            page.mouse.move(5, 5)
            expect(page.locator(".rooms tbody tr")).to_have_count(2)
            assert operator.rooms() == ["still-b", "still-a"]
            page.get_by_role("link", name="Last message").focus()
            keys.press("Tab")
            first = page.get_by_role("link", name="still-b")
            expect(first).to_be_focused()
            with daemon.socket("still-c"), daemon.socket("still-c"), daemon.socket("still-c"):
                say(daemon, "still-a", "again")
                expect(messages).to_have_text("2")
                expect(page.get_by_text("6").first).to_be_visible()
                assert operator.rooms() == ["still-b", "still-a"]
                expect(first).to_be_focused()
                keys.press("Shift+Tab")
                expect(page.locator(".rooms tbody tr")).to_have_count(3)
                assert operator.rooms() == ["still-c", "still-b", "still-a"]
                expect(page.get_by_role("link", name="Last message")).to_be_focused()


def test_answers_out_of_order(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """The list shows the last query's rooms, whichever answer comes last."""
    operator = tab()
    page = operator.page
    with daemon.socket("slow"), daemon.socket("slower"):
        operator.enters()
        operator.live()
        first: list[Route] = []

        def hold(route: Route) -> None:
            first.append(route)

        page.route("**/admin/?q=slow", hold)
        box = page.get_by_label("Filter by name")
        with page.expect_request("**/admin/?q=slow"):
            box.fill("slow")
        box.fill("slower")
        expect(page.locator(".rooms tbody tr")).to_have_count(1)
        for route in first:
            route.continue_()
        page.get_by_role("link", name="Room", exact=True).click()
        expect(page.locator("th[aria-sort=ascending]")).to_have_text("Room")
        assert operator.rooms() == ["slower"]
        page.go_back()
        expect(page.locator("th[aria-sort=descending]")).to_have_text("Members")
        assert operator.rooms() == ["slower"]
        expect(box).to_have_value("slower")


def test_pages_that_nobody_sees(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Pages in the background hold no connection, of which a browser opens only six."""
    operator = tab()
    operator.enters()
    operator.context.add_init_script("Object.defineProperty(document, 'hidden', {get: () => true})")
    for _ in range(6):
        page = operator.context.new_page()
        page.goto(f"{daemon.url}/admin/rooms/r/")
    operator.page.goto(f"{daemon.url}/admin/rooms/r/")
    expect(operator.page.get_by_role("heading", name="Messages")).to_be_visible()


@pytest.mark.soak
def test_a_flood(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """A page keeps up with a flood: what it leaves out it says, and its end is the room's."""
    operator = tab()
    operator.enters("/admin/rooms/flood/")
    operator.live()
    with daemon.socket("flood") as client:
        for number in range(3_000):
            client.send(json.dumps({"message": str(number)}))
        for _ in range(3_000):
            client.recv()
    expect(operator.page.get_by_text("#3000", exact=True)).to_be_in_viewport()
    numbers = [
        int(text.removeprefix("#"))
        for text in operator.page.locator("[data-messages] li[data-seq] span").all_inner_texts()
    ]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 500


def test_restart_of_the_server(tab: Callable[..., Tab], start: Callable[..., Daemon]) -> None:
    """A page comes back when the server does, still signed in, with what was said meanwhile."""
    first = start()
    operator = tab(first)
    operator.enters("/admin/rooms/r/")
    operator.live()
    say(first, "r", "before")
    expect(operator.page.get_by_text("before")).to_be_visible()
    first.stop()
    expect(operator.page.get_by_text("Reconnecting …")).to_be_visible()
    operator.page.get_by_label("Message", exact=True).fill("not lost")
    operator.page.keyboard.press("Enter")
    expect(operator.page.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(operator.page.get_by_label("Message", exact=True)).to_have_value("not lost")
    second = start(f"--port={first.port}")
    say(second, "r", "after")
    operator.live()
    expect(operator.page.get_by_text("after", exact=True)).to_be_visible()
    assert operator.messages() == ["before", "after"]


def test_signed_out_elsewhere(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """A page whose session was ended in another tab asks to sign in again."""
    operator = tab()
    operator.enters("/admin/rooms/r/")
    operator.live()
    other = operator.context.new_page()
    other.goto(f"{daemon.url}/admin/")
    other.get_by_role("button", name="Sign out").click()
    operator.page.wait_for_url("**/admin/sign-in/?next=%2Fadmin%2Frooms%2Fr%2F")


def test_an_operator_with_a_name(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """The page is live, without what one may not do; when the operator is changed it is over."""
    ann = json.dumps({"name": "ann", "rooms": {"named": ["history"]}, "password": PASSWORD})
    key = (daemon.directory / "state" / "local-key").read_text().strip()

    def put(body: str) -> None:
        headers = ("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json")
        daemon.curl("-f", *headers, "-d", body, f"{daemon.url}/chat/operators/")

    put(ann.replace('"history"', '"join", "history"'))
    operator = tab()
    page = operator.page
    operator.sign_in("/admin/rooms/named/", name="Ann")
    operator.live()
    say(daemon, "named", "hi")
    expect(page.get_by_text("hi", exact=True)).to_be_visible()
    # A day later its time has a date, on a page that stayed open, and slept.
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=1))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    time = page.locator("[data-messages] time")
    expect(time).to_have_text(re.compile(r"^\d+/\d+/\d{4}, \d+:\d\d:\d\d"))
    assert operator.findings() == []
    for gone in ("Remove for everyone", "Send"):
        expect(page.get_by_text(gone, exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign out ann")).to_be_visible()
    put(ann)
    page.wait_for_url("**/admin/sign-in/?next=%2Fadmin%2Frooms%2Fnamed%2F")


def test_a_new_password(tab: Callable[..., Tab], start: Callable[..., Daemon]) -> None:
    """A new password signs everybody out, at once; what was typed is kept."""
    daemon = start(LIVECHAT_ADMIN_PASSWORD=None)
    file = daemon.directory / "state" / "admin-password"
    file.write_text(QUICK.hash(PASSWORD))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.log.wait_for("is new, and signs all out")
    operator = tab(daemon)
    page = operator.page
    operator.sign_in("/admin/rooms/r/")
    operator.live()
    page.get_by_label("Message", exact=True).fill("not lost")
    file.write_text(QUICK.hash("another password"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.log.wait_for("is new, and signs all out", 2)
    expect(page.get_by_text("Signed out: sending asks for the password")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    expect(page.get_by_role("textbox").last).to_have_value("not lost")
    page.get_by_label("Operators’ password").fill("another password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed in again.")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Message 1 was sent to everyone in the room.")).to_be_visible()
    assert [each["message"] for each in daemon.history("r")] == ["not lost"]


def test_framing_s8(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """No page of another site can show the admin page in a frame."""
    operator = tab()
    operator.enters()
    with site(f"<iframe src='{daemon.url}/admin/sign-in/'></iframe>") as url:
        operator.page.goto(url)
        framed = operator.page.frames[1]
        framed.wait_for_url("chrome-error://**")
    complaint, *others = operator.complaints
    assert "frame" in complaint
    operator.complaints[:] = others
