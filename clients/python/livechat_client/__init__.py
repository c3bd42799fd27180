"""
A client of livechat: it joins a room, and stays in it.

    async with connect("https://chat.example.org:10443", room="lobby", name="Ann") as chat:
        await chat.send("hi")
        async for entry in chat:
            print(entry)
"""

from livechat_client.chat import Chat, connect
from livechat_client.entries import (
    Ack,
    Edited,
    Entry,
    Gap,
    Message,
    Page,
    Place,
    Restriction,
    Retracted,
    State,
    Status,
    User,
)
from livechat_client.errors import (
    BadAddress,
    ChatError,
    Closed,
    Held,
    Refused,
    Unanswered,
    Unreachable,
)

__all__ = [
    "Ack",
    "BadAddress",
    "Chat",
    "ChatError",
    "Closed",
    "Edited",
    "Entry",
    "Gap",
    "Held",
    "Message",
    "Page",
    "Place",
    "Refused",
    "Restriction",
    "Retracted",
    "State",
    "Status",
    "Unanswered",
    "Unreachable",
    "User",
    "connect",
]
