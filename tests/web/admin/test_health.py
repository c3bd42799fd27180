"""`livechat.web.admin.health`: the state of the server, on a page."""

from __future__ import annotations

import re
from html import unescape

import pytest

from livechat.protocol.cluster import Condition, Report
from livechat.protocol.receivers import Answer, ReceiverState
from livechat.system.day import EVERY, Day, Figures, Minute
from livechat.web.admin import health
from livechat.web.admin.health import BARS, Tile, charts, counts, others, tiles
from tests.support import Browser, Port, World, run
from tests.web.admin.looking import named, page

TARGET = "/admin/health/"
NOW = 1_790_000_000.0
REPORT = Report("here/1", 0, 0, 0.0, (), ())


def minute(ago: float, counts: Figures | None = None, **times: float) -> Minute:
    """A minute that has ended so many minutes ago."""
    return Minute(NOW - EVERY * ago, EVERY, counts or {}, times, {})


def fill(port: Port, *minutes: Minute) -> None:
    """Give the server's day these minutes, as of now."""
    port.world.wall = NOW
    port.day.take(minutes, NOW)


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_a_new_server_has_a_page(browser: Browser) -> None:
    """A server that has just begun has a page, too."""
    text = words(page(browser, TARGET))
    assert "Storage Working" in text
    assert "Nothing was refused." in text
    assert "No WebSocket has closed." in text
    assert "here/1 this one" in text


def test_a_day_has_counts_and_charts(browser: Browser, port: Port) -> None:
    """The page counts refusals and closes of WebSockets, and has charts with their labels."""
    fill(
        port,
        minute(700, {"refusals bad_json": 5, "stored": 600}),
        minute(
            1,
            {"refusals bad_json": 2, "refusals rate_limited": 1200, "closes server 4008": 3,
             "closes peer 1006": 1, "turned_away": 9, "stored": 120},
            stored_to_written=0.025,
        ),
    )  # fmt: skip
    text = page(browser, TARGET)
    shown = words(text)
    assert "Reason Last hour 24 hours rate_limited 1,200 1,200 bad_json 2 7" in shown
    assert "4008 by the server did not read 3 3 1006 by the client broke 1 1" in shown
    assert "connections closed unheard 9 9" in shown
    assert "Messages a second 2.0 at most 10" in shown
    assert "Delivery of 99 of 100 25 ms at most 25 ms" in shown
    label = "Messages a second over the last 24 hours: 2.0 now, at most 10"
    assert f'aria-label="{label}"' in text


def test_trouble_of_the_storage_comes_first(
    browser: Browser, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble with the storage comes first, in the backend's words."""
    monkeypatch.setattr(port.world.chat, "trouble", lambda: "the disk is <full>")
    text = page(browser, TARGET)
    assert "Storage Trouble the disk is <full>" in words(text)
    assert "<full>" not in text


@pytest.mark.parametrize("rooms", [{"lobby": "*"}, {"*": "join history send moderate"}])
def test_the_page_is_for_managers_of_everything(port: Port, rooms: dict[str, str]) -> None:
    """The page is for operators who manage everything, like the server's other figures."""
    operator = named(port, **rooms)
    assert operator.get(TARGET).status == 403
    assert "/admin/health/" not in page(operator, "/admin/")
    assert operator.events(f"{TARGET}events").answer().status == 403


def test_a_stranger_is_sent_to_sign_in(port: Port) -> None:
    """A stranger is asked to sign in, and led to the page afterwards."""
    answer = Browser(port).get(TARGET)
    assert answer.status == 303
    assert "next=%2Fadmin%2Fhealth%2F" in answer.headers["location"]


def test_changed_parts_are_sent_again(browser: Browser, port: Port) -> None:
    """Parts are sent again when they have changed, and only then."""
    wire = browser.events(f"{TARGET}events")
    assert {name for name, _ in wire.events()} == {
        "health_now", "health_day", "health_counts", "health_processes", "health_webhooks",
    }  # fmt: skip
    port.world.clock.pump([0.5] * 4)
    assert {name for name, _ in wire.events()} <= {"health_now", "health_processes"}
    port.day.take([minute(0, {"refusals bad_json": 1})], NOW)
    port.world.wall = NOW
    port.world.clock.pump([0.5] * 4)
    assert {"health_day", "health_counts"} <= {name for name, _ in wire.events()}


def test_each_receiver_has_its_state(browser: Browser, port: Port) -> None:
    """The page has state, lag and last answer of each receiver; an answer cannot be markup."""
    assert "not told just now" in page(browser, TARGET)
    now = int(1000 * port.world.wall)
    answer = Answer(now, 0.25, 500, "<script>no</script>")
    state = ReceiverState(
        "hooks-example-1", "", "failing", 7, now - 90_000, 3, 2, 1, answer, now + 60_000, now
    )
    run(port.world.board.write(state))
    shown = page(browser, TARGET)
    assert "https://hooks.example/…" in shown
    assert "7 entries wait" in shown
    assert "3 sent, 2 attempts failed" in shown
    assert "after 250 ms" in shown
    assert "<script>no" not in shown
    assert "geheim" not in shown


def of(title: str, found: list[Tile]) -> Tile:
    return next(each for each in found if each.title == title)


@pytest.mark.parametrize(
    ("figures", "title", "ill"),
    [
        ({"redis_up redis://r:1/0": 1.0}, "redis://r:1/0", False),
        ({"redis_up redis://r:1/0": 0.0}, "redis://r:1/0", True),
        ({"disk_free_bytes": 4e8, "disk_size_bytes": 1e9}, "Disk left", True),
        ({"disk_free_bytes": 2e9, "disk_size_bytes": 1e12}, "Disk left", True),
        ({"disk_free_bytes": 2e9, "disk_size_bytes": 2e10}, "Disk left", False),
        ({}, "Disk", None),
        ({"processes": 3, "workers": 4}, "Workers", True),
        ({"processes": 4, "workers": 4}, "Workers", False),
        ({"slow_members": 2}, "Slow consumers", True),
        ({"slow_members": 0}, "Slow consumers", None),
    ],
)
def test_a_tile_is_marked_when_ill(figures: Figures, title: str, ill: bool | None) -> None:
    """A tile is marked when its figure needs attention."""
    assert of(title, tiles(figures, [], [REPORT], None)).ill == ill


@pytest.mark.parametrize(
    ("name", "title", "seconds", "ill"),
    [
        ("reactor_lag", "Lag", 0.01, False), ("reactor_lag", "Lag", 1.0, True),
        ("stored_to_written", "Delivery", 0.5, False), ("stored_to_written", "Delivery", 2.5, True),
        ("redis_answer", "redis://r:1/0", 0.25, True),
        ("redis_answer", "redis://r:1/0", 0.1, False),
    ],
)  # fmt: skip
def test_slow_figures_are_marked(name: str, title: str, seconds: float, ill: bool) -> None:
    found = tiles(
        {"redis_up redis://r:1/0": 1}, [minute(1, None, **{name: seconds})], [REPORT], None
    )
    assert of(title, found).ill == ill


def test_clocks_are_compared() -> None:
    """Processes are compared with each other and with Redis, of whatever version they are."""

    def process(ahead: float) -> Report:
        return Report("p", 0, 0, 0.0, (), (), Condition("1", None, 0.0, {"r": ahead}))

    assert of("Clock", tiles({}, [], [REPORT], None)).ill is None
    near = of("Clocks differ by", tiles({}, [], [REPORT, process(0.1), process(-0.1)], None))
    assert (near.value, near.ill) == ("0.2 s", False)
    assert of("Clocks differ by", tiles({}, [], [process(3), process(-3)], None)).ill
    assert of("Clocks differ by", tiles({}, [], [process(-6)], None)).ill


def test_a_bar_is_the_highest_of_five_minutes() -> None:
    """A bar is the highest of five minutes; five minutes without a figure have no bar."""
    minutes = [minute(29, {"stored": 60}), minute(28, {"stored": 600}), minute(1, {"stored": 300})]
    chart = charts(minutes, NOW)[0]
    assert (chart.title, chart.now, chart.most) == ("Messages a second", 5, 10)
    assert chart.path == f"M{BARS - 6} 48V1.0h1V48zM{BARS - 1} 48V24.5h1V48z"


def test_a_long_gap_and_a_strange_clock() -> None:
    """Minutes older than a day, or of the future, are not drawn."""
    old, early = minute(24 * 60 + 1, {"stored": 60}), minute(-10, {"stored": 60})
    assert charts([old], NOW)[0].path == ""
    assert charts([early], NOW)[0].path == ""
    assert charts([], NOW)[0].now is None


def test_the_most_frequent_count_comes_first() -> None:
    """The most frequent count comes first, and the last hour's minutes count for the hour."""
    minutes = [minute(61, {"closes peer 1000": 9}), minute(59, {"closes server 4008": 1})]
    found = counts(minutes, NOW, "closes")
    assert [(each.name, each.hour, each.day) for each in found] == [
        ("1000 by the client", 0, 9), ("4008 by the server", 1, 1),
    ]  # fmt: skip
    assert [each.day for each in others(minutes, NOW)] == [0, 0, 0]


def test_figures_are_read_seldom(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures of all workers are read once in some seconds, for any number of readers."""
    reads: list[None] = []

    def gauges() -> Figures:
        reads.append(None)
        return {}

    monkeypatch.setattr(health, "gauges", gauges)
    for _ in range(3):
        page(browser, TARGET)
    assert len(reads) == 1
    world.clock.advance(health.FRESH)
    page(browser, TARGET)
    assert len(reads) == 2


def test_the_largest_page() -> None:
    """A full day in all charts is some tens of kilobytes."""
    day = Day()
    full = [minute(ago, {"stored": float(ago)}) for ago in range(24 * 60 - 1, 0, -1)]
    day.take(full, NOW)
    assert sum(len(each.path) for each in charts(day.minutes(), NOW)) < 60_000


@pytest.mark.parametrize(
    ("counts", "times", "title", "value", "ill"),
    [
        ({"asked send accept": 9, "asked join reject": 1}, {"ask_answer": 0.1}, "Site's answers",
         0.1, False),
        ({"asked send accept": 9, "asked send failed": 1}, {"ask_answer": 1.0}, "Site's answers",
         1.0, True),
        ({"asked send not_asked": 3}, {}, "Site", "Not asked", True),
    ],
)  # fmt: skip
def test_a_site_that_is_asked_has_a_tile(
    counts: dict[str, float], times: dict[str, float], title: str, value: object, ill: bool
) -> None:
    """A site that is asked has a tile, which says whether it answers."""
    tile = of(title, tiles({}, [minute(1, counts, **times)], [REPORT], None))
    assert (tile.value, tile.ill) == (value, ill)


def test_without_a_site_there_is_no_tile() -> None:
    """Without a site that is asked there is no tile of it."""
    for minutes in ([], [minute(1, {"stored": 3})]):
        assert not any("Site" in each.title for each in tiles({}, minutes, [REPORT], None))
