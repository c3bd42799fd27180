"""`livechat.backends.redis.base`: what each kind of backend says for itself."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from livechat.backends.redis.base import SCRIPTS, BackendInRedis
from livechat.backends.redis.keys import Keys
from livechat.backends.retention import Retention
from livechat.interfaces import IMessageLog, IPresenceRelay, IProcessRegistry


def made() -> BackendInRedis:
    connection: Any = object()
    return BackendInRedis(connection, Keys(), Clock(), Retention())


def test_its_parts() -> None:
    """They are made without a connection."""
    backend = made()
    assert verifyObject(IMessageLog, backend.messages)
    assert verifyObject(IPresenceRelay, backend.presence)
    assert verifyObject(IProcessRegistry, backend.processes)


def test_what_is_left_to_others() -> None:
    """Whether it can be used, and how it is connected."""
    backend = made()
    for ask in (
        lambda: backend.ready,
        lambda: backend.writable,
        lambda: backend.ready_for("r"),
        lambda: backend.writable_for("r"),
        backend._connect,
        backend._disconnect,
        backend._forget_stored,
    ):
        with pytest.raises(NotImplementedError):
            ask()
    failed: list[Any] = []
    Deferred.fromCoroutine(backend.beat()).addErrback(failed.append)
    assert failed


def test_scripts() -> None:
    """Each tells by PUBLISH, or in a cluster's way; those that tell nobody are the same."""
    for script in SCRIPTS:
        assert "SPUBLISH" not in script.text
        assert "'PUBLISH'" not in script.sharded.text
        assert ("'PUBLISH'" in script.text) == (script.digest != script.sharded.digest)
        assert script.sharded is script.sharded
