"""`livechat.web.operations`."""

from __future__ import annotations

from livechat.http.endpoint import Endpoint
from livechat.web import operations
from tests.support import Port, World


def test_each_operation_has_its_name_and_summary(port: Port) -> None:
    """Each operation has a name of its own, and a summary."""
    described = [
        described
        for place in port.tree.places()
        if isinstance(place, Endpoint) and place.described is not None
        for described in operations.by_method(place).values()
    ]
    names = [each["operationId"] for each in described]
    assert len(set(names)) == len(names) > 10
    assert all(each["summary"] for each in described)


def test_a_shared_key_is_as_long_as_described(world: World) -> None:
    """A key that counts among those of all has as many characters as the operation says."""
    parameters = operations.send("send", world.chat, 7)["parameters"]
    (key,) = (each["schema"] for each in parameters if each["name"] == "Idempotency-Key")
    assert key["pattern"] == "^[!-~]{7,64}$"
