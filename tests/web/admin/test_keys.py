"""`livechat.web.admin.keys`: keys of back ends, on a page."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from livechat.identity.keys import MOST_OF_A_NAME
from tests.support import Answer, Browser, Port, World, run
from tests.web.admin.looking import HOSTILE, named, page
from tests.web.admin.moderating import notices, records, told

TARGET = "/admin/keys/"
SHOP = {"name": "shop", "rooms": "shop-*: join, history send\nlobby: *"}


def make(browser: Browser, **fields: str) -> Answer:
    browser.get(TARGET)
    return browser.post(TARGET, **SHOP | fields)


def secrets(text: str) -> list[str]:
    return re.findall(r"lck_[a-z0-9]+_[A-Za-z0-9_-]{43}", text)


def test_a_made_key_is_shown_once(browser: Browser, world: World) -> None:
    """The key is shown once, and works."""
    answer = make(browser, rate="50", seconds="86400", **{"as": "on"})
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    (credential,) = secrets(answer.body.decode())
    key = world.keys.find(credential, here=False)
    assert key.record.name == "shop"
    assert key.record.as_users
    assert key.record.rate == 50
    assert key.record.expires == int(world.wall) + 86_400
    assert key.grants["shop-*"] == {"join", "history", "send"}
    assert len(key.grants["lobby"]) == 5
    text = page(browser, TARGET)
    assert secrets(text) == []
    assert key.record.secret not in text
    assert key.id in text
    assert records(world)[-1].action.type == "key_add"


def test_rooms_as_json(browser: Browser, world: World) -> None:
    assert make(browser, rooms='{"news": ["send"]}', metrics="on").status == 200
    (key,) = world.keys.all()
    assert key.grants == {"news": frozenset({"send"})}
    assert key.record.scope == "metrics"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""}, {"name": " "}, {"name": "x" * 41}, {"rooms": ""}, {"rooms": "{"},
        {"rooms": "lobby"}, {"rooms": "lobby: fly"}, {"rooms": "a b: send"}, {"rooms": "!audit: *"},
        {"rooms": "a: send\na: join"}, {"rooms": '{"a": "send"}'}, {"rooms": "[" * 5_000},
        {"rate": "x"}, {"rate": "-1"}, {"rate": "nan"}, {"seconds": "0"}, {"seconds": "x"},
    ],
)  # fmt: skip
def test_a_refused_key_keeps_the_typed_fields(
    browser: Browser, world: World, fields: dict[str, str]
) -> None:
    """The page says why a key was not made, and keeps the typed fields."""
    answer = make(browser, **fields)
    assert answer.status == 400
    text = answer.body.decode()
    assert notices(text)
    assert (
        unescape(re.findall(r'id="name" name="name" value="([^"]*)"', text)[0])
        == (SHOP | fields)["name"]
    )
    assert world.keys.all() == []


def test_two_keys_may_share_a_name(browser: Browser) -> None:
    for _ in range(MOST_OF_A_NAME):
        assert make(browser).status == 200
    assert make(browser).status == 409


def test_a_dropped_key_is_gone(browser: Browser, world: World) -> None:
    make(browser)
    (key,) = world.keys.all()
    assert told(browser, browser.post("/admin/keys/drop/", key=key.id)) == (
        f"The key shop ({key.id}) is dropped."
    )
    assert world.keys.all() == []
    assert records(world)[-1].action.type == "key_drop"
    assert "no key" in told(browser, browser.post("/admin/keys/drop/", key=key.id))


@pytest.mark.parametrize("text", HOSTILE[:7])
def test_hostile_names_of_keys_are_shown_as_text(browser: Browser, text: str) -> None:
    make(browser, name=text, rooms="lobby: send")
    for target in (TARGET, "/admin/audit/"):
        found = page(browser, target)
        main = found[found.index("<main") :]
        assert "<script" not in main
        assert "<img" not in main
        assert ">49<" not in main


def test_keys_are_for_managers_of_everything(port: Port, world: World) -> None:
    """Only operators who manage everything may; others see no link, and nothing of keys."""
    run(world.keys.add("secret name", {"lobby": ["send"]}))
    (key,) = world.keys.all()
    for rooms in ({"lobby": "*"}, {"*": "moderate"}):
        ann = named(port, "ann", **rooms)
        assert TARGET not in page(ann, "/admin/")
        for answer in (
            ann.get(TARGET), ann.post(TARGET, **SHOP), ann.post("/admin/keys/drop/", key=key.id),
        ):  # fmt: skip
            assert answer.status == 403
            assert b"secret name" not in answer.body
    assert len(world.keys.all()) == 1
    manager = named(port, "bob", **{"*": "manage"})
    answer = make(manager)
    assert (answer.status, "rights that you lack" in answer.body.decode()) == (403, True)
    assert make(manager, rooms="lobby: manage").status == 200


def test_forms_of_keys_need_their_token(browser: Browser, world: World) -> None:
    browser.get(TARGET)
    body = json.dumps(SHOP).encode()
    assert browser.post(TARGET, **SHOP, token="x").status == 403
    assert browser.send(TARGET, body, Content_Type="application/json").status == 415
    assert world.keys.all() == []
