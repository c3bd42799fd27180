"""What every server is told, and what it says."""

from __future__ import annotations

import argparse
import json
import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Where to listen, on 127.0.0.1, and what to show there."""

    port: int
    certificate: str
    key: str

    def endpoint(self) -> str:
        """For those that take Twisted's endpoints; not with its short queue of 50."""
        certificate, key = (path.replace(":", r"\:") for path in (self.certificate, self.key))
        where = f"ssl:{self.port}:interface=127.0.0.1:backlog=1024"
        return f"{where}:certKey={certificate}:privateKey={key}"

    def context(self) -> ssl.SSLContext:
        """For those that take Python's own TLS."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def options() -> Options:
    """Of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", metavar="FILE", required=True)
    parser.add_argument("--key", metavar="FILE", required=True)
    return Options(**vars(parser.parse_args()))


def ready() -> None:
    """Connections are accepted from now on."""
    print("ready", flush=True)


def repeated(frame: str | bytes) -> str:
    """What everybody in the room gets for a frame of one of them."""
    return json.dumps({"message": json.loads(frame)["message"]})
