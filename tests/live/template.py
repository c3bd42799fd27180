"""
A process that has imported what a daemon imports, and becomes daemons by forking.

`tests.live.forking` starts it, and asks it over a socket, its only argument:

    {"run": [command], "directory": "/…", "environment": {…}}, and where to write
        it forks; the answer is the child's id and a descriptor of it (pidfd)
    {"say": [command], …} as before, and its input, output and errors
        the same for the command `livechat`
    {"wait": id}
        it waits for the child, and answers with the exit code

It has bundled the scripts and compiled the pages, too.
Until it is asked it opens nothing, starts no thread, installs no reactor and looks for no
plugins: all of that is the child's, as if it had been started by exec.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, Final

# As it is for the twistd beside this Python: this program's own folder is no place for modules.
sys.path[0] = str(Path(sys.executable).parent)

import cryptography.hazmat.backends.openssl.backend  # noqa: E402, F401
import twisted.conch.error  # noqa: E402
import twisted.internet.epollreactor  # noqa: E402
import twisted.protocols.haproxy._parser  # noqa: E402
import twisted.scripts.twistd  # noqa: E402
import twisted.trial.itrial  # noqa: E402
import twisted.words.iwords  # noqa: E402

import livechat.backends.sqlite.backend  # noqa: E402
import livechat.command.checks  # noqa: E402
import livechat.command.configured  # noqa: E402
import livechat.command.main  # noqa: E402
import livechat.command.restoring  # noqa: E402
import livechat.daemon.starting  # noqa: E402
import livechat.daemon.supervision  # noqa: E402
import livechat.daemon.surface  # noqa: E402
import livechat.service  # noqa: E402
from livechat.web import files  # noqa: E402
from livechat.web.html import environment, folder  # noqa: E402
from tests.live import standby  # noqa: E402

# Every daemon derives the same from its own files, and keeps it.
assert files.read(folder("static")).newest
for page in environment().list_templates(extensions=["html"]):
    environment().get_template(page)

# A fork that looks through all of it for garbage, at its end at the latest, copies all of it.
gc.collect()
gc.freeze()

# Forks of one would share what it waits with, and wake and end one another.
assert "twisted.internet.reactor" not in sys.modules

#: Bytes of a request: an environment is a few kilobytes.
LONGEST: Final = 1 << 20


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Answer until the other end closes; in a child, return the request that it must fulfil."""
    while True:
        data, files, _, _ = socket.recv_fds(requests, LONGEST, 3)
        if not data:
            return None
        request = json.loads(data)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            requests.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
            continue
        child = os.fork()
        if not child:
            requests.close()
            # A daemon's output is one file, and its input is the template's, which has none.
            first, places = (0, files) if "say" in request else (1, files * 2)
            for place, file in enumerate(places, first):
                os.dup2(file, place)
            for file in files:
                os.close(file)
            found: dict[str, Any] = request
            return found
        for file in files:
            os.close(file)
        descriptor = os.pidfd_open(child)
        socket.send_fds(requests, [json.dumps(child).encode()], [descriptor])
        os.close(descriptor)


def main() -> None:
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return
    os.chdir(request["directory"])
    own = 1
    if "run" in request:
        order = standby.fork(standby.wanted(request["run"], request["environment"]))
        if order is None:
            standby.replace_exec()
        else:
            # Python's -P keeps the program's own folder away.
            own = 0
            del sys.path[0]
            request |= order
    os.environ.clear()
    os.environ.update(request["environment"])
    # Behind the program's own folder, as Python puts it.  Plugins are not looked for there.
    sys.path[own:own] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if "say" in request:
        sys.argv = request["say"]
        sys.exit(livechat.command.main.main())
    sys.argv = request["run"]
    sys.exit(twisted.scripts.twistd.run())


if __name__ == "__main__":
    main()
