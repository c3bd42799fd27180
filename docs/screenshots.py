"""
Makes the pictures of the admin page: ``.venv/bin/python docs/screenshots.py``.

It needs what ``make test`` sets up.  A daemon of its own is started, a few
people talk for a minute, and Chromium takes the pictures into
``docs/screenshots/``.
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

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.live.browser import NARROW, PASSWORD, WIDE, Tab, chromium  # noqa: E402
from tests.live.daemon import Daemon, Member  # noqa: E402

ROOMS = {
    "lobby": 14, "release-party": 9, "support": 6, "engineering": 5, "berlin": 3, "design": 3,
    "random": 2, "on-call": 1,
}  # fmt: skip
SAID = [
    "Good morning, everybody!",
    "Is the new release out?",
    "It is. The changelog is worth a read 🎉",
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
    "👍",
]
#: Where the daemon runs, which is in the pictures.
DIRECTORY = Path(tempfile.gettempdir(), "livechat")
#: Seconds of talk before the pictures, so that the chart has something to show.
TALK = 150


@contextmanager
def company(daemon: Daemon) -> Iterator[None]:
    """People in rooms, who talk."""
    with ExitStack() as stack:
        people: list[tuple[str, Member]] = [
            # They do not read, so they must not be asked whether they are there.
            (room, stack.enter_context(daemon.socket(room, ping_interval=None, max_queue=None)))
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
    try:
        take_all()
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)


def take_all() -> None:
    target = HERE / "screenshots"
    target.mkdir(exist_ok=True)
    with (
        Daemon(
            DIRECTORY,
            "--port=10443",
            environment={"LIVECHAT_ADMIN_PASSWORD": PASSWORD},
        ) as daemon,
        company(daemon),
        chromium() as browser,
    ):
        for size, viewport in (("wide", WIDE), ("phone", NARROW)):
            for scheme in ("light", "dark"):
                tab = Tab(
                    browser,
                    daemon,
                    viewport=viewport,
                    color_scheme=scheme,
                    device_scale_factor=2 if size == "phone" else 1,
                    locale="en-GB",
                )

                def take(name: str, tab: Tab = tab, kind: str = f"{size}-{scheme}") -> None:
                    tab.page.wait_for_timeout(1_500)
                    tab.page.screenshot(path=target / f"{name}-{kind}.png")

                tab.open()
                take("sign-in")
                tab.sign_in()
                tab.live()
                take("rooms")
                tab.page.get_by_role("link", name="release-party").click()
                tab.live()
                tab.page.get_by_label("Message", exact=True).fill("Is this thing on?")
                tab.page.keyboard.press("Enter")
                tab.page.get_by_text("was sent to everyone").wait_for()
                tab.page.evaluate("scrollTo(0, 0)")
                take("room")
                tab.close()


if __name__ == "__main__":
    main()
