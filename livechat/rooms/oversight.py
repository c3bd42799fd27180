"""Puts together the parts with which moderators act in the rooms, and which know each other."""

from __future__ import annotations

from typing import NamedTuple

from livechat.identity.leases import Leases
from livechat.interfaces import IBackend
from livechat.rooms.audit import Audit
from livechat.rooms.bulletins import Bulletins
from livechat.rooms.cases import Cases
from livechat.rooms.forgetting import Forgetting
from livechat.rooms.hub import Hub
from livechat.rooms.moderation import Moderation
from livechat.rooms.overview import Overview
from livechat.rooms.presence import Presence
from livechat.rooms.removal import Removal
from livechat.rooms.renaming import Renaming
from livechat.rooms.rules import Rules
from livechat.rooms.standing import Standings
from livechat.system.time import Time


class Oversight(NamedTuple):
    """
    The parts, as `livechat.rooms.chat.Chat` has them.

    @ivar standings: what connections may do, while that changes.
    @ivar renaming: gives guests other names.
    @ivar bulletins: tells moderators of each other's actions.
    @ivar cases: messages that wait for a review, and reports.
    @ivar removal: takes back all that somebody said, or all there is.
    @ivar forgetting: forgets people.
    @ivar moderation: restricts people, and changes settings.
    """

    standings: Standings
    renaming: Renaming
    bulletins: Bulletins
    cases: Cases
    removal: Removal
    forgetting: Forgetting
    moderation: Moderation


def make_oversight(
    backend: IBackend,
    rules: Rules,
    *,
    hub: Hub,
    audit: Audit,
    presence: Presence,
    overview: Overview,
    leases: Leases,
    time: Time,
) -> Oversight:
    """Make the parts: what a retraction, a ban or an order to forget somebody hits, hears of it."""
    standings = Standings(rules, hub, time)
    cases = Cases(backend, rules.policy, audit, standings, time)
    removal = Removal(backend, rules.policy, audit, time, cases.retracted)
    return Oversight(
        standings,
        Renaming(rules.policy, presence, standings, time),
        Bulletins(backend.messages, hub, standings),
        cases,
        removal,
        Forgetting(backend, rules, leases=leases, audit=audit, cases=cases, time=time),
        Moderation(
            rules,
            standings,
            audit,
            removal,
            overview=overview,
            presence=presence,
            cases=cases,
            time=time,
        ),
    )
