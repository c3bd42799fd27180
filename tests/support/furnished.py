"""Rooms of every kind in an embedded database, for tests that move them."""

from __future__ import annotations

from pathlib import Path

from msgspec import Raw

from livechat.backends.maps import MapEntry
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.maps import MapsFile
from livechat.protocol.messages import Amended, Draft, Edit, Message, Retraction, User
from livechat.protocol.names import AUDIT_ROOM
from tests.backends.disk import Disk

ANN = User("1", "Ann", "vip", verified=True)
DATA = Raw(rb'{"x":[1.50,"\u00e9"]}')
BO = User("g1", "Bo \u202e")
#: Entries of the largest room: more than any step reads.
MANY = 1_203
MAPS = {
    "rooms": {"a": MapEntry(b'{"title":"A"}'), "b": MapEntry(b'{"closed":true}', 1_900_000_000)},
    "restrictions": {"*|g:g1": MapEntry(b'{"kind":"ban"}'), "a|u:1": MapEntry(b'{"kind":"mute"}')},
    "operators": {"session": MapEntry(b"{}")},
}


def furnish(directory: Path) -> None:
    """
    Make a state directory in which every feature of rooms is in use.

    Some entries are only in the journal, as after a livechat was killed.
    """
    disk = Disk(directory)
    store = disk.store()
    MapsFile(directory).prepare(store, disk.now)
    for name, entries in MAPS.items():
        MapsFile(directory).write(name, dict(entries))
    _write(store, *(Draft("many", f"m{number}", BO) for number in range(MANY)))
    _write(store, Draft("a", "hi", ANN, data=DATA))
    _write(store, Draft("a", "an answer", BO, reply_to=1), Draft("a", "anybody's"))
    _write(store, Edit("a", 1, "hi!", ANN.subject), Edit("a", 1, "hi!!", ANN.subject))
    _write(store, Retraction("a", (2,), None, moderates=True))
    _write(store, Draft(AUDIT_ROOM, "done", ANN), Draft("gone", "1"), Draft("gone", "2"))
    store.retention.retain(lambda room: (0, 1 if room == "gone" else 0))
    disk.now += 100
    while store.sweep() or store.walking:
        store.walk()
    _write(store, Draft("late", "in the journal", BO), Draft("a", "the last\none"))
    store.close()
    store.release()


def _write(store: Database, *acts: Draft | Edit | Retraction) -> None:
    for act in store.write(acts):
        assert isinstance(act, Message | Amended), act
