"""Doubles of the parts around the core, and the core put together on them."""

from tests.support.browser import Browser
from tests.support.clocks import TURN, TurnClock
from tests.support.frames import client_frame, server_frame
from tests.support.lanes import Lane
from tests.support.outcomes import kind, result, run
from tests.support.port import MAX_UNSENT, Port
from tests.support.recording import RecordingClient, RecordingSink
from tests.support.requests import HANDSHAKE, Answer, request
from tests.support.wire import Wire
from tests.support.world import (
    ADMIN,
    ANN,
    CHEAP,
    LOCAL_KEY,
    PASSWORD,
    SOMEBODY,
    World,
    guest,
    make_door,
    make_free_rules,
    make_keys,
    make_leases,
)

__all__ = [
    "ADMIN",
    "ANN",
    "CHEAP",
    "HANDSHAKE",
    "LOCAL_KEY",
    "MAX_UNSENT",
    "PASSWORD",
    "SOMEBODY",
    "TURN",
    "Answer",
    "Browser",
    "Lane",
    "Port",
    "RecordingClient",
    "RecordingSink",
    "TurnClock",
    "Wire",
    "World",
    "client_frame",
    "guest",
    "kind",
    "make_door",
    "make_free_rules",
    "make_keys",
    "make_leases",
    "request",
    "result",
    "run",
    "server_frame",
]
