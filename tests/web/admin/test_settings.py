"""`livechat.web.admin.settings`: the forms of settings."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.support import Answer, Browser, Port, World
from tests.web.admin.looking import HOSTILE, named, page
from tests.web.admin.moderating import notices, records, set_rules, settings, told

TARGET = "/admin/rooms/r/settings/"


def typed(text: str) -> dict[str, str]:
    """Read a page's form, as a browser would send it."""
    form = text[text.index('<form class="settings"') :]
    form = form[: form.index("</form>")]
    found = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', form))
    found |= dict(
        re.findall(r'(?s)<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL)
    )
    for name, options in re.findall(
        r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        chosen = re.findall(r'value="([^"]*)" selected', options)
        found[name] = chosen[0] if chosen else ""
    return {name: unescape(value) for name, value in found.items()}


def save(browser: Browser, target: str = TARGET, /, **fields: str) -> Answer:
    form = typed(page(browser, target))
    return browser.post(target, **form | fields)


def test_only_changed_settings_are_stored(browser: Browser, world: World) -> None:
    """Only changed settings are stored and recorded; the page then shows them as set here."""
    set_rules(world, "*", slow=5)
    text = page(browser, TARGET)
    assert "inherit: 5" in text
    assert "set here" not in text
    answer = save(browser, topic="Questions <b>", slow="30", words="casino\nbuy now")
    assert told(browser, answer) == "Saved: Topic, Slow mode, Refused words."
    assert settings(world) == {"topic": "Questions <b>", "slow": 30, "words": ("casino", "buy now")}
    assert records(world)[-1].action.set == {
        "topic": "Questions <b>", "slow": 30, "words": ["casino", "buy now"],
    }  # fmt: skip
    assert page(browser, TARGET).count("set here") == 3
    assert told(browser, save(browser, slow="")) == "Saved: Slow mode."
    assert world.chat.settings.of("r").slow == 5
    assert told(browser, save(browser)) == "Nothing was changed."


def test_an_old_page_undoes_nothing_unseen(browser: Browser, world: World) -> None:
    """Another's change of another setting stays; one of the same setting is not undone unseen."""
    form = typed(page(browser, TARGET))
    set_rules(world, slow=30)
    browser.post(TARGET, **form | {"topic": "mine"})
    assert settings(world) == {"slow": 30, "topic": "mine"}
    refused = browser.post(TARGET, **form | {"slow": "5"})
    assert refused.status == 409
    text = refused.body.decode()
    assert any("faster" in each for each in notices(text))
    assert settings(world)["slow"] == 30
    # The refusal's page shows the other's change, so this one may change it.
    again = typed(text)
    assert again["slow"] == "5"
    assert again["topic"] == "mine"
    browser.post(TARGET, **again)
    assert settings(world) == {"slow": 5, "topic": "mine"}


def test_what_cannot_be_set(browser: Browser, world: World) -> None:
    """A refused form keeps the typed fields, with the fault beside each."""
    refused = save(browser, slow="99999", topic="kept")
    assert refused.status == 400
    text = refused.body.decode()
    assert "A whole number, at most 21600." in text
    assert typed(text)["topic"] == "kept"
    assert typed(text)["slow"] == "99999"
    assert settings(world) == {}


@pytest.mark.parametrize("text", [*HOSTILE[:8], "🙂" * 100])
def test_hostile_topics_are_shown_as_text(browser: Browser, world: World, text: str) -> None:
    """Topics and titles are text on every page that shows them."""
    save(browser, title=text, topic=text)
    for target in (TARGET, "/admin/rooms/r/", "/admin/audit/"):
        found = page(browser, target)
        assert "<script>alert" not in found
        assert "<img" not in found[found.index("<main") :]
        assert ">49<" not in found


def test_settings_are_for_rooms_and_patterns(browser: Browser, world: World) -> None:
    """Settings are for all rooms or beginnings of rooms too, and the page links to each."""
    set_rules(world, "lobby", slow=3)
    set_rules(world, "team-*", closed=True)
    text = page(browser, "/admin/settings/")
    assert 'href="/admin/rooms/lobby/settings/"' in text
    assert 'href="/admin/settings/?of=team-%2A"' in text
    assert told(browser, save(browser, "/admin/settings/", members="on")) == "Saved: Members only."
    assert settings(world, "*") == {"members": True}
    save(browser, "/admin/settings/?of=team-*", closed="")
    assert settings(world, "team-*") == {}
    for wanted, found in (("lobby", "/admin/rooms/lobby/settings/"), ("a-*", "?of=a-%2A")):
        answer = browser.get(f"/admin/settings/find/?named={wanted}")
        assert answer.headers["location"].endswith(found)
    for bad in ("?of=a", "?of=%21audit*", "?of=a%20*"):
        assert browser.get(f"/admin/settings/{bad}").status == 400


def test_moderators_change_their_settings(port: Port, world: World) -> None:
    """Moderators have the settings that they may change, of their rooms."""
    ann = named(port, r="moderate")
    text = page(ann, TARGET)
    assert "Slow mode" in text
    for hidden in ("Members only", "Guests", "History"):
        assert hidden not in text[text.index("settings-title") :]
    told(ann, ann.post(TARGET, **typed(text) | {"members": "on", "slow": "9"}))
    assert settings(world) == {"slow": 9}
    assert ann.get("/admin/settings/").status == 403
    assert ann.get("/admin/rooms/other/settings/").status == 403
    assert "/admin/settings/" not in text
    manager = named(port, "bob", r="manage")
    assert "Members only" in page(manager, TARGET)


def test_the_form_needs_its_token(browser: Browser, world: World) -> None:
    form = typed(page(browser, TARGET))
    assert browser.post(TARGET, **form | {"slow": "5", "token": "x"}).status == 403
    assert settings(world) == {}
