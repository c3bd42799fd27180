"""`livechat.identity.keys`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.backends.alone import LoneMap, LoneMaps
from livechat.errors import ChatError, Kind
from livechat.identity import keys as module
from livechat.identity.keys import USUAL_RATE, Key, Keys
from livechat.identity.rights import ALL_RIGHTS, grants_of
from livechat.system.time import Time
from tests.support import kind, run

NOW = 1_790_000_000
LOCAL = f"lck_local_{'l' * 43}"
WRONG = "w" * 43


class Desk:
    """Keys of a process, by a wall clock that can be set."""

    def __init__(self, most: int = 1_000) -> None:
        self.now = NOW
        time = Time(Clock(), lambda: self.now)
        self.map: LoneMap = LoneMaps(time.wall).get("keys", most=most, largest=20_000)
        self.keys = Keys(self.map, time, LOCAL)

    def add(self, name: str = "news", **more: Any) -> tuple[Key, str]:
        rooms = more.pop("rooms", {"news": ["send"]})
        made: tuple[Key, str] = run(self.keys.add(name, rooms, **more))
        return made

    def refused(self, credential: str, *, here: bool = False) -> str | None:
        try:
            self.keys.find(credential, here=here)
        except ChatError as error:
            return f"{error.kind} {error.headers} {error.detail}"
        return None


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that were hashed and compared."""
    done: list[str] = []
    for name in ("blake2b", "compare_digest"):
        original = getattr(module, name)

        def counted(*args: Any, _name: str = name, _do: Any = original, **more: Any) -> Any:
            done.append(f"{_name} {len(args[0])}")
            return _do(*args, **more)

        monkeypatch.setattr(module, name, counted)
    return done


def test_unknown_id_and_wrong_secret(work: list[str]) -> None:
    """An unknown id and a wrong secret cost the same work and get the same answer."""
    desk = Desk()
    key, credential = desk.add()
    assert desk.refused(credential) is None
    told, costs = set(), set()
    for given in (
        f"lck_{key.id}_{WRONG}",
        f"lck_{'0' * 12}_{WRONG}",
        f"lck_x_{WRONG}",
        f"lck_local_{WRONG}",
    ):
        work.clear()
        told.add(desk.refused(given, here=True))
        costs.add(tuple(work))
    assert len(told) == len(costs) == 1
    assert "UNAUTHORIZED" in str(told)
    assert "WWW-Authenticate" in str(told)
    assert costs == {("blake2b 43", "compare_digest 64")}


@pytest.mark.parametrize(
    "given",
    [
        "lck_", "lck__", "lck_a", f"lck__{WRONG}", f"lck_A_{WRONG}", f"lck_a_{WRONG}x",
        f"lck_a_{WRONG[:-1]}", f"lck_a_{WRONG}\n", f"lck_{'a' * 33}_{WRONG}", f"lck_é_{WRONG}",
        f"lck_a_{'é' * 43}", "lck_" + "a" * 60_000,
    ],
)  # fmt: skip
def test_a_text_that_is_no_key_is_refused_as_unknown(given: str) -> None:
    """A text that does not look like a key is refused as an unknown one is."""
    desk = Desk()
    assert desk.refused(given) == desk.refused(f"lck_a_{WRONG}")


def test_a_credential_finds_its_key() -> None:
    """A credential finds its key with its rights; the map holds no secret."""
    desk = Desk()
    made, credential = desk.add(rooms={"news": ["send"], "team-*": ["*"]}, as_users=True)
    found = desk.keys.find(credential, here=False)
    assert found == made
    assert found.grants == grants_of({"news": ["send"], "team-*": ["*"]})
    assert (found.record.name, found.record.as_users, found.record.rate) == (
        "news",
        True,
        USUAL_RATE,
    )
    (stored,) = desk.map.items()
    assert credential.split("_", 2)[2].encode() not in stored[1]
    assert desk.keys.all() == [made]


def test_the_local_key_cannot_be_listed_or_dropped() -> None:
    """All rights, from this machine only; it is in no list, and cannot be dropped."""
    desk = Desk()
    found = desk.keys.find(LOCAL, here=True)
    assert found.grants == {"*": ALL_RIGHTS}
    assert found.record.as_users
    assert desk.refused(LOCAL, here=False) == desk.refused(f"lck_a_{WRONG}")
    assert desk.keys.all() == []
    assert kind(Deferred.fromCoroutine(desk.keys.drop("local"))) is Kind.NOT_FOUND
    assert Keys(desk.map, Time(Clock()), None).all() == []
    without = Keys(desk.map, Time(Clock()))
    with pytest.raises(ChatError):
        without.find(LOCAL, here=True)


def test_a_key_called_local_in_the_map() -> None:
    """An entry of the map is not the local key."""
    desk = Desk()
    desk.add()
    ((_, value),) = desk.map.items()
    desk.map.put("local", value)
    assert desk.keys.find(LOCAL, here=True).record.name == "local"


def test_two_keys_may_share_a_name() -> None:
    """Two keys may share a name while one replaces the other; a third waits for one to go."""
    desk = Desk()
    (first, old), (_, new) = desk.add(), desk.add(expires=NOW + 60)
    assert desk.refused(old) is desk.refused(new) is None
    with pytest.raises(ChatError, match="news") as refused:
        desk.add()
    assert refused.value.kind is Kind.TOO_MANY_KEYS
    desk.add("other")
    run(desk.keys.drop(first.id))
    assert desk.refused(old)
    assert desk.refused(new) is None
    desk.add()
    desk.now += 60
    assert desk.refused(new)
    desk.add()


def test_two_processes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third that another process made meanwhile is found, and taken back."""
    desk = Desk()
    desk.add()
    put = LoneMap.put

    def late(self: LoneMap, *args: Any, **more: Any) -> Any:
        monkeypatch.setattr(LoneMap, "put", put)
        desk.add()
        return put(self, *args, **more)

    monkeypatch.setattr(LoneMap, "put", late)
    with pytest.raises(ChatError):
        desk.add()
    assert len(desk.keys.all()) == 2


def test_a_full_map_takes_no_key() -> None:
    """Nothing is dropped for one more."""
    desk = Desk(most=1)
    _, credential = desk.add()
    with pytest.raises(ChatError) as refused:
        desk.add("other")
    assert refused.value.kind is Kind.OVERLOADED
    assert desk.refused(credential) is None


def test_a_key_of_another_version_counts_as_none() -> None:
    """A key that cannot be understood counts as none, can be dropped, and spoils no list."""
    desk = Desk()
    made, credential = desk.add()
    ((_, value),) = desk.map.items()
    desk.map.put("b" * 12, value.replace(b'"news"', b'"later"').replace(b'["send"]', b'["fly"]'))
    desk.map.put("c" * 12, b'{"name":1}')
    secret = credential.split("_", 2)[2]
    assert desk.refused(f"lck_{'b' * 12}_{secret}")
    assert desk.keys.all() == [made]
    for known_as in ("b" * 12, "c" * 12):
        run(desk.keys.drop(known_as))
    assert len(desk.map.items()) == 1


def test_a_changed_key_counts_as_it_is_now(work: list[str]) -> None:
    """A key that another process has changed counts as it is now; what was read is bounded."""
    desk = Desk()
    made, credential = desk.add()
    desk.keys.find(credential, here=False)
    ((_, value),) = desk.map.items()
    desk.map.put(made.id, value.replace(b'"news":["send"]', b'"news":["join"]'))
    assert desk.keys.find(credential, here=False).grants == grants_of({"news": ["join"]})
    for number in range(2 * module.MOST_KEYS + 1):
        desk.keys._read[str(number)] = b"", made
    desk.map.put(made.id, value)
    assert desk.keys.find(credential, here=False) == made
    assert len(desk.keys._read) == 1
