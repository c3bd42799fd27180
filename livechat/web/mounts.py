"""
Other people's resources: found by their names, and put into the tree.

Any `IResource` can be mounted: a `twisted.web.static.File`, a `twisted.web.wsgi.WSGIResource`, the
resource of a klein app.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from twisted.web.resource import IResource

from livechat.dotted_names import explained, find
from livechat.errors import StartError
from livechat.http.mount import Mount
from livechat.http.tree import Place

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: A path of segments without characters that may be percent-encoded: it has one spelling.
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]{1,64}){1,8}/?", re.ASCII)


def load(names: Iterable[tuple[str, str]], reactor: PosixReactorBase) -> list[tuple[str, object]]:
    """
    Find what ``--mount`` names.

    @param names: paths, and dotted names of resources or of functions that make them.
    @return: the paths, and the resources found.
    @raise StartError: there is no such thing, or it cannot be made.
    """
    return [
        (path, _made(find(name, f"--mount {path}"), f"--mount {path}: {name}", reactor))
        for path, name in names
    ]


def _made(found: Any, shown: str, reactor: PosixReactorBase) -> object:
    """Return a resource, or call the function that makes it, with the reactor if it takes one."""
    if IResource.providedBy(found) or not callable(found):
        return found
    try:
        inspect.signature(found).bind()
        given: tuple[object, ...] = ()
    except (TypeError, ValueError):
        given = (reactor,)
    try:
        return found(*given)
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        raise StartError(f"{shown} cannot be made: {explained(error)}") from None


def mount(tree: Place, resources: Iterable[tuple[str, object]]) -> None:
    """
    Put *resources* into *tree*, by their paths.

    @raise StartError: one is no resource, or its path is none, or not free.
    """
    own = set(tree.children)
    for path, resource in sorted(resources, key=lambda each: each[0]):
        if _PATH.fullmatch(path) is None:
            raise StartError(
                f"a resource cannot be mounted at {path!r}: a path is such as /docs, of letters, "
                "digits and ._~-"
            )
        if path.split("/")[1].encode() in own:
            raise StartError(f"nothing can be mounted at {path}, which is livechat's own")
        if not IResource.providedBy(resource):
            raise StartError(f"what is to be mounted at {path} is no IResource: {resource!r:.100}")
        try:
            tree.put(path, Mount(resource))
        except ValueError:
            raise StartError(f"something is mounted above or below {path} already") from None
