"""Sockets: the certificate, the HTTP port, and WebSockets on it."""
