"""The browser's profiles, which tests share one after the other."""

from __future__ import annotations

from typing import Final

from tests.live.browser import Profiles
from tests.live.visitor import site

OPTIONS: Final = {"locale": "en-GB"}
WRITE: Final = """async () => {
    localStorage.name = sessionStorage.name = "Ann";
    document.cookie = "name=Ann; max-age=1000";
    await new Promise((done) => indexedDB.open("names").onsuccess = done);
    await caches.open("names");
}"""
READ: Final = """async () => [
    { ...localStorage }, { ...sessionStorage }, document.cookie, await indexedDB.databases(),
    await caches.keys(),
]"""


def test_a_profile_lent_again_is_empty(browser: Profiles) -> None:
    """The next test finds neither storage nor cookies nor pages of the one before."""
    with site("<title>Names</title>") as url:
        first = browser.lend(OPTIONS)
        page = first.context.new_page()
        page.goto(url)
        page.evaluate(WRITE)
        assert page.evaluate(READ)[2] == "name=Ann"
        first.context.new_page()
        browser.take_back(OPTIONS, first)
        second = browser.lend(OPTIONS)
        assert second is first
        assert len(second.context.pages) == 1
        page = second.context.new_page()
        page.goto(url)
        assert page.evaluate(READ) == [{}, {}, "", [], []]
        browser.take_back(OPTIONS, second)


def test_few_profiles_are_kept(browser: Profiles) -> None:
    """The profile that nobody has wanted for longest is closed for one more."""
    kinds = [{"locale": f"en-{country}"} for country in ("AU", "CA", "IE", "IN", "NZ")]
    lent = [browser.lend(options) for options in kinds]
    assert len(lent) == browser.MOST + 1
    for options, profile in zip(kinds, lent, strict=True):
        browser.take_back(options, profile)
    kept = browser.lend(kinds[1])
    assert kept is lent[1]
    anew = browser.lend(kinds[0])
    assert anew is not lent[0]
    for profile in (kept, anew):
        profile.context.close()
