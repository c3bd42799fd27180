"""The tree of the admin page: everything below ``/admin/``."""

from __future__ import annotations

from typing import Final

from livechat.http.endpoint import Endpoint
from livechat.http.rules import Audience
from livechat.identity.operators import Operators
from livechat.rooms.chat import Chat
from livechat.system.time import Time
from livechat.web.admin.audit import AuditPages
from livechat.web.admin.cases import CasePages
from livechat.web.admin.forgetting import ForgettingPages
from livechat.web.admin.gate import Gate
from livechat.web.admin.health import HealthPages
from livechat.web.admin.keys import KeyPages
from livechat.web.admin.members import PeoplePages
from livechat.web.admin.pages import Admin
from livechat.web.admin.panic import PanicForm
from livechat.web.admin.people import PersonForms
from livechat.web.admin.room import RoomPages
from livechat.web.admin.settings import SettingsPages
from livechat.web.admin.sweep import SweepForms
from livechat.web.html import Templates
from livechat.web.key_office import KeyOffice
from livechat.web.server import Server

_OWN: Final = Audience("own", secure=True)


class AdminTree:
    """The pages for operators, and their addresses."""

    def __init__(
        self,
        chat: Chat,
        operators: Operators,
        office: KeyOffice,
        *,
        server: Server,
        templates: Templates,
        time: Time,
    ) -> None:
        self._gate = Gate(operators, chat, templates, time)
        self._overview = Admin(chat, server=server, templates=templates, time=time)
        self._room = RoomPages(chat, server=server, templates=templates, time=time)
        self._panic = PanicForm(chat)
        self._people = PeoplePages(chat, templates)
        self._persons = PersonForms(chat)
        self._sweep = SweepForms(chat)
        self._settings = SettingsPages(chat, templates)
        self._keys = KeyPages(chat, office, templates, time)
        self._cases = CasePages(chat, self._persons, templates, time)
        self._health = HealthPages(chat, server=server, templates=templates, time=time)
        self._forgetting = ForgettingPages(chat, templates)
        self._records = AuditPages(chat.audit, templates, time)

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {**self._everywhere(), **self._of_rooms()}

    def _everywhere(self) -> dict[str, Endpoint]:
        gate, settings = self._gate, self._settings
        forgetting = self._forgetting
        forget = gate.form(forgetting.forget, forgetting.not_begun)
        keys, cases = gate.form(self._keys.make, self._keys.not_made), self._cases
        return {
            "/admin/": Endpoint({"GET": gate.page(self._overview.overview)}, _OWN),
            "/admin/events": Endpoint({"GET": gate.events(self._overview.overview_events)}, _OWN),
            "/admin/audit/": Endpoint({"GET": gate.page(self._records.page)}, _OWN),
            "/admin/audit/events": Endpoint({"GET": gate.events(self._records.events)}, _OWN),
            "/admin/cases/": Endpoint(
                {"GET": gate.page(cases.page), "POST": gate.form(cases.decide)}, _OWN
            ),
            "/admin/cases/events": Endpoint({"GET": gate.events(cases.events)}, _OWN),
            "/admin/forget/": Endpoint({"GET": gate.page(forgetting.page), "POST": forget}, _OWN),
            "/admin/health/": Endpoint({"GET": gate.page(self._health.page)}, _OWN),
            "/admin/health/events": Endpoint({"GET": gate.events(self._health.events)}, _OWN),
            "/admin/keys/": Endpoint({"GET": gate.page(self._keys.page), "POST": keys}, _OWN),
            "/admin/keys/drop/": Endpoint({"POST": gate.form(self._keys.drop)}, _OWN),
            "/admin/settings/": Endpoint(
                {"GET": gate.page(settings.page), "POST": gate.form(settings.save)}, _OWN
            ),
            "/admin/settings/find/": Endpoint({"GET": gate.page(settings.find)}, _OWN),
            "/admin/sign-in/": Endpoint({"GET": gate.ask, "POST": gate.sign_in}, _OWN),
            "/admin/sign-out/": Endpoint({"POST": gate.form(gate.sign_out)}, _OWN),
        }

    def _of_rooms(self) -> dict[str, Endpoint]:
        gate, room, settings = self._gate, self._room, self._settings
        send, remove = (
            gate.form(room.send, room.not_sent),
            gate.form(room.remove, room.not_removed),
        )
        below = "/admin/rooms/{room}/"
        return {
            "/admin/rooms/": Endpoint({"GET": gate.page(self._overview.find)}, _OWN),
            below: Endpoint({"GET": gate.page(room.room), "POST": send}, _OWN),
            f"{below}events": Endpoint({"GET": gate.events(room.room_events)}, _OWN),
            f"{below}remove/": Endpoint({"POST": remove}, _OWN),
            f"{below}panic/": Endpoint({"POST": gate.form(self._panic.turn)}, _OWN),
            f"{below}restrict/": Endpoint({"POST": gate.form(self._persons.restrict)}, _OWN),
            f"{below}pardon/": Endpoint({"POST": gate.form(self._persons.pardon)}, _OWN),
            f"{below}ban-shown/": Endpoint({"POST": gate.form(self._sweep.ban)}, _OWN),
            f"{below}remove-shown/": Endpoint({"POST": gate.form(self._sweep.remove)}, _OWN),
            f"{below}members/": Endpoint({"GET": gate.page(self._people.members)}, _OWN),
            f"{below}restrictions/": Endpoint({"GET": gate.page(self._people.restrictions)}, _OWN),
            f"{below}settings/": Endpoint(
                {"GET": gate.page(settings.page), "POST": gate.form(settings.save)}, _OWN
            ),
        }
