"""Ways of being in a room: sessions, and the transports that carry them."""
