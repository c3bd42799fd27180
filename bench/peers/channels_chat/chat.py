"""The tutorial's consumer, and a view that sends to its groups."""

from __future__ import annotations

import json

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


class ChatConsumer(AsyncWebsocketConsumer):
    """A member's connection."""

    async def connect(self) -> None:
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data: str) -> None:
        message = json.loads(text_data)["message"]
        await self.channel_layer.group_send(
            self.room_group_name, {"type": "chat.message", "message": message}
        )

    async def chat_message(self, event: dict[str, str]) -> None:
        await self.send(text_data=json.dumps({"message": event["message"]}))


@csrf_exempt
@require_POST
async def send(request: HttpRequest) -> JsonResponse:
    body = json.loads(request.body)
    await get_channel_layer().group_send(
        f"chat_{body['room']}", {"type": "chat.message", "message": body["message"]}
    )
    return JsonResponse({"message": "Message sent!"})


urlpatterns = [path("chat/send/", send)]
websocket_urlpatterns = [path("ws/chat/<room_name>/", ChatConsumer.as_asgi())]
