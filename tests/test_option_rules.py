"""`livechat.option_rules`: what goes with what, as `Config` asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.addresses import Address, parse
from livechat.config import WORKER, Config
from livechat.errors import StartError

HERE = Path("/srv/livechat")


def config(*listen: str, **options: str) -> Config:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return Config.of({"listen": list(listen), **given}, {}, HERE)


@pytest.mark.parametrize(
    ("listen", "options", "expected"),
    [
        # The same twice, however it is written.
        (["tls:1", "tls:1"], {}, "twice"),
        (["tls:1", "tls:loopback:1"], {}, "twice"),
        (["tls:[::1]:1", "tls:[0:0:0:0:0:0:0:1]:1"], {}, "twice"),
        (["tls:0", "tls:0"], {}, "twice"),
        (["tls:1", "http:1"], {}, "twice"),
        (["unix:/a", "unix:/a:mode=600"], {}, "twice"),
        (["unix:/srv/livechat/a", "unix:a"], {}, "twice"),
        # Two options for the same thing.
        (["tls:1"], {"port": "1"}, "--port: --listen is given as well"),
        (["tls:1"], {"interface": "::"}, "--interface: --listen is given as well"),
        # Without TLS.
        (["http:0.0.0.0:1"], {}, "needs --trust-proxy"),
        (["http:[::]:1"], {}, "needs --trust-proxy"),
        (["http:1", "unix:/a"], {"certificate": "c.pem"}, "--certificate: no address"),
        (
            ["http:1"],
            {"proxy_protocol": "on", "trust_proxy": "::1"},
            "--proxy-protocol: no address",
        ),
    ],
)
def test_contradictory_options_stop_the_start(
    listen: list[str], options: dict[str, str], expected: str
) -> None:
    """Contradictory options are one line at the start."""
    with pytest.raises(StartError) as caught:
        config(*listen, **options)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_variables_count_as_options_do() -> None:
    """Variables count as options do; the supervisor's own come to workers all the same."""
    both = {"LIVECHAT_LISTEN": "tls:1 http:2", "LIVECHAT_PORT": "3"}
    with pytest.raises(StartError, match="LIVECHAT_PORT: --listen is given as well"):
        Config.of({}, both, HERE)
    made = Config.of({}, both | {WORKER: "1"}, HERE)
    assert made.listen == (parse("tls:1"), parse("http:2"))


def test_the_port_is_the_default_address() -> None:
    """Without a word it is the port; paths are relative to the daemon's directory."""
    assert config().listen == (Address("tls", "loopback", 10443, given=False),)
    assert config(port="7", interface="::").listen == (Address("tls", "::", 7, given=False),)
    assert config("tls:1", "unix:a:mode=600").listen[1] == parse("unix:/srv/livechat/a:mode=600")
    assert len(config("http:0.0.0.0:1", "tls:0", trust_proxy="10.0.0.0/8").listen) == 2


@pytest.mark.parametrize("value", ["chat", "/a b", "//a", "/a//b", "/..", "/a/./b", "/a?b", "/%61"])
def test_bad_prefixes_are_refused(value: str) -> None:
    """A prefix is a path that can be written in one way only."""
    with pytest.raises(StartError, match=r"--prefix: .* must be a path"):
        Config.of({"prefix": value}, {}, HERE)


@pytest.mark.parametrize("value", ["/chat-app", "/chat-app/", "/a/b.c", "/", ""])
def test_the_last_slash_of_a_prefix_goes(value: str) -> None:
    """The last slash of a prefix is left out."""
    assert Config.of({"prefix": value}, {}, HERE).prefix == value.rstrip("/")
