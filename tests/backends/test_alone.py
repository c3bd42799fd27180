"""`livechat.backends.alone`."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from livechat.backends.alone import LonePresenceRelay, LoneProcessRegistry
from livechat.interfaces import IPresenceRelay, IProcessRegistry
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from tests.contract import REPORT
from tests.support import result


def test_nobody_else() -> None:
    """One process reports on itself, and has nobody to tell of its users."""
    relay, registry = LonePresenceRelay(), LoneProcessRegistry(lambda: b"secret")
    assert verifyObject(IPresenceRelay, relay)
    assert verifyObject(IProcessRegistry, registry)
    registry.start(lambda: REPORT)
    assert result(registry.reports()) == [REPORT]
    assert result(registry.secret()) == b"secret"
    relay.share("r", Share())
    relay.typing("r", User("1", "Ann"))
