"""
A Django site whose sessions are its chat's identities; livechat asks it who a visitor is.

    pip install django standardwebhooks
    export LIVECHAT_WEBHOOK_SECRET=whsec_...    # for both, such as that in state/webhook-secret
    export SITE_SECRET=$(openssl rand -hex 32)
    python examples/django_ask.py migrate && python examples/django_ask.py createsuperuser
    python examples/django_ask.py runserver 8000
    twistd --pidfile= -n livechat --ask http://127.0.0.1:8000/ask/ --ask-about send,join

Sign in at http://localhost:8000/, then chat at https://localhost:10443/: browsers send a cookie to
all ports of a host.  Elsewhere both have one host, or ``SESSION_COOKIE_DOMAIN`` is that of both.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

FORM = """<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{}"><p>{}<p>
<input name="user"> <input name="password" type="password"> <button>Go</button></form>"""


@csrf_exempt
def ask(request: HttpRequest) -> HttpResponseBase:
    """Answer livechat; `request` has the cookies of the visitor that it asks about."""
    try:
        Webhook(os.environ["LIVECHAT_WEBHOOK_SECRET"]).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return HttpResponse(status=401)
    asked = json.loads(request.body)
    if asked["about"] == "send" and "darn" in asked["message"]:
        text = asked["message"].replace("darn", "d***")
        return JsonResponse({"verdict": "accept", "message": text})
    if asked["about"] != "join" or asked["kind"] != "guest":
        # Another message; or somebody with a token, or a program with a key.
        return HttpResponse(status=204)
    if not request.user.is_authenticated:
        return JsonResponse({"verdict": "reject", "reason": "Sign in first."})
    found: dict[str, Any] = {"user": {"id": str(request.user.pk), "name": str(request.user)}}
    if request.user.is_staff:
        found["rooms"] = {"*": ["join", "history", "send", "moderate"]}
    return JsonResponse({"verdict": "accept", **found})


def home(request: HttpRequest) -> HttpResponseBase:
    """Sign in with a name and a password, or out without them."""
    if request.method == "POST":
        found = authenticate(
            request, username=request.POST["user"], password=request.POST["password"]
        )
        login(request, found) if found else logout(request)
        return redirect("/")
    return HttpResponse(format_html(FORM, get_token(request), request.user.get_username()))


urlpatterns = [path("", home), path("ask/", ask)]

if __name__ == "__main__":
    settings.configure(
        ALLOWED_HOSTS=["localhost", "127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.sqlite3"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.environ["SITE_SECRET"],
    )
    execute_from_command_line(sys.argv)
