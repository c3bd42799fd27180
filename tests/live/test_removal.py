"""Removing messages on the admin page in Chromium, and what the audit says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.backends.redis.server import RedisServer
from tests.live.browser import NARROW, WIDE, Tab
from tests.live.daemon import Daemon, Member
from tests.live.operators import Operator, act
from tests.live.speaking import V1, hears, say


def ann(daemon: Daemon, room: str) -> Member:
    return daemon.socket(f"{room}/?name=Ann", subprotocols=[V1])


def line(tab: Tab, seq: int) -> Locator:
    return tab.page.locator(f"[data-messages] [data-seq='{seq}']")


def records(tab: Tab) -> list[str]:
    """Records of the audit page, newest first."""
    return [" ".join(each.split()) for each in tab.page.locator(".records .did").all_inner_texts()]


def kept(redis: RedisServer, key: str) -> str:
    """All that Redis has under a key, as text."""
    match redis.ask("TYPE", key):
        case "stream":
            return redis.ask("XRANGE", key, "-", "+")
        case "hash":
            return redis.ask("HGETALL", key)
    return ""


def by_pointer(tab: Tab, seq: int) -> None:
    line(tab, seq).locator(".menu > summary").click()
    line(tab, seq).get_by_role("button", name="Remove for everyone").click()


def by_finger(tab: Tab, seq: int) -> None:
    line(tab, seq).locator(".menu > summary").tap()
    line(tab, seq).get_by_role("button", name="Remove for everyone").tap()


def by_keyboard(tab: Tab, seq: int) -> None:
    keyboard = tab.page.keyboard
    button = line(tab, seq).get_by_role("button", name="Remove for everyone")
    line(tab, seq).locator(".menu > summary").focus()
    keyboard.press("Enter")
    expect(button).to_be_visible()
    keyboard.press("Escape")
    expect(button).to_be_hidden()
    keyboard.press("Space")
    keyboard.press("Tab")
    expect(button).to_be_focused()
    keyboard.press("Enter")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_removing(tab: Callable[..., Tab], daemon: Daemon, *, scripts: bool) -> None:
    """Removal takes two steps; members are told, plain clients are not, the audit has the text."""
    room = f"removing-{scripts}"
    ways = [by_pointer, by_finger, by_keyboard] if scripts else [by_pointer]
    operator = tab(java_script_enabled=scripts, viewport=NARROW, has_touch=True)
    texts = [f"call me: {number} {room}" for number in range(len(ways))]
    with ann(daemon, room) as member, daemon.socket(room) as plain:
        leaked = [say(member, text) for text in texts]
        operator.enters(f"/admin/rooms/{room}/")
        if scripts:
            operator.live()
        for remove, seq in zip(ways, leaked, strict=True):
            remove(operator, seq)
            event = hears(member, "event")
            assert (event["event"], event["refs"]) == ("retracted", [seq])
            assert event["by"] == "moderator"
            expect(line(operator, seq).locator("p")).to_have_text("Removed by a moderator")
            told = operator.page.get_by_role("status").get_by_text(f"Message {seq} was removed")
            expect(told).to_be_visible()
        say(member, "afterwards")
        heard = [json.loads(plain.recv())["message"] for _ in (*texts, "afterwards")]
        assert heard == [*texts, "afterwards"]
    operator.page.reload()
    assert operator.messages() == ["Removed by a moderator"] * len(ways) + ["afterwards"]
    assert [each["message"] for each in daemon.history(room)] == ["afterwards"]
    operator.page.get_by_role("link", name="Audit").click()
    # A click begins a navigation and does not wait for it.
    expect(operator.page.get_by_role("heading", name="Audit")).to_be_visible()
    operator.page.wait_for_load_state("domcontentloaded")
    removed = [f"Operator removed a message of Ann in {room}: {each}" for each in texts]
    assert records(operator)[: len(ways)] == removed[::-1]


def test_what_happens_to_messages(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """Edits and retractions show on the page as they happen, and numbers go on."""
    operator = tab()
    with ann(daemon, "changes") as member:
        first, second = say(member, "frist"), say(member, "oops")
        operator.enters("/admin/rooms/changes/")
        operator.live()
        expect(line(operator, first).locator("em")).to_be_hidden()
        member.send(json.dumps({"type": "edit", "ref": first, "message": "first"}))
        member.send(json.dumps({"type": "retract", "ref": second}))
        expect(line(operator, first).locator("p")).to_have_text("first")
        expect(line(operator, first).locator("em")).to_be_visible()
        expect(line(operator, second).locator("p")).to_have_text("Taken back by its author")
        expect(line(operator, second).locator("summary")).to_have_count(0)
        say(member, "third")
        expect(operator.page.locator("[data-messages] p")).to_have_count(3)
        expect(operator.page.locator(".gap")).to_have_count(0)
    shown = operator.messages()
    operator.page.reload()
    assert operator.messages() == shown == ["first", "Taken back by its author", "third"]


def test_removal_that_is_refused(tab: Callable[..., Tab], daemon: Daemon) -> None:
    """The page says why: the server is away, or another moderator was faster."""
    operator = tab()
    # Else it would know that the message is gone.
    operator.page.route("**/events?*", lambda route: route.abort())
    with ann(daemon, "twice") as member:
        seq = say(member, "spam")
        operator.enters("/admin/rooms/twice/")
        operator.context.set_offline(True)
        by_pointer(operator, seq)
        expect(operator.page.get_by_text("The server cannot be reached.")).to_be_visible()
        operator.context.set_offline(False)
        act(daemon, "twice", type="retract", ref=seq)
        hears(member, "event")
        line(operator, seq).get_by_role("button", name="Remove for everyone").click()
        expect(operator.page.get_by_role("alert")).to_contain_text("There is no such message")
        operator.open("/admin/audit/")
        assert len([each for each in records(operator) if "in twice" in each]) == 1


def test_live_audit(tab: Callable[..., Tab], daemon: Daemon, tmp_path: Path) -> None:
    """Others' acts appear on the audit page by themselves."""
    one, other = tab(), Operator(daemon, tmp_path / "jar")
    one.enters("/admin/audit/")
    one.live()
    before = len(records(one))
    other.sign_in()
    expect(one.page.locator(".records li")).to_have_count(before + 1)
    other.post("/admin/sign-out/")
    expect(one.page.locator(".records li").first).to_contain_text("signed out")


def test_removal_before_a_kill(tab: Callable[..., Tab], start: Callable[..., Daemon]) -> None:
    """An acknowledged removal is in the audit after a kill."""
    daemon = start()
    with ann(daemon, "r") as member:
        seq = say(member, "spam")
        operator = tab(daemon)
        operator.enters("/admin/rooms/r/")
        by_pointer(operator, seq)
        expect(operator.page.get_by_role("status").get_by_text("was removed")).to_be_visible()
        daemon.kill()
    operator.daemon = start(f"--port={daemon.port}")
    operator.open("/admin/audit/")
    assert records(operator) == [
        "Operator removed a message of Ann in r: spam",
        "Operator signed in",
    ]


def test_removal_by_workers(
    tab: Callable[..., Tab], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """A removal at one process is told and recorded at all, with Redis."""
    with RedisServer(tmp_path / "redis") as redis:
        daemon = start(f"--redis={redis.url}", "--workers=2")
        daemon.log.wait_for("is ready, with 2 workers")
        for number in (1, 2):
            daemon.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
        watching = tab(daemon)
        watching.enters("/admin/audit/")
        watching.live()
        with ExitStack() as stack:
            members = [stack.enter_context(ann(daemon, "r")) for _ in range(6)]
            seq = say(members[0], "call me: 0123")
            act(daemon, "r", type="retract", ref=seq)
            for member in members:
                assert hears(member, "event")["refs"] == [seq]
        expect(watching.page.locator(".records li").first).to_contain_text("call me: 0123")
        assert daemon.history("r") == []
        for kind in ("s", "x", "m"):
            assert "0123" not in kept(redis, f"lc:{{r}}:{kind}")
        assert "0123" in kept(redis, "lc:{!audit}:s")
        daemon.stop()


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        pytest.param("light", WIDE, id="light-wide"),
        pytest.param("dark", NARROW, id="dark-narrow", marks=pytest.mark.soak),
    ],
)
def test_axe(
    tab: Callable[..., Tab], daemon: Daemon, viewport: dict[str, int], scheme: str
) -> None:
    """Axe-core finds nothing serious in a room; test_admin_room.py looks at the audit."""
    operator = tab(viewport=viewport, color_scheme=scheme)
    with ann(daemon, "axe") as member:
        for text in ("W" * 400, "one\ntwo\n" * 40, "stays"):
            seq = say(member, text)
        operator.enters("/admin/rooms/axe/")
        operator.live()
        by_pointer(operator, seq - 1)
        expect(line(operator, seq - 1).locator("p")).to_have_text("Removed by a moderator")
        line(operator, seq).locator(".menu > summary").click()
        assert operator.findings() == []
