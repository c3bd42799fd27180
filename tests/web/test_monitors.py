"""`livechat.web.monitors`."""

from __future__ import annotations

import pytest

from livechat.web.monitors import Access
from tests.support import Port

TOKEN = "a token of an operator"


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {"Host": "localhost:10443"}, 200),
        ("127.0.0.1", {"Host": "127.0.0.1"}, 200),
        ("::1", {"Host": "[::1]:10443"}, 200),
        ("192.0.2.1", {"Host": "localhost"}, 403),
        # A proxy on this machine, which forwards a request.
        ("127.0.0.1", {"Host": "chat.example"}, 403),
        ("127.0.0.1", {"Host": "localhost", "X_Forwarded_For": "192.0.2.1"}, 403),
        ("127.0.0.1", {"Host": "localhost", "Forwarded": "for=192.0.2.1"}, 403),
        ("127.0.0.1", {"Host": "localhost", "Via": "1.1 proxy"}, 403),
        ("127.0.0.1", {"Host": "localhost", "Origin": "https://evil.example"}, 403),
        ("192.0.2.1", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("192.0.2.1", {"Authorization": f"bearer  {TOKEN}"}, 200),
        ("192.0.2.1", {"Authorization": f"Bearer {TOKEN}x"}, 403),
        ("192.0.2.1", {"Authorization": "Bearer "}, 403),
        ("192.0.2.1", {"Authorization": TOKEN}, 403),
        ("192.0.2.1", {"Authorization": "Bearer \xe9"}, 403),
    ],
)
def test_metrics_are_for_this_machine_or_the_token(
    port: Port, address: str, headers: dict[str, str], status: int
) -> None:
    """Metrics are for requests of this machine, or with the token."""
    kept = Port(port.world, monitors=Access(token=TOKEN))
    answer = kept.ask("GET", "/metrics", _from=address, **headers)
    assert answer.status == status
    assert (b"livechat_stored" in answer.body) == (status == 200)
    if status == 200:
        assert answer.headers["content-type"].startswith("text/plain; version=")


def test_a_token_may_look_like_a_key(port: Port) -> None:
    """A token counts, though it begins as keys of back ends do."""
    token = "lck_metrics_secret"
    kept = Port(port.world, monitors=Access(token=token))
    for given, status in ((token, 200), (token[:-1], 403)):
        headers = {"Authorization": f"Bearer {given}"}
        assert kept.ask("GET", "/metrics", _from="192.0.2.1", **headers).status == status


@pytest.mark.parametrize("given", ["", "None", TOKEN])
def test_without_a_token_none_is_accepted(port: Port, given: str) -> None:
    """A server without a token accepts none."""
    answer = port.ask("GET", "/metrics", Authorization=f"Bearer {given}")
    assert answer.code() == "forbidden"


def test_an_option_opens_or_closes_metrics(port: Port) -> None:
    """An option opens metrics to all, or closes them to all."""
    assert Port(port.world, monitors=Access("open")).ask("GET", "/metrics").status == 200
    off = Port(port.world, monitors=Access("off", TOKEN))
    headers = {"Host": "localhost", "Authorization": f"Bearer {TOKEN}"}
    assert off.ask("GET", "/metrics", _from="127.0.0.1", **headers).status == 404
