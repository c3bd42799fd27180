"""
Documents of the version before, which kept in one what is a shared map now.

A document is a JSON object of objects and lists: ``{"sessions":{"h":17},"addresses":["a"]}``.
A key of the map is the name of one of them and a key or an item in it: ``sessions:h`` has the
value ``17``, and ``addresses:a`` its place in the list.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from twisted.logger import Logger

_log = Logger()

#: Bytes of a document at most, as in the former version.
LARGEST: Final = 65_536


def document_entries(document: bytes) -> dict[str, bytes]:
    """The keys and values that a document becomes; nothing of one that is damaged."""
    try:
        if len(document) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        groups = msgspec.json.decode(document, type=dict[str, dict[str, Any] | list[str]])
    except ValueError as reason:
        _log.warn("A document of the version before is damaged: {reason}", reason=str(reason))
        return {}
    found: dict[str, bytes] = {}
    for name, group in groups.items():
        pairs = (
            ((item, n) for n, item in enumerate(group))
            if isinstance(group, list)
            else group.items()
        )
        found |= {f"{name}:{key}": msgspec.json.encode(value) for key, value in pairs}
    return found
