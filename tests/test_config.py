"""`livechat.config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livechat.command_line import Options
from livechat.config import WORKER, Config, options
from livechat.errors import StartError
from livechat.options import flag, variable

HERE = Path("/srv/livechat")


def config(given: dict[str, Any] | None = None, /, **environment: str) -> Config:
    return Config.of(given or {}, environment, HERE)


def test_defaults_are_those_of_the_documentation() -> None:
    """Without a word, the daemon does what the documentation says."""
    made = config()
    assert (made.port, made.interface, made.default_room) == (10443, "loopback", "lobby")
    assert (made.history_limit, made.history_age) == (1_000, 30 * 86_400)
    assert made.audit_age == 180 * 86_400
    assert (made.linger, made.drain) == (0, 0)
    assert (made.max_message, made.rate, made.rate_per_ip) == (16_384, 20.0, 200.0)
    assert (made.max_connections, made.max_connections_per_ip) == (10_000, 200)
    assert made.certificate is made.private_key is made.access_log is None
    assert made.state == HERE / "state"
    assert made.origin == frozenset()


def test_an_option_wins_over_the_environment() -> None:
    """An option wins over the environment, the environment over the default."""
    assert config({"port": "1"}, LIVECHAT_PORT="2").port == 1
    assert config(LIVECHAT_PORT="2").port == 2
    origins = {"origin": ["https://a"]}
    assert config(origins, LIVECHAT_ORIGIN="https://b").origin == {"https://a"}
    assert config(LIVECHAT_ORIGIN="https://b https://c:443").origin == {"https://b", "https://c"}


@pytest.mark.parametrize("option", options(), ids=flag)
def test_every_option_is_known_and_explained(option: Any) -> None:
    """Each option is known to twistd, has a variable, and is explained."""
    value = {
        "port": "1", "interface": "::", "default-room": "r", "origin": "https://a",
        "history-age": "5m", "certificate": "c", "admin-session": "5m",
        "trust-proxy": "10.0.0.0/8", "proxy-protocol": "on", "metrics": "open",
        "metrics-token": "t" * 16, "backend": "memory:", "extension": "acme.Filter",
        "mount": "/a=b.c", "without-maps": "on", "guests": "read", "token-lifetime": "5m",
        "token-keys": "keys.pem", "listen": "tls:8080", "prefix": "/chat",
        "webhook": "https://a.example/b", "webhook-events": "joined,left",
        "webhook-secret": f"whsec_{'a' * 32}", "ask": "https://a.example/b",
        "ask-about": "send,join", "ask-failing": "accept",
    }.get(flag(option), "7")  # fmt: skip
    others = {"workers": ("redis", "r"), "proxy-protocol": ("trust-proxy", "::1")}
    others["ask-about"] = ("ask", "https://a.example/")
    others["redis-key"] = ("redis-certificate", "c.pem")
    others |= dict.fromkeys(("token-issuer", "token-audience"), ("token-keys", "k.pem"))
    needed, environment = ["--certificate=c"], {"LIVECHAT_CERTIFICATE": "c"}
    if flag(option) in others:
        name, needs = others[flag(option)]
        needed.append(f"--{name}={needs}")
        environment[f"LIVECHAT_{name.upper().replace('-', '_')}"] = needs
    by_variable = Config.of({}, {**environment, variable(option): value}, HERE)
    if not option.metadata["secret"]:
        parsed = Options()
        parsed.parseOptions([f"--{flag(option)}={value}", *needed])
        assert Config.of(parsed, {}, HERE) == by_variable
    assert getattr(by_variable, option.name) != getattr(config(), option.name)
    assert option.metadata["doc"].endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "x"), ("port", "-1"), ("port", "65536"), ("port", ""), ("port", "1e3"),
        ("port", " 1"), ("port", "1_0"), ("port", "9" * 99), ("port", "٣"),
        ("interface", "localhost"), ("interface", "1.2.3"), ("interface", ""),
        ("default-room", "a b"), ("default-room", ""), ("default-room", ".."),
        ("history-limit", "-1"), ("history-limit", "1.5"), ("history-limit", "many"),
        ("history-age", "-1d"), ("history-age", "30 d"), ("history-age", "30y"),
        ("audit-age", "-1d"), ("audit-age", ""), ("audit-age", "for ever"),
        ("max-message", "0"), ("max-message", "1048577"), ("max-message", "16k"),
        ("rate", "-1"), ("rate", "nan"), ("rate", "inf"), ("rate", "1e9"), ("rate", ""),
        ("rate-per-ip", "x"), ("max-connections", "-1"), ("max-connections-per-ip", "x"),
        ("state", ""), ("certificate", ""), ("private-key", "\0"), ("access-log", ""),
        ("host", "chat:8443"), ("host", "*."), ("host", "https://a"), ("host", "a@b"),
        ("token-keys", "http://a/k"), ("token-keys", "https://"),
        ("token-keys", "https://u:p@a/k"), ("token-issuer", ""), ("token-audience", "a\nb"),
        ("token-cookie", ""), ("token-cookie", "a b"), ("token-cookie", "a=b"),
        ("linger", "301"), ("linger", "6m"), ("linger", "-1"), ("linger", "0.5"), ("linger", ""),
        ("drain", "601s"), ("drain", "1h"), ("drain", "30 s"), ("drain", "soon"),
        ("metrics", "on"), ("metrics", ""), ("backend", ""), ("backend", "memory"),
        ("backend", "Memory:"), ("backend", " a:"),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_line(name: str, value: str) -> None:
    """A bad value ends in one line, which says where it is and what it may be."""
    with pytest.raises(StartError) as caught:
        config({name: value})
    text = str(caught.value)
    assert text.startswith(f"--{name}: ")
    assert "must" in text or "room" in text
    assert "\n" not in text
    in_environment = f"LIVECHAT_{name.upper().replace('-', '_')}"
    with pytest.raises(StartError, match=in_environment):
        config(**{in_environment: value})


@pytest.mark.parametrize("value", ["*", "https://*.org", "example.org", "https://a/b", "ftp://a"])
def test_a_bad_origin_is_refused(value: str) -> None:
    """An origin that is none is refused, as option and in the environment."""
    with pytest.raises(StartError, match=r"^--origin: "):
        config({"origin": ["https://a", value]})
    with pytest.raises(StartError, match=r"^LIVECHAT_ORIGIN: "):
        config(LIVECHAT_ORIGIN=f"https://a {value}")


def test_rates_can_be_without_limits() -> None:
    """Rates, connections and history can be without limits; sizes cannot."""
    names = [
        "rate", "rate-per-ip", "max-connections", "max-connections-per-ip", "history-limit",
        "history-age",
    ]  # fmt: skip
    made = config(dict.fromkeys(names, "0"))
    assert [getattr(made, name.replace("-", "_")) for name in names] == [0] * 6


def test_paths_are_relative_to_the_directory() -> None:
    """Paths are relative to the daemon's directory; a dash is the log itself."""
    made = config({"state": "data", "certificate": "/etc/c.pem", "access-log": "-"})
    assert made.state == HERE / "data"
    assert made.certificate == Path("/etc/c.pem")
    assert made.access_log == Path("-")


def test_a_key_without_a_certificate() -> None:
    """A private key alone makes no sense."""
    for name in ("private-key", "redis-key"):
        with pytest.raises(StartError, match=f"^--{name}: needs"):
            config({name: "k"})


def test_secrets_are_no_options() -> None:
    """A password is taken from the environment alone, and shown nowhere."""
    given = {"LIVECHAT_ADMIN_PASSWORD": "hunter2hunter2"}
    assert Config.of({"admin-password": "x"}, {}, HERE).admin_password is None
    config = Config.of({}, given, HERE)
    assert config.admin_password == "hunter2hunter2"
    assert "hunter2" not in repr(config)
    with pytest.raises(StartError) as caught:
        Config.of({"admin-password-file": "f"}, given, HERE)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["0", "59", "59s", "never", ""])
def test_sessions_cannot_be_endless(text: str) -> None:
    """An operator's session always ends."""
    with pytest.raises(StartError, match="--admin-session"):
        Config.of({"admin-session": text}, {}, HERE)


def test_the_nearest_address_of_redis_counts() -> None:
    """Redis's address comes from the nearest of three sources; several are one option."""
    for given, environment, expected in (
        ({}, {}, ()),
        ({}, {"REDIS_URL": "a"}, ("a",)),
        ({}, {"REDIS_URL": "a", "LIVECHAT_REDIS": "b c"}, ("b", "c")),
        ({"redis": "d"}, {"REDIS_URL": "a", "LIVECHAT_REDIS": "b"}, ("d",)),
        ({}, {"REDIS_URL": "a", "LIVECHAT_REDIS": ""}, ()),
    ):
        found = Config.of(given, environment, HERE)
        assert found.redis == expected
        assert "redis=" not in repr(found)


@pytest.mark.parametrize("value", ["", "two words", "acme/filter.py", "acme..Filter", "acme-x"])
def test_a_bad_extension_is_refused(value: str) -> None:
    """An extension has a dotted name."""
    with pytest.raises(StartError, match=r"^--extension: .* must be a dotted name"):
        config({"extension": ["acme.Filter", value]})


def test_extensions_keep_their_order() -> None:
    """Extensions keep their order, in which authenticators are asked, and are loaded once."""
    assert config().extension == ()
    assert config({"extension": ["b.B", "a.A", "b.B"]}).extension == ("b.B", "a.A")
    assert config(LIVECHAT_EXTENSION="b.B a.A").extension == ("b.B", "a.A")


def test_a_backend_is_named_without_its_password() -> None:
    """Rooms are kept in one place; its URL may have a password, so it is not shown."""
    found = config({"backend": "acme://u:hunter2@h", "workers": "2"})
    assert found.backend == "acme://u:hunter2@h"
    assert "hunter2" not in repr(found)
    with pytest.raises(StartError, match=r"^--backend: --redis is given as well$"):
        config({"backend": "memory:", "redis": "r"})
    with pytest.raises(StartError) as caught:
        config({"backend": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_workers_need_a_shared_backend() -> None:
    """Several processes need a place for their rooms, and each may know which it is."""
    with pytest.raises(StartError, match=r"^--workers: more than one need --redis"):
        config({"workers": "2"})
    assert config({"workers": "2", "redis": "r"}).worker == 0
    assert Config.of({}, {WORKER: "3"}, HERE).worker == 3


def test_trusted_networks_are_needed_for_headers() -> None:
    """Networks are networks, and what is said by nobody cannot be believed."""
    for wrong in ("nonsense", "10.0.0.1/8", "10.0.0.0/33", ""):
        with pytest.raises(
            StartError, match=r"^--trust-proxy: .* must be an address, or a network"
        ):
            config({"trust-proxy": [wrong]})
    with pytest.raises(StartError, match=r"^--proxy-protocol: needs --trust-proxy"):
        config({"proxy-protocol": "on"})
    with pytest.raises(StartError, match="must be on or off"):
        config({"proxy-protocol": "yes", "trust-proxy": ["10.0.0.1"]})


@pytest.mark.parametrize("value", ["", "a.b", "/a", "/a=", "a=b.c", "=b.c"])
def test_a_bad_mount_is_refused(value: str) -> None:
    """A mount is a path and a name."""
    with pytest.raises(StartError, match=r"^--mount: .* must be a path and a dotted name"):
        config({"mount": ["/a=b.c", value]})


def test_mounts_keep_their_order() -> None:
    """Mounts keep their order."""
    assert config({"mount": ["/b=b.B", "/a=a.A"]}).mount == (("/b", "b.B"), ("/a", "a.A"))
    assert config(LIVECHAT_MOUNT="/b=b.B /a=a.A").mount == (("/b", "b.B"), ("/a", "a.A"))


def test_token_keys_are_files_or_addresses() -> None:
    """Files are in the daemon's directory; the keys of an address sign for other servers too."""
    assert config().token_keys == ()
    address = "https://issuer.example/jwks.json"
    keys = {"token-keys": ["k.pem", "/etc/k.pem", address, "k.pem"], "token-audience": "chat"}
    assert config(keys).token_keys == (HERE / "k.pem", Path("/etc/k.pem"), address)
    assert config(LIVECHAT_TOKEN_KEYS="a b").token_keys == (HERE / "a", HERE / "b")
    with pytest.raises(StartError, match=f"^--token-keys: {address} needs --token-audience$"):
        config({"token-keys": [address]})
    for name in ("token-issuer", "token-audience"):
        with pytest.raises(StartError, match=f"^--{name}: needs --token-keys"):
            config({name: "x"})


@pytest.mark.parametrize(
    ("given", "environment", "why"),
    [
        ({"webhook": ["ftp://a/"]}, {}, "--webhook: must be a URL such as https://"),
        ({"webhook": ["http://a.example/"]}, {}, "--webhook: must be https, unless"),
        ({"webhook": [f"https://a/{n}" for n in range(11)]}, {}, "--webhook: there are 11, of at"),
        ({"ask": "http://a.example/"}, {}, "--ask: must be https, unless"),
        ({"ask": "https://u:p@a.example/"}, {}, "--ask: must have neither a name"),
        ({"ask-about": "send,read"}, {}, "--ask-about: 'send,read' must be one or more of these"),
        ({"ask-about": "send,send"}, {}, "--ask-about: 'send,send' must be one or more of these"),
        ({"ask-about": "join"}, {}, "--ask-about: needs --ask"),
        ({"ask-failing": "open"}, {}, "--ask-failing: 'open' must be refuse or accept"),
        ({"webhook-events": "message,nonsense"}, {}, "--webhook-events: 'message,nonsense' must"),
        ({"webhook-events": ""}, {}, "--webhook-events: '' must be names"),
        ({}, {"LIVECHAT_WEBHOOK_SECRET": "geheim"}, "LIVECHAT_WEBHOOK_SECRET: must be whsec_"),
        (
            {},
            {"LIVECHAT_WEBHOOK_SECRET": " ".join(f"whsec_{each * 32}" for each in "abc")},
            "LIVECHAT_WEBHOOK_SECRET: at most two",
        ),
    ],
)
def test_webhooks_that_cannot_be(
    given: dict[str, Any], environment: dict[str, str], why: str
) -> None:
    """A bad value is one clear line, without what may be a secret."""
    with pytest.raises(StartError) as caught:
        config(given, **environment)
    assert str(caught.value).startswith(why)
    assert "geheim" not in str(caught.value)


def test_receivers_are_named_once() -> None:
    """Receivers are those that are named, each once."""
    made = config(LIVECHAT_WEBHOOK="https://a.example/x http://127.0.0.1:1/ https://a.example/x")
    assert made.webhook == ("https://a.example/x", "http://127.0.0.1:1/")
    assert "message" in made.webhook_events
    assert "joined" not in made.webhook_events
