"""Builds the parts that decide what actors may do."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from livechat.identity.pseudonyms import Pseudonyms
from livechat.interfaces import IBackend, IPolicy
from livechat.protocol.settings import RoomSettings
from livechat.rooms.policy import Policy
from livechat.rooms.restrictions import Restrictions, restrictions_map
from livechat.rooms.settings import SettingsRegistry, settings_map
from livechat.system.time import Time


class Rules(Struct, frozen=True):
    """The parts that decide what actors may do."""

    policy: Policy
    settings: SettingsRegistry
    restrictions: Restrictions


def make_rules(
    backend: IBackend, time: Time, usual: RoomSettings, extra: Sequence[IPolicy] = ()
) -> Rules:
    """
    Make the rules of the rooms in *backend*.

    @param usual: the settings of rooms without changes.
    @param extra: policies of extensions.
    """
    settings = SettingsRegistry(settings_map(backend), usual)
    pseudonyms = Pseudonyms(backend.processes.secret)
    restrictions = Restrictions(restrictions_map(backend), time, pseudonyms)
    return Rules(Policy(extra, time, settings, restrictions), settings, restrictions)
