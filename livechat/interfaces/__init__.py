"""
The published boundaries: what a new backend, a new kind of client, an extension or a test double
has to keep.
"""

# ruff: noqa: I001 - each name on a line of its own
from livechat.interfaces.backends import (
    IArchive as IArchive,
    IBackend as IBackend,
    IMessageLog as IMessageLog,
    IPresenceRelay as IPresenceRelay,
    IPresenceSink as IPresenceSink,
    IProcessRegistry as IProcessRegistry,
    IReceiver as IReceiver,
    ISharedMap as ISharedMap,
    ISink as ISink,
    Record as Record,
)
from livechat.interfaces.extensions import (
    IActor as IActor,
    IAuthenticator as IAuthenticator,
    IExtension as IExtension,
    IListener as IListener,
    IPolicy as IPolicy,
    ISubscriber as ISubscriber,
)
from livechat.interfaces.outbox import IOutbox as IOutbox, Waiting as Waiting
from livechat.protocol.credentials import Credentials as Credentials
from livechat.protocol.credentials import Identity as Identity
