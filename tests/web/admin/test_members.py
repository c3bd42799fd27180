"""`livechat.web.admin.members`: the people of a room."""

from __future__ import annotations

import re

from msgspec.structs import replace

from livechat.identity.door import Claim
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import Restriction
from livechat.web.admin.listing import LINES
from tests.support import ADMIN, ANN, Browser, Port, RecordingClient, World, run
from tests.web.admin.looking import named, page
from tests.web.admin.moderating import CARLA, EVE, restrict, restricted, seen, told

MEMBERS = "/admin/rooms/r/members/"
RESTRICTIONS = "/admin/rooms/r/restrictions/"


def join(world: World, *names: str) -> None:
    for name in names:
        actor = run(world.door.member(world.source("192.0.2.7"), Claim(name)))
        run(world.chat.join(actor, "r", RecordingClient()))


def people(text: str) -> list[str]:
    """The people whom a page lists."""
    found = re.findall(r'<p class="author">(.*?)</p>', text, re.DOTALL)
    return [re.sub(r" ·\S+", "", seen(each)) for each in found]


def test_members_are_sorted_with_their_acts(browser: Browser, world: World) -> None:
    """Members are sorted by name, each with a menu of acts."""
    join(world, "Bob", "ann", "Zoe")
    text = page(browser, MEMBERS)
    assert people(text) == ["ann guest", "Bob guest", "Zoe guest"]
    assert "3 people here" in text
    assert text.count("Mute 10 minutes") == 3


def test_members_are_found_by_name_or_id(browser: Browser, world: World) -> None:
    """Members are found by name, in any case, and by the beginning of an id."""
    join(world, "Bob", "ＡＮＮ", "Joanna", "Zoe")
    assert people(page(browser, f"{MEMBERS}?member=ann")) == ["Joanna guest", "ＡＮＮ guest"]
    known_as = next(iter(world.chat.presence.users("r").values())).id
    assert len(people(page(browser, f"{MEMBERS}?member={known_as[:6]}"))) == 1
    text = page(browser, f"{MEMBERS}?member=%3Cb%3Enobody")
    assert people(text) == []
    assert "“<bdi>&lt;b&gt;nobody</bdi>”" in text
    assert browser.get(f"{MEMBERS}?member={'x' * 65}").status == 400


def test_a_room_of_ten_thousand(browser: Browser, world: World) -> None:
    """Ten thousand members come in pages, never all at once."""
    room = world.chat.presence
    for number in range(10_000):
        user = User(f"id{number:05}", f"Member {number:05}")
        room.enter("r", replace(ANN, user=user, connection=f"c{number}"))
    text = page(browser, MEMBERS)
    assert len(people(text)) == LINES
    assert people(text)[0] == "Member 00000 guest"
    assert "10,000 people here" in text
    assert 'href="/admin/rooms/r/members/?page=2"' in text
    assert people(page(browser, f"{MEMBERS}?member=id09999")) == ["Member 09999 guest"]
    assert len(text) < 300_000


def test_restrictions_stand_beside_the_name(browser: Browser, world: World) -> None:
    """A member's restrictions stand beside the name."""
    user = User("mallory12345", "Mallory")
    run(world.chat.join(replace(ANN, user=user), "r", RecordingClient()))
    restrict(world, user=user, kind="mute", reason="<b>calm down")
    restrict(world, user=user, kind="hold", everywhere=True)
    text = seen(page(browser, MEMBERS))
    assert "Muted until pardoned: <b>calm down" in text
    assert "Held in all rooms until pardoned" in text


def test_the_newest_restriction_is_first(browser: Browser, world: World) -> None:
    """The newest restriction is first, each with its person, end, reason, author and a button."""
    restrict(world, kind="mute", seconds=600, reason="spam")
    world.wall += 1
    restrict(world, user=CARLA, everywhere=True)
    restrict(world, "elsewhere", user=User("other1234567", "Other"))
    text = page(browser, RESTRICTIONS)
    assert [each.split()[0] for each in people(text)] == ["42", "evesid123456"]
    assert "2 restrictions in force" in text
    assert "Banned in all rooms until pardoned" in seen(text)
    assert "By Operator" in seen(text)
    assert text.count("/pardon/") == 2
    fields = {"user": EVE.subject, "back": RESTRICTIONS}
    assert "pardoned" in told(browser, browser.post("/admin/rooms/r/pardon/", **fields))
    assert restricted(world) is None
    assert len(people(page(browser, RESTRICTIONS))) == 1


def test_ten_thousand_restrictions(browser: Browser, world: World) -> None:
    author, kept = Author("operator"), world.chat.restrictions._known
    for number in range(10_000):
        user = User(f"id{number:05}", f"Spammer {number:05}")
        kept[f"r|{user.subject}"] = Restriction("ban", "manage", user, author, number)
    text = page(browser, RESTRICTIONS)
    assert "10,000 restrictions in force" in text
    assert people(text)[0] == "Spammer 09999 guest"
    assert len(people(text)) == LINES
    assert people(page(browser, f"{RESTRICTIONS}?page=200"))[-1] == "Spammer 00000 guest"
    found = page(browser, f"{RESTRICTIONS}?member=Spammer+0042")
    assert len(people(found)) == 10
    assert "10 restrictions in force" in found


def test_only_what_one_may_end(port: Port, world: World) -> None:
    """A moderator has no button for restrictions everywhere, or made by `manage`."""
    restrict(world, "lobby")
    restrict(world, "lobby", user=CARLA, everywhere=True)
    ann = named(port, lobby="moderate")
    text = page(ann, "/admin/rooms/lobby/restrictions/")
    assert len(people(text)) == 2
    assert "/pardon/" not in text
    for fields in ({}, {"everywhere": "on"}):
        user = CARLA if fields else EVE
        told(ann, ann.post("/admin/rooms/lobby/pardon/", user=user.subject, **fields))
    assert restricted(world, room="lobby") is not None
    assert restricted(world, CARLA, EVERYWHERE) is not None
    assert len(world.chat.moderation.listed(ADMIN)) == 2
