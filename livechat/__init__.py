"""A live chat server: rooms over WebSockets and HTTP, on one TLS port."""
