"""Documents of the API that must describe every body that is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from tests.support import Answer

HELLO = b'{"message": "hi"}'


class Described:
    """A document that must describe every body that is sent."""

    def __init__(self, document: Any) -> None:
        self.document = document
        # To look through a document for every value costs more than to check the value.
        self._open, self._closed = (
            Draft202012Validator({"components": each["components"]})
            for each in (document, closed(document))
        )

    def fits(self, schema: Any, value: Any, *, more: bool = False) -> bool:
        """
        @param more: there may be keys that are not described.
        """
        validator = self._open if more else self._closed
        return bool(validator.evolve(schema=schema).is_valid(value))

    def carried(self, operation: str, value: Any, *, more: bool = False) -> list[str]:
        """Find an operation's messages that describe *value*, by name."""
        names = [
            each["$ref"].rpartition("/")[2]
            for each in self.document["operations"][operation]["messages"]
        ]
        messages = self.document["components"]["messages"]
        return [name for name in names if self.fits(messages[name]["payload"], value, more=more)]

    def check(self, method: str, target: str, answer: Answer) -> None:
        """Check that an HTTP answer is described."""
        media, path = answer.headers.get("content-type", ""), target.partition("?")[0]
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template).removesuffix("/") + "/?"
            if re.fullmatch(pattern, path) and method.lower() in item:
                expected = item[method.lower()]["responses"][str(answer.status)]
                schema = expected["content"][media]["schema"]
                headers = expected.get("headers", {})
                break
        else:
            assert answer.status in (404, 405)
            schema, headers = {"$ref": "#/components/schemas/Problem"}, {}
        assert self.fits(schema, answer.json()), (schema, answer)
        needed = {name.lower() for name in headers if headers[name].get("required")}
        assert needed <= set(answer.headers)
        assert ("retry-after" in answer.headers) <= ("Retry-After" in headers)


def closed(schema: Any) -> Any:
    """Copy a schema so that keys that are not described are not allowed."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if {"properties", "type"} <= schema.keys() else {}
    return {name: closed(value) for name, value in schema.items()} | more


def found(value: Any, key: str) -> Iterator[Any]:
    """Find all values under *key*, at any depth."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == key)
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from found(each, key)
