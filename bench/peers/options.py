"""Options and messages that all servers on Python share."""

from __future__ import annotations

import argparse
import json
import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The port on 127.0.0.1, and the certificate."""

    port: int
    certificate: str
    key: str

    def endpoint(self) -> str:
        """Return a Twisted endpoint, with a longer queue than its default of 50."""
        certificate, key = (path.replace(":", r"\:") for path in (self.certificate, self.key))
        where = f"ssl:{self.port}:interface=127.0.0.1:backlog=1024"
        return f"{where}:certKey={certificate}:privateKey={key}"

    def context(self) -> ssl.SSLContext:
        """Return a context for Python's own TLS."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", metavar="FILE", required=True)
    parser.add_argument("--key", metavar="FILE", required=True)
    return Options(**vars(parser.parse_args()))


def ready() -> None:
    """Print that connections are accepted."""
    print("ready", flush=True)


def repeated(frame: str | bytes) -> str:
    """Return the text that all members of a room get for a member's frame."""
    return json.dumps({"message": json.loads(frame)["message"]})
