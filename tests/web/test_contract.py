"""`livechat.web.contract`: both documents, held against routes, kinds of errors and limits."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct
from openapi_spec_validator import validate

from livechat.errors import Close, Kind
from livechat.http.endpoint import Endpoint
from livechat.protocol import actions, back_ends, bodies, messages, plain
from livechat.protocol import v1 as frames
from livechat.web import contract, operations
from tests.support import Port, World
from tests.web.described import Described, found

#: Kinds of which only operators hear.
OPERATORS = {Kind.BAD_TOKEN, Kind.WRONG_PASSWORD, Kind.NOT_SIGNED_IN}


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_both_documents_are_served(port: Port, request: pytest.FixtureRequest, name: str) -> None:
    """Both documents are there for all, and hold together."""
    answer = port.ask("GET", f"/{name}.json", Origin="https://elsewhere.example")
    document = answer.json()
    assert document == request.getfixturevalue(name).document
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    for reference in found(document, "$ref"):
        there = document
        for part in reference.removeprefix("#/").split("/"):
            there = there[part]
    components = document["components"]["schemas"]
    for schema in (*components.values(), *found(document, "schema"), *found(document, "query")):
        Draft202012Validator.check_schema(schema)
    assert "@ivar" not in answer.body.decode()


def test_no_two_described_structs_share_a_name() -> None:
    """No two structs that are described have the same name."""
    structs = {
        each
        for module in (messages, actions, bodies, back_ends, plain, frames)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Struct)
    }
    assert len({each.__name__ for each in structs}) == len(structs)


def test_openapi_is_valid(openapi: Described) -> None:
    """The document is valid by the specification's own schema."""
    validate(openapi.document)


def test_every_endpoint_is_described(port: Port, openapi: Described) -> None:
    """All endpoints for programs are described, and nothing else."""
    pages = {"/", "/developers/", "/rooms/", "/rooms/{room}/", "/static/{name}"}
    assert {
        path: {method.upper() for method in item.keys() - {"parameters"}}
        for path, item in openapi.document["paths"].items()
    } == {
        place.path: set(place.answers)
        for place in port.tree.places()
        if isinstance(place, Endpoint)
        if place.path not in pages and not place.path.startswith("/admin/")
    }


def test_every_kind_of_error_is_described(openapi: Described, asyncapi: Described) -> None:
    """Every kind of error is described."""
    texts = (
        openapi.document["components"]["schemas"]["Problem"],
        asyncapi.document["components"]["schemas"]["ErrorText"],
    )
    codes = {code for text in texts for code in text["properties"]["code"]["enum"]}
    assert codes == {kind.code for kind in set(Kind) - OPERATORS}
    closes = asyncapi.document["channels"]["v1"]["x-close-codes"]
    assert closes.keys() == {str(int(code)) for code in Close}


def test_described_limits_are_those_of_the_chat(make_world: Callable[..., World]) -> None:
    """The described limits are those of the chat."""
    chat = make_world(max_message=10, rate=3).chat
    for document, names in (
        (contract.openapi(chat, []), ["SendRequest"]),
        (contract.asyncapi(chat), ["Say", "PlainSay"]),
    ):
        for name in names:
            schema = document["components"]["schemas"][name]
            assert schema["properties"]["message"]["maxLength"] == 10
        assert document["info"]["x-limits"]["rate"] == 3
    assert "{7,64}" in json.dumps(operations.send("send", chat, 7))
