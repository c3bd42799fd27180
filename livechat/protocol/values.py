"""The values in frames, bodies and queries: numbers, nonces, data, places."""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta, Raw

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Place
from livechat.protocol.wire import DEEPEST_DATA, LARGEST_DATA

#: The largest number, which is JavaScript's largest exact one.
LARGEST_NUMBER: Final = 2**53 - 1
#: Characters of a nonce, and of an epoch.
LONGEST_NONCE: Final = 64
#: Characters of a text that is looked for.
LONGEST_SOUGHT: Final = 200
_EPOCH: Final = r"[A-Za-z0-9_-]{1,64}"

#: Pattern of a place as text.
PLACE: Final = rf"({_EPOCH}):([0-9]{{1,16}})"
_PLACE: Final = re.compile(PLACE, re.ASCII)

Number = Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]
Ref = Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]
#: A JSON object, or nothing; checked by `livechat.protocol.wire.checked_data`.
Data = Annotated[
    Raw,
    Meta(
        description="A JSON object, for the clients; without insignificant white space at most "
        f"{LARGEST_DATA} bytes; nested at most {DEEPEST_DATA} deep.",
        extra_json_schema={"type": "object"},
    ),
]
#: A user that a key acts for; decoded by `livechat.protocol.bodies.decode_named`, for a key only.
Who = Annotated[
    Raw,
    Meta(
        extra_json_schema={
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "name": {"type": "string"},
                        "role": {"type": "string"},
                    },
                    "required": ["id"],
                },
                {"type": "null"},
            ]
        }
    ),
]
Nonce = Annotated[str, Meta(min_length=1, max_length=LONGEST_NONCE)]
Sought = Annotated[str, Meta(min_length=1, max_length=LONGEST_SOUGHT)]
Epoch = Annotated[str, Meta(pattern=f"^{_EPOCH}$")]


def place_of_text(text: str) -> Place:
    """
    Read a place from ``epoch:seq``, as in ``?since=`` and ``Last-Event-ID``.

    @raise ChatError: it is no place.
    """
    found = _PLACE.fullmatch(text)
    if found is None or int(found[2]) > LARGEST_NUMBER:
        raise ChatError(Kind.BAD_QUERY, "A place in a room is written as epoch:seq.")
    return Place(found[1], int(found[2]))
