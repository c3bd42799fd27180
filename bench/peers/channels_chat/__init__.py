"""Django Channels' own tutorial: Channels, daphne, and Redis between them."""
