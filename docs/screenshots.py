"""
Makes the pictures of the pages: ``.venv/bin/python docs/screenshots.py``, with ``chat`` or
``admin`` behind it for some of them only.

It needs what ``make test`` sets up.  A daemon of its own is started, people talk, and
Chromium takes the pictures into ``docs/screenshots/``.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.live.browser import PHONE, WIDE, Profiles, Tab, chromium  # noqa: E402
from tests.live.command import done  # noqa: E402
from tests.live.daemon import PASSWORD, Daemon, Member  # noqa: E402
from tests.live.visitor import Visitor, site  # noqa: E402

ROOMS = {
    "lobby": 14, "release-party": 9, "support": 6, "engineering": 5, "berlin": 3, "design": 3,
    "random": 2, "on-call": 1,
}  # fmt: skip
SAID = [
    "Good morning, everybody!",
    "Is the new release out?",
    "It is. The changelog is worth a read!",
    "Updated three machines, all is well",
    "Who is on call tonight?",
    "Me, until six",
    "مساء الخير",
    "The <b>tags</b> in here are text, as they should be",
    "Does a reconnect keep the order?",
    "It does: every message has its number. I pulled the plug twice yesterday while two hundred "
    "people were talking, and nobody missed a line.",
    "That is what I wanted to hear",
    "Lunch at half past twelve?",
    "Fine with me",
]
#: What Ann's page shows: who says it, and what.
TALK_OF_FIVE = [
    ("Bo", "Good morning! Is the new release out?"),
    ("Chidi", "It is. I updated three machines last night, all is well"),
    ("Chidi", "The changelog is worth a read:\nhttps://chat.example.org/changelog"),
    ("Ann", "Does a reconnect keep the order?"),
    ("Dana", "It does: every message has its number. I pulled the plug twice yesterday while two "
             "hundred people were talking, and nobody missed a line."),
    ("Ann", "That is what I wanted to hear"),
    ("إيمان", "مساء الخير، هل هذا يعمل من اليمين إلى اليسار؟"),
    ("Dana", "It does. And <b>tags</b> are text, as they should be"),
    ("Bo", "Lunch at half past twelve?"),
]  # fmt: skip
#: People who do not read: nobody asks whether they are there, and their sockets close all the same.
SILENT: Final[dict[str, Any]] = {"ping_interval": None, "max_queue": None}
#: Where the daemon runs, which is in the pictures.
DIRECTORY = Path(tempfile.gettempdir(), "livechat")
TARGET = HERE / "screenshots"
#: Seconds of talk before the pictures, so that the chart has something to show.
TALK = 150
#: People of a large room: each of the names with each of the letters.
FIRST_NAMES = ("Ada", "Bo", "Chidi", "Dana", "Emil", "Fatima", "Gustav", "Hana")
LETTERS = "ABCDEFGHIJ"
CROWD = "live-event-2026"
#: Rooms for everybody: their titles, their topics, and how many are there.
LISTED = {
    "muenchner-treff": ("Münchner Treff", "Wer kommt am Dienstag?", 4),
    "book-club": ("Book club", "This month: The Left Hand of Darkness", 2),
    CROWD: ("Live Event 2026", "The keynote, and what you think of it", 0),
}
#: A page of another site, whose visitors may ask.
SHOP = """<!doctype html><html lang=en><meta name=viewport content="width=device-width">
<title>Teapots</title><style>
:root { color-scheme: light dark; font: 1rem/1.5 Georgia, serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { margin: 1rem 0; font-weight: 400; }
ul { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(9rem, 30%), 1fr)); gap: 1rem;
  margin: 0; padding: 0; list-style: none; }
li::before { display: block; aspect-ratio: 4 / 3; border-radius: 0.5rem; content: "";
  background: hsl(var(--hue) 40% 60%); }
[data-livechat] { --accent: light-dark(#0f5c4d, #5fc9b0); }
</style><h1>Teapots</h1><ul>
<li style="--hue: 210">Blue, 1 litre <li style="--hue: 20">Clay, 1 litre
<li style="--hue: 90">Green, ½ litre <li style="--hue: 45">Ochre, 1 litre
<li style="--hue: 280">Violet, ½ litre <li style="--hue: 0">Red, 2 litres</ul>
<div id=help data-launcher="Ask us" data-heading="Ask us" data-name=Visitor data-without=roster>
</div><script type=module>
localStorage.help ??= `help-${crypto.randomUUID()}`;
help.dataset.livechat = localStorage.help;
</script><script type=module src="https://localhost:10443/static/embed.js"></script>"""


@contextmanager
def company(daemon: Daemon) -> Iterator[None]:
    """People in rooms, who talk."""
    with ExitStack() as stack:
        people: list[tuple[str, Member]] = [
            (room, stack.enter_context(daemon.socket(room, **SILENT)))
            for room, count in ROOMS.items()
            for _ in range(count)
        ]
        spoken = dict.fromkeys(ROOMS, 0)
        stop = threading.Event()

        def talk() -> None:
            mood = random.Random(7)
            while not stop.wait(mood.expovariate(mood.choice([1, 2, 4, 8]))):
                room, person = mood.choice(people)
                person.send(json.dumps({"message": SAID[spoken[room] % len(SAID)]}))
                spoken[room] += 1

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            stop.wait(TALK)
            yield
        finally:
            stop.set()
            talking.join()


def main() -> None:
    if DIRECTORY.exists():
        raise SystemExit(f"{DIRECTORY} is there already")
    TARGET.mkdir(exist_ok=True)
    try:
        for name, take in (("chat", take_chat), ("admin", take_admin)):
            if name in (sys.argv[1:] or [name]):
                take()
                shutil.rmtree(DIRECTORY)
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)


def take_chat() -> None:
    """The front page, and a room in all its states."""
    with chromium() as browser, site(SHOP) as shop:
        options = (
            *("--port=10443", "--history-limit=40", "--rate=0", "--rate-per-ip=0"),
            *("--max-connections-per-ip=0", f"--origin={shop}"),
        )
        with Daemon(DIRECTORY, *options) as daemon:
            tabs = devices(browser, daemon)
            take_front(tabs, daemon)
            pages = [Visitor(each, touches=kind.startswith("phone")) for kind, each in tabs.items()]
            for page in pages:
                join(page, "release-party", "Ann")
            with talk(daemon, pages[0]):
                chidi = Visitor(Tab(browser, daemon))
                chidi.tab.open("/")
                join(chidi, "release-party", "Chidi")
                chidi.composer.fill("I am")
                take(tabs, "chat")
                change(pages[0], chidi)
                take_changes(tabs, pages)
                take_door(browser, daemon)
                take_launcher(browser, daemon, shop)
                take_crowd(browser, daemon)
            for each in tabs.values():
                each.context.set_offline(True)
        for page in pages:
            page.banner.get_by_text("Reconnecting…").wait_for()
            page.says("I shall bring the cake")
        take(tabs, "reconnecting")
        for page in pages:
            page.page.get_by_role("button", name="Do not send").click()
        with Daemon(DIRECTORY, *options) as daemon:
            with daemon.socket(f"release-party/{asked('Bo')}") as bo:
                for number in range(50):
                    bo.send(json.dumps({"message": f"Machine {number + 1} is updated"}))
                    bo.recv()
            for each, page in zip(tabs.values(), pages, strict=True):
                each.context.set_offline(False)
                page.page.locator(".gap").scroll_into_view_if_needed()
            take(tabs, "gap")


def take_front(tabs: dict[str, Tab], daemon: Daemon) -> None:
    """The front page, with rooms for everybody."""
    with ExitStack() as stack:
        for room, (title, topic, count) in LISTED.items():
            settings = {"listed": True, "title": title, "topic": topic}
            done(daemon, "act", room, json.dumps({"type": "room", "set": settings}))
            for _ in range(count):
                stack.enter_context(daemon.socket(room, **SILENT))
        for each in tabs.values():
            each.open("/")
        take(tabs, "front")


def take_changes(tabs: dict[str, Tab], pages: list[Visitor]) -> None:
    """Messages that were changed, and how that is done."""
    take(tabs, "changes")
    for page in pages:
        page.opens_menu(page.line("Is the changelog online?"))
    take(tabs, "menu")
    for page in pages:
        page.page.get_by_role("menuitem", name="Edit").click()
    take(tabs, "editing")
    for page in pages:
        page.page.get_by_role("button", name="Cancel").click()


def take_door(browser: Profiles, daemon: Daemon) -> None:
    """A room before one is in it, in two languages."""
    for name, locale in (("door", "en-GB"), ("german", "de-DE")):
        tabs = devices(browser, daemon, locale)
        for each in tabs.values():
            each.open("/rooms/release-party/?title=Release+Party")
            each.page.locator(".last li").first.wait_for()
        take(tabs, name)
        for each in tabs.values():
            each.context.close()


def take_launcher(browser: Profiles, daemon: Daemon, shop: str) -> None:
    """A button on another site's page, behind which a visitor is answered."""
    tabs = devices(browser, daemon)
    for kind, each in tabs.items():
        each.page.goto(shop)
        page, touches = each.page, kind.startswith("phone")
        page.get_by_role("button", name="Ask us").click()
        ann = Visitor(each, touches=touches)
        ann.says("Is the blue one dishwasher-safe?")
        ann.hears_by_now("Is the blue one dishwasher-safe?")
        page.get_by_role("button", name="Close the chat").click()
        with daemon.socket(f"{page.evaluate('localStorage.help')}/?name=Sara") as sara:
            sara.send(json.dumps({"message": "It is. The lid, too: it may lie in any basket."}))
            page.get_by_role("button", name="Ask us, 1 new message").wait_for()
        take({kind: each}, "launcher-closed")
        page.get_by_role("button", name="Ask us, 1 new message").click()
        ann.says("Thank you!")
        ann.hears_by_now("Thank you!")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Ask us").click()
        take({kind: each}, "launcher-open")
        each.context.close()


def take_crowd(browser: Profiles, daemon: Daemon) -> None:
    """A room of eighty people, also beside a phone's keyboard."""
    with ExitStack() as stack:
        names = [f"{first} {letter}." for letter in LETTERS for first in FIRST_NAMES][1:]
        people = [
            stack.enter_context(daemon.socket(f"{CROWD}/{asked(name)}", **SILENT)) for name in names
        ]
        tabs = devices(browser, daemon)
        pages = {
            kind: Visitor(each, touches=kind.startswith("phone")) for kind, each in tabs.items()
        }
        for page in pages.values():
            page.tab.open("/")
            join(page, CROWD, "Ann")
        for number, person in enumerate(people):
            person.send(json.dumps({"message": SAID[number % len(SAID)]}))
            person.recv()
        people[-1].send(json.dumps({"message": "Everybody is here now"}))
        for page in pages.values():
            page.hears_by_now("Everybody is here now")
        take(tabs, "crowd")
        phone = pages["phone-light"]
        phone.page.set_viewport_size({"width": PHONE["viewport"]["width"], "height": 360})
        phone.composer.focus()
        take({"phone-light": tabs["phone-light"]}, "keyboard")
        for each in tabs.values():
            each.context.close()


def key(name: str) -> str:
    """Makes all devices of a person one user."""
    return name.encode().hex().ljust(24, "-")


def asked(name: str) -> str:
    """The query of a person's socket."""
    return f"?name={quote(name)}&client={key(name)}"


def join(page: Visitor, room: str, name: str) -> None:
    """Enter a room, from a page of the same site."""
    kept = f"livechat:key:{page.tab.daemon.url}/"
    page.page.evaluate("([kept, key]) => localStorage.setItem(kept, key)", [kept, key(name)])
    page.join(room, name)


def devices(browser: Profiles, daemon: Daemon, locale: str = "en-GB") -> dict[str, Tab]:
    """Ann's."""
    return {
        f"{size}-{scheme}": Tab(
            browser,
            daemon,
            **kind,
            color_scheme=scheme,
            device_scale_factor=2 if size == "phone" else 1,
            locale=locale,
        )
        for size, kind in (("wide", {"viewport": WIDE}), ("phone", PHONE))
        for scheme in ("light", "dark")
    }


def take(tabs: dict[str, Tab], name: str) -> None:
    """A picture on each device."""
    for kind, tab in tabs.items():
        # For what moves until it has come to rest.
        tab.page.wait_for_timeout(500)
        tab.page.screenshot(path=TARGET / f"{name}-{kind}.png")


@contextmanager
def talk(daemon: Daemon, ann: Visitor) -> Iterator[None]:
    """Ann and others talk, who stay for a while."""
    with ExitStack() as stack:
        people = {
            name: stack.enter_context(daemon.socket(f"release-party/{asked(name)}", **SILENT))
            for name in dict(TALK_OF_FIVE)
            if name != "Ann"
        }
        for name, text in TALK_OF_FIVE:
            if name == "Ann":
                ann.says(text)
            else:
                people[name].send(json.dumps({"message": text}))
            ann.hears_by_now(text)
        people["Chidi"].close()
        yield


def change(ann: Visitor, chidi: Visitor) -> None:
    """One message is edited, one is taken back, and one is answered."""
    ann.says("Is the chanelog online?", "My number is 0170 1234567")
    ann.hears_by_now("My number is 0170 1234567")
    ann.chooses(ann.line("Is the chanelog online?"), "Edit")
    ann.says("Is the changelog online?")
    ann.chooses(ann.line("My number is 0170 1234567"), "Take back")
    chidi.hears_by_now("Is the changelog online?")
    chidi.chooses(chidi.line("Is the changelog online?"), "Reply")
    chidi.says("Since this morning")
    ann.hears_by_now("Since this morning")
    ann.chooses(ann.line("Lunch at half past twelve?"), "Reply")
    ann.says("I am in!")
    chidi.hears_by_now("I am in!")


def take_admin() -> None:
    """The admin page."""
    with (
        Daemon(
            DIRECTORY,
            "--port=10443",
            environment={"LIVECHAT_ADMIN_PASSWORD": PASSWORD},
        ) as daemon,
        company(daemon),
        chromium() as browser,
    ):
        for kind, tab in devices(browser, daemon).items():

            def picture(name: str, tab: Tab = tab, kind: str = kind) -> None:
                tab.page.wait_for_timeout(1_500)
                tab.page.screenshot(path=TARGET / f"{name}-{kind}.png")

            tab.open()
            picture("sign-in")
            tab.sign_in()
            tab.live()
            picture("rooms")
            tab.page.get_by_role("link", name="release-party").click()
            tab.live()
            tab.page.get_by_label("Message", exact=True).fill("Is this thing on?")
            tab.page.keyboard.press("Enter")
            tab.page.get_by_text("was sent to everyone").wait_for()
            # By its number: people go on talking.
            newest = tab.page.locator("[data-messages] li", has_text="guest").last
            seq = newest.get_attribute("data-seq")
            line = tab.page.locator(f"[data-messages] [data-seq='{seq}']")
            line.locator("summary").first.click()
            line.get_by_role("button", name="Remove for everyone").click()
            tab.page.get_by_text("was removed").wait_for()
            tab.page.evaluate("scrollTo(0, 0)")
            picture("room")
            tab.page.get_by_role("link", name="Audit").click()
            tab.live()
            picture("audit")
            tab.page.get_by_role("link", name="Health").click()
            tab.live()
            picture("health")
            tab.close()


if __name__ == "__main__":
    main()
