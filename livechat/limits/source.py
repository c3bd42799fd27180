"""Where requests and messages come from, as far as rates go."""

from __future__ import annotations

from livechat.limits.rates import Bucket, Rate, address_key


class Source:
    """
    One connection, or one client of a connection that a proxy shares among several.

    All requests of a connection have the same source, and so the same bucket.

    @ivar address: an IP address as text.
    @ivar key: what counts as its address (`livechat.limits.rates.address_key`).
    @ivar bucket: holds the messages of this connection.
    """

    __slots__ = ("address", "bucket", "key")

    def __init__(self, address: str, rate: Rate) -> None:
        """
        @param rate: of messages.
        """
        self.address = address
        self.key = address_key(address)
        self.bucket = Bucket(rate)
