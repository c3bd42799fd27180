"""A Django view that gives each signed-in visitor a token: ``path("chat-token", chat_token)``."""

import time

import jwt
from django.conf import settings
from django.http import HttpRequest, JsonResponse


def chat_token(request: HttpRequest) -> JsonResponse:
    """Say who the visitor is, for ten minutes."""
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    now = int(time.time())
    claims = {"sub": str(request.user.pk), "name": str(request.user), "iat": now, "exp": now + 600}
    if request.user.is_staff:
        claims |= {"role": "staff", "rooms": {"*": ["join", "history", "send", "moderate"]}}
    return JsonResponse({"token": jwt.encode(claims, settings.CHAT_SECRET, "HS256")})
