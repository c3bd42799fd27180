"""`livechat.rooms.content`: words and links, however they are written."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livechat.errors import ChatError, Kind
from livechat.protocol.settings import LONGEST_WORD, MOST_WORDS, RoomSettings
from livechat.rooms.content import Words, has_link, judge
from tests.support.example_counts import examples

#: Bytes of the longest message.
LONGEST = 16_384
OVERRIDE = "\u202e"


def verdict(text: str, *, guest: bool = False, held: bool = False, **settings: Any) -> str:
    return judge(RoomSettings(**settings), text, guest=guest, held=held)


def refusal(text: str, *, held: bool = False, **settings: Any) -> str:
    with pytest.raises(ChatError) as refused:
        verdict(text, held=held, **settings)
    assert refused.value.kind is Kind.REJECTED
    return refused.value.detail


ONE_WORD = [
    "bad", "so BAD!", "(bad)", "it is\nbad", "_bad_", "**bad**", "bad_word", "bad's", "'bad'",
    # Combining marks, of this script and of others.
    "b\u0301ad", "b\u0301\u0316\u0301ad", "b\xe1d", "b\u20dda\u20ddd", "b\u093fad", "b\U0001d165ad",
    # Compatibility forms.
    "\uff42\uff41\uff44", "\U0001d41b\U0001d41a\U0001d41d", "\u24d1\u24d0\u24d3",
    # Characters that nobody sees.
    "b\u200bad", "b\u200dad", "b\xadad", "b\ufe0fad", "\ufeffbad", "b\u2060ad", "b\U000e0061ad",
    "b\0ad", "b\x08ad", "b\u0301\u200b\u0301ad", f"{OVERRIDE}dab", f"x {OVERRIDE}dab\u202c x",
    f"b{OVERRIDE}\u202cad",
    # Beside what is no letter, or one of a script without blanks.
    "bad\u3164boy", "\u6211bad\u4eba", "bad\u0e01", "bad\U0001f600",
]  # fmt: skip


@pytest.mark.parametrize("text", ONE_WORD, ids=ascii)
def test_a_word_is_found_however_it_is_written(text: str) -> None:
    """However it is written, the word is found, and named as it stands in the list."""
    assert Words(["other", "bad"]).find(text) == "bad"


@pytest.mark.parametrize(
    "text",
    ["badge", "forbad", "ba d", "b.a.d", "b\u3164ad", "b\u0430d", "bade", "bad1", "", "\u200b"],
)
def test_other_words_pass(text: str) -> None:
    assert Words(["bad"]).find(text) is None


def test_a_phrase_is_found_over_punctuation() -> None:
    """Any blanks, punctuation and symbols may stand between their words, but no word."""
    words = Words(["bad word", "f*ck", "example.com"])
    for text in ("bad word", "Bad,  --\nword!", "a bad_word"):
        assert words.find(text) == "bad word"
    for text in ("badword", "bad big word", "word bad", "bad", "bad words", "fck"):
        assert words.find(text) is None
    assert words.find("F**CK") == words.find("f ck") == "f*ck"
    assert words.find("see example .com") == "example.com"


@pytest.mark.parametrize(
    ("word", "there", "not_there"),
    [
        ("a$$", "such a$$!", "xa$$"),
        ("c++", "c++20", "c+"),
        (":)", "ok:)", ": )"),
        ("\U0001f595", "x\U0001f595\U0001f3fdx", "\U0001f44d"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469", "\U0001f469\u200d\U0001f468"),
        ("_x", "a _x", "x"),
        (".*", "x.*", "xyz"),
        ("(a+)+$", "(a+)+$", "aaaa"),
    ],
)
def test_symbols_at_the_ends(word: str, there: str, not_there: str) -> None:
    """Words with symbols at their ends are literals."""
    assert Words([word]).find(there) == word
    assert Words([word]).find(not_there) is None


def test_scripts_without_blanks() -> None:
    """A word is found anywhere; its letters with their own marks are others."""
    assert Words(["\u574f\u8bdd"]).find("\u4ed6\u8bf4\u574f\u8bdd\u4e86") is not None
    assert Words(["\u574f\u8bdd"]).find("\u5f88\u574f\u3002\u8bdd\u8bf4") is None
    assert Words(["\u30d0\u30ab"]).find("\u304a\u524d\u306f\uff8a\uff9e\uff76\u3060") is not None
    assert Words(["\u304b"]).find("\u304c") is None
    assert Words(["\u0e01\u0e32"]).find("x\u0e01\u0e32y") is not None
    assert Words(["\u5c0fB"]).find("\u5927\u5c0fb!") is not None
    assert Words(["\u5c0fB"]).find("\u5c0fbad") is None


def test_vowels_that_are_marks() -> None:
    """Hindi words that differ in a vowel are different; Hebrew points make no difference."""
    assert Words(["\u0915\u093f"]).find("\u0915\u0940") is None
    assert Words(["\u0915\u093f"]).find("\u0915\u093f") is not None
    assert Words(["\u05e9\u05dc"]).find("\u05e9\u05c1\u05b6\u05dc") is not None


def test_of_two_words_that_begin_alike() -> None:
    words = Words(["bad", "bad word", "a b c", "a b", "a bc"])
    assert words.find("a bad word") == "bad"
    assert words.find("a b d") == words.find("a b c") == "a b"
    assert words.find("a bc") == "a bc"
    assert words.find("a bd") is None


def test_words_without_anything_to_see() -> None:
    """Words without visible characters match no text."""
    words = Words(["\u200b", " ", "\u0301", "\u3164"])
    for text in ("x", " ", "\u200b", ""):
        assert words.find(text) is None


@settings(max_examples=examples(50))
@given(
    st.text(st.sampled_from("ab \u0301\u200b.$\u574f"), min_size=1, max_size=12),
    st.text(max_size=9),
)
def test_every_word_is_found_in_itself(word: str, other: str) -> None:
    """A word matches itself alone, in capitals and between other words."""
    words = Words([word, "zzz"])
    if words.find(word) is not None:
        assert words.find(word.upper()) == words.find(f"x {word} y") == word
    assert words.find(f"{other} zzz") is not None


LINKS = [
    "http://x", "see HTTPS://example.org/a?b", "ftp://x.y", "www.example.whatever", "WWW.x",
    "example.com", "so: example.com.", "(example.com)", "a.b.example.co.uk", "x.com",
    "ann@example.de", "youtu.be/x", "t.me/a", "bit.ly/3", "example.com:8080",
    "https://\u4f8b\u5b50.\u4e2d\u56fd/", "\u043f\u0440.\u0440\u0444", "\U0001d400.com",
    "example\u200b.\u200bcom", "ex\xadample.com", "ex.c\u200bom", "w\u200bww.x",
    "http:\u2060//x", f"a{OVERRIDE}\u202c.com", "b\u0301.com", "\u2764.ws",
    "example\uff0ecom", "example\u3002com", "example\uff61com", "example\u2024com",
    "\uff45\uff58.\uff43\uff4f\uff4d", "http\uff1a\uff0f\uff0fx",
]  # fmt: skip


@pytest.mark.parametrize("text", LINKS, ids=ascii)
def test_links_are_found(text: str) -> None:
    assert has_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "e.g. this", "3.14", "node.js", "node.js/express", "main.py", "README.md", "done.it was",
        "Hello.My name", "wait...com", "J.P. Morgan", "1.2.3.4", "10:30", "what?no", "and/or",
        "well.he/she", "a .com", "www.", "http:// x", "://", ".com", "x.community", "x.com-", "",
        "\u5f88\u597d\u3002\u8bdd\u8bf4", "\u200b.\u200b", "a\u2026com",
    ],
)  # fmt: skip
def test_texts_without_links_pass(text: str) -> None:
    assert not has_link(text)


def test_refused_comes_before_held() -> None:
    """Refused before held; a restriction holds whatever the room says."""
    assert verdict("hi") == verdict("http://x") == "say"
    assert verdict("hi", held=True) == "hold"
    assert verdict("hi", hold="all") == "hold"
    assert verdict("hi", hold="guests") == "say"
    assert verdict("hi", hold="guests", guest=True) == "hold"
    assert verdict("http://x", links="hold") == "hold"
    assert verdict("hi", links="hold") == "say"
    assert refusal("http://x", links="refuse", hold="all") == "Links are not allowed in this room."
    assert verdict("hi", links="refuse") == "say"


def test_the_detail_names_the_refused_word() -> None:
    """The detail names it, and no other word of the list."""
    found = refusal("such a BAD word", words=("secret", "bad"), held=True)
    assert found == "'bad' is not allowed in this room."


def test_each_list_is_compiled_once() -> None:
    """Lists are compiled once each, and remain apart, however many rooms have their own."""
    for number in range(200):
        settings = RoomSettings(words=(f"w{number}",))
        for _ in range(2):
            with pytest.raises(ChatError):
                judge(settings, f"a w{number}", guest=False, held=False)
        assert judge(settings, f"a w{number + 1}", guest=False, held=False) == "say"


ENDLESS = ["a", "a ", "a.", "ab.", "://", "www.", "\u574f", "\u200b", "\ufdfa", "\U0001f595", "$",
           "a\u0301\u0316\u0591\u093f", "\u0344", ".com", "a\n", "\u3164", "\u202e"]  # fmt: skip
LISTS = {
    "random": [f"{number:08x}" for number in range(MOST_WORDS)],
    "alike": ["a " * (LONGEST_WORD // 2 - 2) + f"b{number}" for number in range(MOST_WORDS)],
    "ideographs": ["\u574f" * (LONGEST_WORD - 1) + chr(0x4E00 + n) for n in range(MOST_WORDS)],
    "symbols": ["$" * (LONGEST_WORD - 1) + chr(0x4E00 + number) for number in range(MOST_WORDS)],
}


def test_the_worst_texts_take_bounded_time() -> None:
    """
    The longest texts that repeat something, and marks in the worst order, against the longest
    lists: a look takes milliseconds.
    """
    texts = [each * (LONGEST // len(each.encode())) for each in ENDLESS]
    texts.append("a" + "\u0301" * (LONGEST // 4) + "\u0316" * (LONGEST // 4))
    texts.append("a" + "\U0001d165" * (LONGEST // 8) + "\U0001d17b" * (LONGEST // 8))
    for words in map(Words, LISTS.values()):
        for text in texts:
            begun = process_time()
            words.find(text)
            has_link(text)
            assert process_time() - begun < 0.25, ascii(text[:4])
