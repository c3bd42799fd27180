"""`livechat.backends.redis.base`: what each kind of backend says for itself."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from livechat.backends.redis.base import SCRIPTS, BackendInRedis
from livechat.backends.redis.keys import Keys
from livechat.backends.retention import Retention
from livechat.interfaces import IMessageLog, IPresenceRelay, IProcessRegistry

LEFT_TO_OTHERS = {
    "ready", "writable", "ready_for", "writable_for", "_connect", "_disconnect", "beat",
    "write_succeeded", "write_refused", "_note_stored", "_forget_stored",
}  # fmt: skip


def make(kind: Any) -> Any:
    connection: Any = object()
    return kind(connection, Keys(), Clock(), Retention())


def test_parts_are_made_without_a_connection() -> None:
    """A backend's parts are made without a connection."""
    whole = type("Whole", (BackendInRedis,), dict.fromkeys(LEFT_TO_OTHERS))
    backend = make(whole)
    assert verifyObject(IMessageLog, backend.messages)
    assert verifyObject(IPresenceRelay, backend.presence)
    assert verifyObject(IProcessRegistry, backend.processes)


def test_what_is_left_to_others() -> None:
    """A backend must say whether it can be used, and how it is connected: without, none is made."""
    assert BackendInRedis.__abstractmethods__ == LEFT_TO_OTHERS
    with pytest.raises(TypeError, match="abstract"):
        make(BackendInRedis)


def test_scripts_tell_by_publish_or_in_the_way_of_clusters() -> None:
    """Each tells by PUBLISH, or in a cluster's way; those that tell nobody are the same."""
    for script in SCRIPTS:
        assert "SPUBLISH" not in script.text
        assert "'PUBLISH'" not in script.sharded.text
        assert ("'PUBLISH'" in script.text) == (script.digest != script.sharded.digest)
        assert script.sharded is script.sharded
