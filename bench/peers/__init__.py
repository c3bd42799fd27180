"""
The chat servers that livechat is compared with, each as its library recommends.

All have rooms at ``/ws/chat/{room}/``, over TLS. A member sends ``{"message": "text"}``, and all
members get it, the sender included. No message is stored, compressed or logged, and each server is
one process. ``install`` installs them, ``catalogue.py`` has their commands, ``serving.py`` starts
them, and ``python -m bench.peers`` lists them.
"""
