"""The tutorial of Django Channels: Channels, daphne, and Redis between them."""
