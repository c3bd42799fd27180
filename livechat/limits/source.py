"""Sources of requests and messages, as far as rates go."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

from livechat.limits.rates import Bucket, Rate, address_key


class Source:
    """
    One connection, or one client of a connection that a proxy shares among several.

    All requests of a connection have the same source, and so the same bucket.

    @ivar address: an IP address as text.
    @ivar key: what counts as its address (`livechat.limits.rates.address_key`).
    @ivar bucket: holds the messages of this connection.
    @ivar mark: a keyed hash of *key*, of which nobody learns the address; None until it is needed.
    """

    __slots__ = ("address", "bucket", "key", "mark")

    def __init__(self, address: str, rate: Rate) -> None:
        """
        @param rate: of messages.
        """
        self.address = address
        self.key = address_key(address)
        self.bucket = Bucket(rate)
        self.mark: str | None = None

    def marked(self, secret: bytes) -> None:
        """
        Give it its mark: the same for the same address at all processes.

        @param secret: at most 64 bytes, which all processes have.
        """
        digest = blake2b(self.key.encode(), key=secret, digest_size=12, person=b"address").digest()
        self.mark = urlsafe_b64encode(digest).decode()
