"""Makes ``twistd livechat`` known."""

from twisted.application.service import ServiceMaker

livechat = ServiceMaker(
    "livechat",
    "livechat.service",
    "A live chat server: rooms over WebSockets and HTTP.",
    "livechat",
)
