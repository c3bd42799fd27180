"""Trust of others in livechat, and of livechat in others: certificate, password, keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from livechat.command.checking.findings import Finding, doubtful, ill
from livechat.command.client import fetched
from livechat.command.output import CommandError
from livechat.config import Config
from livechat.errors import StartError
from livechat.identity.passwords import find_password
from livechat.identity.token_keys import LARGEST, keys_of_file, keys_of_json
from livechat.net import certificates
from livechat.net.certificates import Certificate
from livechat.protocol.origins import NULL
from livechat.system import files


def certificate(config: Config) -> tuple[Certificate | None, list[Finding]]:
    """The certificate, if there is one, and whether clients take it."""
    about = "certificate"
    directory = config.directory / "certs"
    if all(each.is_plain for each in config.listen):
        return None, [Finding(about, "ok", "none is needed: TLS ends at a proxy (--listen)")]
    try:
        if config.certificate is not None:
            key = config.private_key or config.certificate
            found = certificates.load(config.certificate, key)
        elif (directory / "livechat.crt").exists() or (directory / "livechat.key").exists():
            found = certificates.load(directory / "livechat.crt", directory / "livechat.key")
        else:
            return None, [Finding(about, "ok", f"one is made at the start, in {directory}")]
    except StartError as reason:
        cure = "name a PEM file with the whole chain, and the one with its key, without a password"
        if config.certificate is None:
            cure = f"remove both files in {directory}: another one is made"
        return None, [ill(about, str(reason), cure)]
    return found, list(_believed(config, found))


def _believed(config: Config, found: Certificate) -> Iterator[Finding]:
    about, now = "certificate", datetime.now(UTC)
    wrong = found.warning(now)
    if wrong is not None:
        counts = found.begins <= now < found.expires
        cure = "renew it, then systemctl reload livechat"
        if found.begins > now:
            cure = "wait, or see to the clock"
        elif found.self_signed and config.certificate is None:
            cure = f"remove both files in {found.chain.parent} and restart: another one is made"
        yield (doubtful if counts else ill)(about, wrong, cure)
        return
    kind = ", self-signed" if found.self_signed else ""
    text = f"{found.chain} for {', '.join(found.names)}, until {found.expires:%Y-%m-%d}{kind}"
    yield Finding(about, "ok", text)
    if found.self_signed and not all(each.is_local for each in config.listen):
        text = "others can connect, and the certificate is self-signed: browsers warn of it"
        yield doubtful(about, text, "get one (certbot), and give --certificate and --private-key")
    lacking = sorted(each for each in config.host if not _covers(found, each))
    if lacking and any(not each.is_plain for each in config.listen):
        text = f"it is not for {', '.join(lacking)}, which --host names"
        yield doubtful(about, text, "get one for all names, unless a proxy has one for these")


def _covers(found: Certificate, name: str) -> bool:
    if name == "*":
        return True
    wide = "*." + name.partition(".")[2]
    return any(each.lower() in (name.lower(), wide.lower()) for each in found.names)


def password(config: Config) -> Finding:
    """Check that operators can sign in."""
    about = "password"
    usual = config.state / "admin-password"
    given = config.admin_password is not None or config.admin_password_file is not None
    if not given and not usual.exists():
        return Finding(about, "ok", f"one is made at the start, in {usual}")
    try:
        found = find_password(config.admin_password, config.admin_password_file, usual)
    except StartError as reason:
        cure = "put one line of 8 to 1,000 characters there, readable by livechat's user"
        return ill(about, str(reason), cure)
    return Finding(about, "ok", f"in {found.source}")


def token_keys(config: Config) -> Iterator[Finding]:
    """Check that the keys of tokens can be used."""
    about = "token keys"
    for source in config.token_keys:
        try:
            if isinstance(source, Path):
                found = keys_of_file(files.read(source, LARGEST))
            else:
                found = keys_of_json(fetched(source, LARGEST), of_others=True)
        except OSError as reason:
            text = f"{source} cannot be read: {reason.strerror or reason}"
            yield ill(about, text, "name a file that livechat's user can read")
        except (CommandError, ValueError) as reason:
            cure = "docs/identity.md, Keys, says which files are accepted"
            yield ill(about, f"{source}: {reason}", cure)
        else:
            kinds = sorted({name for key in found for name in key.algorithms})
            yield Finding(about, "ok", f"{source}: {len(found)}, for {', '.join(kinds)}")


def believed(config: Config) -> Iterator[Finding]:
    """Check that not more is believed than should be, or shown to more than should see it."""
    about = "exposure"
    public = not all(each.is_local for each in config.listen)
    for network in sorted(config.trust_proxy, key=str):
        if network.prefixlen == 0:
            text = f"--trust-proxy {network}: anybody may say that a request is somebody else's"
            yield ill(about, text, "name the addresses of the proxies alone")
    if "*" in config.host:
        text = "--host *: any page that can make a name lead here is taken for this server's own"
        yield doubtful(about, text, "name the names of this server")
    if config.metrics == "open" and public:
        text = "--metrics open: strangers may read how much is going on"
        yield doubtful(about, text, "leave it out, and give Prometheus LIVECHAT_METRICS_TOKEN")
    for name in sorted(each for each in config.origin if _is_cleartext(each)):
        text = f"--origin {name}: anybody on the way may change that page, and act as its visitors"
        yield doubtful(about, text, "serve that page by https")
    if NULL in config.origin:
        text = "--origin null: any site can have a page without an origin, which is allowed then"
        yield doubtful(about, text, "leave it out, unless a file or a sandbox needs it")
    unbounded = [
        name
        for name, value in (
            ("--rate", config.rate),
            ("--rate-per-ip", config.rate_per_ip),
            ("--max-connections", config.max_connections),
            ("--max-connections-per-ip", config.max_connections_per_ip),
        )
        if not value
    ]
    if unbounded and public:
        text = f"without {', '.join(unbounded)} one visitor can take all that the server has"
        yield doubtful(about, text, "give each a number")


def _is_cleartext(origin: str) -> bool:
    scheme, _, rest = origin.partition("://")
    host = rest.rsplit(":", 1)[0].strip("[]")
    if scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
