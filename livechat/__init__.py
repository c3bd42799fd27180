"""A live chat server: rooms over WebSockets and HTTP, on one TLS port."""

__version__ = "0.2.0"
