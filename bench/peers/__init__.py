"""
The chat servers that livechat is compared with, each the way its library means it to be.

All have rooms at ``/ws/chat/{room}/``, over TLS: what one member says, as
``{"message": "text"}``, all members get, the sender too.  Nothing is stored, nothing is
compressed, nothing is logged for a message, and each is one process.  ``install`` gets what
they need; ``catalogue.py`` knows how each is started, ``serving.py`` starts them, and
``python -m bench.peers`` says which there are.
"""
