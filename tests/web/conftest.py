"""Fixtures for tests of the API: its documents, and a back end."""

from __future__ import annotations

import pytest

from livechat.web import contract
from tests.support import Port, World
from tests.web.back_end import BackEnd
from tests.web.described import Described


@pytest.fixture
def openapi(port: Port) -> Described:
    return Described(contract.openapi(port.world.chat, port.tree.places()))


@pytest.fixture
def asyncapi(world: World) -> Described:
    return Described(contract.asyncapi(world.chat))


@pytest.fixture
def key(port: Port) -> BackEnd:
    return BackEnd(port, as_users=True)
