"""Serves like the command ``daphne -v 0 -e ssl:...``, and prints when it is ready."""

from __future__ import annotations

import os

import daphne.server  # first: it installs a reactor
import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

from bench.peers.options import options, ready


def main() -> None:
    given = options()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.channels_chat.settings"
    django.setup()
    from .chat import websocket_urlpatterns  # noqa: PLC0415 - needs the settings

    daphne.server.Server(
        ProtocolTypeRouter(
            {"http": get_asgi_application(), "websocket": URLRouter(websocket_urlpatterns)}
        ),
        [given.endpoint()],
        verbosity=0,
        ready_callable=ready,
    ).run()


main()
