"""`livechat.backends.sqlite.reading`."""

from __future__ import annotations

from livechat.backends.sqlite import reading
from livechat.protocol.messages import Draft
from tests.backends.disk import Disk, say, shown


def test_reading_without_a_writer(disk: Disk) -> None:
    """The history can be read while the file is not open for writing."""
    store = disk.store()
    say(store, "a")
    store.close()
    assert shown(store) == [1]


def test_expired_but_not_removed(disk: Disk) -> None:
    """Each read finds where the history begins, in few steps, wherever its messages are."""
    store = disk.store(seconds=100)
    for number in range(300):
        say(store, "x")
        disk.now += 1
        if number == 150:
            store._writer.move()
    assert shown(store) == list(range(201, 301))
    steps: list[str] = []
    with store._reader.reading() as db:
        db.set_trace_callback(steps.append)
        since = store.retention.of("r").first_time(store.clock.milliseconds())
        view = store._reader._view(db, "r")
        assert view is not None
        assert view.first_since(1, since) == 201
    assert len(steps) < 12
    disk.now += 99
    assert shown(store) == [300]
    disk.now += 1
    page = store.read("r", 0, 10)
    assert (page.messages, page.position.oldest) == ((), 301)


def test_page_of_long_texts(disk: Disk) -> None:
    """A read holds its view of the file for one page only."""
    store = disk.store()
    store.write([Draft("r", "x" * 1_000) for _ in range(200)])
    page = store.read("r", 0, 200)
    assert len(page.messages) == -(-reading._PAGE_CHARACTERS // 1_000)
