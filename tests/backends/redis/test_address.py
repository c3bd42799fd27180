"""`livechat.backends.redis.address`."""

from __future__ import annotations

import pytest

from livechat.backends.redis.address import Address, Login, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://r", Address("redis://r", (("r", 6379),))),
        ("redis://r:7/2", Address("redis://r:7/2", (("r", 7),), database=2)),
        ("redis://[::1]:7/", Address("redis://[::1]:7/", (("::1", 7),))),
        (
            "rediss://ann:p%40ss@r",
            Address("rediss://r", (("r", 6379),), tls=True, user="ann", password="p@ss"),
        ),
        (
            "redis://:secret@r/0",
            Address("redis://r/0", (("r", 6379),), password="secret", database=0),
        ),
        ("unix:///run/r.sock", Address("unix:///run/r.sock", path="/run/r.sock")),
        (
            "unix://u:p@/run/r.sock?db=3",
            Address(
                "unix:///run/r.sock?db=3",
                path="/run/r.sock",
                user="u",
                password="p",
                database=3,
            ),
        ),
        (
            "redis+sentinel://:p@a,b:7,[::1]/chat/4",
            Address(
                "redis+sentinel://a,b:7,[::1]/chat/4",
                (("a", 26379), ("b", 7), ("::1", 26379)),
                service="chat",
                password="p",
                database=4,
            ),
        ),
        (
            "rediss+sentinel://ann:p%40ss@a/chat?sentinel=wat%3Ach:se%3Acret",
            Address(
                "rediss+sentinel://a/chat",
                (("a", 26379),),
                service="chat",
                tls=True,
                user="ann",
                password="p@ss",
                sentinel=Login("wat:ch", "se:cret"),
            ),
        ),
        (
            "redis+cluster://ann:p%40ss@a,b:7,[::1]",
            Address(
                "redis+cluster://a,b:7,[::1]",
                (("a", 6379), ("b", 7), ("::1", 6379)),
                user="ann",
                password="p@ss",
                cluster=True,
            ),
        ),
        (
            "rediss+cluster://a/",
            Address("rediss+cluster://a/", (("a", 6379),), tls=True, cluster=True),
        ),
        (
            "redis+sentinel://a/chat/1?sentinel=:secret",
            Address(
                "redis+sentinel://a/chat/1",
                (("a", 26379),),
                service="chat",
                database=1,
                sentinel=Login(None, "secret"),
            ),
        ),
    ],
)
def test_urls_are_read(url: str, expected: Address) -> None:
    found = parse(url)
    assert found == expected
    assert "p@ss" not in repr(found)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "r:6379",
        "http://r",
        "redis://",
        "redis:///0",
        "redis://r:port",
        "redis://r:0",
        "redis://r:99999",
        "redis://r/one",
        "redis://r/-1",
        "redis://r/0?db=1",
        "redis://r#x",
        "redis://user@r",
        "redis://[::1",
        "redis://a,b/0",
        "unix://host/path",
        "unix://",
        "unix:///",
        "unix:///p?x=1",
        "unix:///p?db=1&db=2",
        "redis+sentinel://a,b",
        "redis+sentinel://a,,b/s",
        "redis+sentinel:///s",
        "redis+sentinel://a/s/x",
        "redis+sentinel://a/s?sentinel",
        "redis+sentinel://a/s?sentinel=ann",
        "redis+sentinel://a/s?x=1",
        "redis+cluster://",
        "redis+cluster://a,,b",
        "redis+cluster://a/1",
        "redis+cluster://a?x=1",
        "redis+cluster://ann@a",
    ],
)
def test_bad_urls_are_refused(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"^(must be redis://|must name no database|names a user|has no number)"
    ):
        parse(url)
