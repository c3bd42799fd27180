"""Pages of an erased file: `livechat.backends.sqlite.erasing` finds the gaps in all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from livechat.backends.sqlite.erasing import Layout, gap
from livechat.protocol.messages import (
    Draft,
    Edit,
    Retraction,
)
from tests.backends.disk import Disk
from tests.backends.sqlite.erased import ANN, erase, is_sound

#: A page of the file, and the first page of a file with such pages.
PAGE = 4_096


def header(kind: int, cells: int, content: int) -> bytes:
    return bytes((kind, 0, 0)) + cells.to_bytes(2, "big") + content.to_bytes(2, "big") + b"\0"


LAYOUT = Layout(PAGE, PAGE, 820)


@pytest.mark.parametrize(
    ("number", "head", "expected"),
    [
        (3, header(13, 2, 4_000), (12, 4_000)),
        (3, header(10, 0, 4_096), (8, 4_096)),
        (3, header(5, 1, 4_000), (14, 4_000)),
        (3, header(2, 0, 12), (12, 12)),
        (1, b"\0" * 100 + header(13, 2, 4_000), (112, 4_000)),
        # Overflow, free, no page at all, rows that overlap their pointers, none of our sizes.
        (3, header(0, 2, 4_000), (0, 0)),
        (3, header(1, 2, 4_000), (0, 0)),
        (3, header(13, 3_000, 4_000), (0, 0)),
        (3, header(13, 1, 0), (0, 0)),
        # Maps of pages begin with anything.
        (2, header(5, 1, 4_000), (0, 0)),
        (822, header(2, 1, 4_000), (0, 0)),
        (262_145, header(2, 1, 4_000), (0, 0)),
        (262_146, header(2, 1, 4_000), (0, 0)),
    ],
)
def test_gaps_are_where_the_header_of_a_page_says(
    number: int, head: bytes, expected: tuple[int, int]
) -> None:
    """A gap is where the page's own header says; where in doubt there is none."""
    assert gap(head.ljust(PAGE, b"\0"), 0, LAYOUT, number) == expected
    behind = gap(bytes(PAGE) + head.ljust(PAGE, b"\0"), PAGE, LAYOUT, number)
    assert behind == (expected[0] + PAGE, expected[1] + PAGE)


def test_sizes_are_read_as_the_format_has_them() -> None:
    """Sizes are read as the format has them; files without maps have none."""
    head = bytearray(100)
    head[16:18] = (1).to_bytes(2, "big")
    assert Layout.of(bytes(head)) == (65_536, 65_536, 0)
    head[16:18], head[20], head[55] = (4_096).to_bytes(2, "big"), 16, 1
    assert Layout.of(bytes(head)) == (4_096, 4_080, 817)


def words(number: int, count: int) -> str:
    """A text without a letter that JSON leaves as it is: of words that no other text has."""
    digits = str.maketrans("0123456789", "äöüßéèñçøå")
    return "".join(f'\n{number:03}{word:03}"'.translate(digits) for word in range(count))


def forms(text: str) -> set[bytes]:
    """The words of *text* in UTF-8, in JSON, in JSON of ASCII, and in JSON in JSON."""
    found: set[bytes] = set()
    for word in (text[at : at + 8] for at in range(0, len(text), 8)):
        for ascii_only in (False, True):
            once = json.dumps(word, ensure_ascii=ascii_only)[1:-1]
            twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
            found |= {word.encode(), once.encode(), twice.encode()}
    return found


def pages(disk: Disk) -> Iterator[bytes]:
    """Every page of the database and of its log."""
    data = disk.path.read_bytes()
    yield from (data[at : at + PAGE] for at in range(0, len(data), PAGE))
    log = Path(f"{disk.path}-wal").read_bytes()
    yield from (log[at + 24 : at + 24 + PAGE] for at in range(32, len(log), 24 + PAGE))


def found_in(disk: Disk, texts: list[str]) -> list[str]:
    """The *texts* of which a word is in a page."""
    every = {text: forms(text) for text in texts}
    return [
        text
        for text, words in every.items()
        if any(word in page for page in pages(disk) for word in words)
    ]


@pytest.mark.parametrize("length", [1, 300])
@pytest.mark.parametrize("moved", ["before", "between", "after", "never"])
def test_no_page_has_the_words(disk: Disk, length: int, moved: str) -> None:
    """Wherever a message was when it was taken back, it is in no form in any page afterwards."""
    store = disk.store()
    said, edited, data, kept = (words(number, length) for number in range(4))
    store.write([Draft("r", said, ANN), Draft("r", said, ANN), Draft("r", kept, ANN)])
    if moved == "before":
        store.sweep()
    raw = Raw(json.dumps({"a": data}, ensure_ascii=False).encode())
    store.write([Edit("r", 1, edited, ANN.subject, data=raw)])
    assert found_in(disk, [said, edited, data, kept]) == [said, edited, data, kept]
    if moved == "between":
        store.sweep()
    store.write([Retraction("r", (1, 2), ANN.subject)])
    if moved == "after":
        store.sweep()
    erase(store)
    assert found_in(disk, [said, edited, data, kept]) == [kept]
    assert [each.message for each in store.read("r", 0, 9).messages] == [kept]
    assert is_sound(disk)


def test_no_page_has_what_has_expired(disk: Disk) -> None:
    """A message that was in the journal until it was too old is in no page either."""
    store = disk.store(seconds=60)
    said = words(1, 200)
    store.write([Draft("r", said, ANN)])
    assert found_in(disk, [said]) == [said]
    disk.now += 61
    store.sweep()
    while store.untidy:
        store.tidy()
    assert found_in(disk, [said]) == []
