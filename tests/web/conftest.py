"""Fixtures for tests of the API: its documents, and a back end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from livechat.web import contract
from tests.support import Port, World
from tests.web.back_end import BackEnd
from tests.web.described import Described


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Described, Described]]:
    """The documents of a port with the default limits: those of each test's port."""
    world = World(tmp_path_factory.mktemp("state"))
    places = Port(world).tree.places()
    yield Described(contract.openapi(world.chat, places)), Described(contract.asyncapi(world.chat))
    world.close()


@pytest.fixture
def openapi(documents: tuple[Described, Described]) -> Described:
    return documents[0]


@pytest.fixture
def asyncapi(documents: tuple[Described, Described]) -> Described:
    return documents[1]


@pytest.fixture
def key(port: Port) -> BackEnd:
    return BackEnd(port, as_users=True)
