"""Rules of options that belong together, or exclude each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livechat.addresses import Address
from livechat.errors import StartError
from livechat.protocol.receivers import MOST_RECEIVERS
from livechat.protocol.signing import MOST_SECRETS


def check(values: Mapping[str, Any]) -> None:
    """
    @raise StartError: two values exclude each other, or one needs another.
    """
    if values["private_key"] is not None and values["certificate"] is None:
        raise StartError("--private-key: needs --certificate as well")
    if values["redis_key"] is not None and values["redis_certificate"] is None:
        raise StartError("--redis-key: needs --redis-certificate as well")
    _check_addresses(values)
    _check_tokens(values)
    if values["ask"] is None and values["ask_about"] != {"send"}:
        raise StartError("--ask-about: needs --ask, which is asked")
    if values["proxy_protocol"] and not values["trust_proxy"]:
        raise StartError("--proxy-protocol: needs --trust-proxy, whose header is believed")
    if values["backend"] is not None and values["redis"]:
        raise StartError("--backend: --redis is given as well")
    if values["workers"] > 1 and not (values["redis"] or values["backend"]):
        raise StartError("--workers: more than one need --redis, which has the rooms of all")
    if values["without_maps"] and (values["redis"] or values["backend"]):
        raise StartError("--without-maps: --redis or --backend is given, and has the maps")
    _check_webhooks(values)
    if values["admin_password"] is not None and values["admin_password_file"] is not None:
        raise StartError("LIVECHAT_ADMIN_PASSWORD: --admin-password-file is given as well")


def _check_addresses(values: Mapping[str, Any]) -> None:
    """
    @raise StartError: an address is given twice, or an option that it needs is missing.
    """
    addresses: tuple[Address, ...] = values["listen"]
    seen: set[object] = set()
    for each in addresses:
        place = each.path or (each.port and (each.interface, each.port)) or each
        if place in seen:
            raise StartError(f"--listen: {each} is given twice")
        seen.add(place)
        if each.is_plain and not each.is_local and not values["trust_proxy"]:
            raise StartError(f"--listen: {each} needs --trust-proxy, whose addresses may connect")
    if all(each.is_plain for each in addresses):
        for name in ("certificate", "proxy_protocol"):
            if values[name]:
                raise StartError(
                    f"--{name.replace('_', '-')}: no address of --listen has TLS, such as tls:10443"
                )


def _check_tokens(values: Mapping[str, Any]) -> None:
    """
    @raise StartError: an issuer or an audience is given without keys, or keys at an address
        without an audience.
    """
    if not values["token_keys"]:
        for name in ("issuer", "audience"):
            if values[f"token_{name}"] is not None:
                raise StartError(f"--token-{name}: needs --token-keys, whose tokens have it")
    if values["token_audience"] is None:
        for each in values["token_keys"]:
            if isinstance(each, str):
                # Its keys sign tokens for other servers too.
                raise StartError(f"--token-keys: {each} needs --token-audience")


def _check_webhooks(values: Mapping[str, Any]) -> None:
    """
    @raise StartError: there are too many.
    """
    if len(values["webhook"]) > MOST_RECEIVERS:
        raise StartError(
            f"--webhook: there are {len(values['webhook'])}, of at most {MOST_RECEIVERS}"
        )
    if len(values["webhook_secret"]) > MOST_SECRETS:
        raise StartError("LIVECHAT_WEBHOOK_SECRET: at most two, the new one and the old one")
