"""Parameters and headers that the server accepts, held against `/openapi.json`."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from tests.members.session_client import KEY
from tests.support import HANDSHAKE, Port, request
from tests.support.requests import JSON
from tests.web.described import HELLO, Described

ROOMS = ["r", "x" * 128, "x" * 129, "A.b_c~d-e", ".", "..", "...", "a b", "é", "*"]


NUMBERS = ["0", "12", "007", "9" * 15, "9" * 16, "-1", "1.5", "x", "", "٣"]


PLACES = ["k:1", "a:b:1", "k:", ":1", "k", "k:-1", "k:x", "k" * 64 + ":1", "k" * 65 + ":1"]


KEYS = ["k" * 15, "k" * 16, "A-_9" * 16, "k" * 65, "k" * 16 + "+"]


NAMES = [
    "Ann",
    "",
    "é" * 40,
    "x" * 41,
    "A",
    " ",
    "Ann ",
    " Ann",
    "\u3164",
    "Ann\u3164",
    "\ufe0f",
    "❤\ufe0f",
]


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", "/chat/send/", {"room": ROOMS, "name": NAMES, "client": KEYS}),
        (
            "GET",
            "/chat/history/",
            {
                "room": ROOMS,
                "limit": NUMBERS,
                "before": NUMBERS,
                "after": NUMBERS,
                "q": ["x", "", "é" * 200, "x" * 201],
            },
        ),
        ("GET", "/chat/events/{room}/", {"since": PLACES, "name": NAMES, "client": KEYS}),
        ("GET", "/ws/chat/{room}/", {"history": NUMBERS, "name": NAMES, "client": KEYS}),
    ],
)
def test_accepted_parameters_are_those_of_the_schema(
    port: Port, openapi: Described, method: str, path: str, known: dict[str, list[str]]
) -> None:
    """The server accepts exactly the values that a parameter's schema allows."""
    described = openapi.document["paths"][path][method.lower()]["parameters"]
    schemas = {each["name"]: each["schema"] for each in described if each["in"] == "query"}
    assert known.keys() == schemas.keys() - (
        {"since", "user"} if "ws" in path else {"user", "guest"}
    )
    for name, values in known.items():
        for value in values:
            wanted = int(value) if re.fullmatch("[0-9]+", value) and name != "name" else value
            target = f"{path.replace('{room}', 'r')}?{urlencode({name: value})}"
            status = asked(port, method, target, **(HANDSHAKE if "ws" in path else JSON))
            assert (status != 400) == openapi.fits(schemas[name], wanted), (name, value)


def asked(port: Port, method: str, target: str, **headers: str) -> int:
    """Ask for something; return the status of the answer, which may go on."""
    wire = port.connect()
    wire.send(request(method, target, HELLO if method == "POST" else b"", **headers))
    status = int(wire.received().split()[1])
    wire.hang_up()
    return status


def test_accepted_headers_are_those_of_the_schema(port: Port, openapi: Described) -> None:
    """The server accepts exactly the values that a header's schema allows."""
    for method, path, name, values in (
        # The schema is for requests without `client`; with it more is accepted.
        ("POST", "/chat/send/", "Idempotency-Key", ["n" * 16, "n" * 64, "n" * 65, "\xe9" * 20]),
        ("GET", "/chat/events/{room}/", "Last-Event-ID", PLACES),
    ):
        described = openapi.document["paths"][path][method.lower()]["parameters"]
        (schema,) = (each["schema"] for each in described if each["name"] == name)
        for value in values:
            target = f"{path.replace('{room}', 'r')}?client={KEY}"
            headers = {name.replace("-", "_"): value}
            status = asked(port, method, target, **JSON, **headers)
            assert (status != 400) == openapi.fits(schema, value), (name, value)
