"""The certificate, the operators' password and the keys of tokens: renewed on SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from livechat.config import Config
from livechat.daemon.permissions import exposed
from livechat.daemon.signpost import Signpost
from livechat.errors import StartError
from livechat.identity.key_ring import KeyRing
from livechat.identity.operators import Operators
from livechat.identity.passwords import Password, find_password
from livechat.net import certificates
from livechat.net.certificates import Certificate, Shown
from livechat.net.tls_context import context
from livechat.net.tls_port import TLSPort
from livechat.protocol.origins import NULL
from livechat.system.threads import Lane

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")


def find_certificate(config: Config) -> Certificate | None:
    """
    Load the certificate that *config* names; without one, that of the directory, which is made
    if it is missing.  Return None if no address has TLS.

    @raise StartError: it cannot be used.
    """
    if all(each.is_plain for each in config.listen):
        return None
    if config.certificate is None:
        return certificates.load_or_make(config.directory / "certs")
    return certificates.load(config.certificate, config.private_key or config.certificate)


def secure(certificate: Certificate) -> SSL.Context:
    """
    Make the context of OpenSSL for *certificate*.

    @raise StartError: OpenSSL does not take it.
    """
    try:
        return context(certificate.chain, certificate.key)
    except SSL.Error as reason:
        raise StartError(f"--certificate: OpenSSL refuses {certificate.chain}: {reason}") from None


def operators_password(config: Config) -> Password:
    """
    Find the password that *config* gives; without one, that of the state directory, which is
    made if it is missing.

    @raise StartError: its file cannot be used.
    """
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as reason:
        raise StartError(f"--state: cannot use {config.state}: {reason.strerror}") from None
    return find_password(
        config.admin_password, config.admin_password_file, config.state / "admin-password"
    )


def warnings(config: Config, certificate: Certificate | None) -> list[str]:
    """List the faults that an operator should mend, a line for each.  Blocks."""
    ill = None if certificate is None else certificate.warning(datetime.now(UTC))
    return [*([] if ill is None else [ill]), *_open_doors(config), *exposed(config, certificate)]


def _open_doors(config: Config) -> list[str]:
    if NULL not in config.origin:
        return []
    return [
        "--origin null lets pages of all sites use this server, by a frame in a sandbox; cookies do"
        " not count there."
    ]


def log_warnings(found: Sequence[str]) -> None:
    """Log a line for each."""
    for warning in found:
        _log.warn("{warning}", warning=warning)


class Renewal(Service):
    """
    Renews on SIGHUP, while everything goes on: the certificate, for new connections, the
    operators' password, and the keys that verify tokens.

    @ivar count: how often it was done.
    """

    name = "renewal"

    def __init__(
        self,
        config: Config,
        operators: Operators,
        *,
        shown: Shown,
        port: TLSPort | None,
        reactor: PosixReactorBase,
        files: Lane,
        issuers: KeyRing | None = None,
        signpost: Signpost | None = None,
        around: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """
        @param port: shows the certificate; None if no address has TLS.
        @param around: called with True when renewing begins, and with False at its end.
        @param files: reads certificates and keys.
        @param issuers: the keys of trusted issuers of tokens.
        @param signpost: tells commands of a new certificate.
        """
        self._config = config
        self._operators = operators
        self._shown = shown
        self._port = port
        self._issuers = issuers
        self._reactor = reactor
        self._files = files
        self._signpost = signpost
        self._around = around
        self._before: Any = None
        # The number of completed renewals.
        self.count = 0
        self._renewing = self._again = False

    def startService(self) -> None:
        super().startService()
        self._files.start()
        self._before = signal.signal(signal.SIGHUP, self._asked)

    def stopService(self) -> None:
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)
        self._files.stop()

    def _asked(self, *_: object) -> None:
        self._reactor.callFromThread(self.ask)

    def ask(self) -> None:
        """
        Renew.  While that is under way, any number of calls renew once more: each renewal
        checks the password, which costs a core a moment.
        """
        self._again = True
        if not self._renewing:
            self._renewing = True
            self._around(True)
            Deferred.fromCoroutine(self._renew_as_asked())

    async def _renew_as_asked(self) -> None:
        try:
            while self._again:
                self._again = False
                await self.renew()
                self.count += 1
        finally:
            self._renewing = False
            self._around(False)

    async def renew(self) -> None:
        """Read the certificate, the password and the keys again, and log warnings."""
        if self._port is not None:
            await self._renew_certificate(self._port)
        await self._renew_password()
        if self._issuers:
            await self._renew_keys(self._issuers)
        # The first worker logs it for all.
        if self._config.worker <= 1:
            await self._warn()

    async def _warn(self) -> None:
        certificate = self._shown.certificate
        try:
            log_warnings(await self._files.call(warnings, self._config, certificate))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The permissions of files could not be checked.")

    async def _renew_certificate(self, port: TLSPort) -> None:
        try:
            certificate, secured = await self._files.call(self._look_for_certificate)
        except StartError as reason:
            _log.error("The certificate stays as it was: {reason}", reason=str(reason))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The certificate could not be renewed.")
        else:
            port.context = secured
            self._shown.certificate = certificate
            if self._signpost is not None:
                await self._files.call(self._signpost.show, certificate)
            _log.info(
                "The certificate of new connections is for {names}, until {end:%Y-%m-%d}.",
                names=", ".join(certificate.names),
                end=certificate.expires,
            )

    def _look_for_certificate(self) -> tuple[Certificate, SSL.Context]:
        certificate = find_certificate(self._config)
        assert certificate is not None
        return certificate, secure(certificate)

    async def _renew_keys(self, keys: KeyRing) -> None:
        try:
            found = await self._files.call(keys.read)
        except StartError as reason:
            _log.error("The keys of tokens stay as they were: {reason}", reason=str(reason))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The keys of tokens could not be renewed.")
        else:
            keys.take(found)
            keys.fetch()
            _log.info("Keys of tokens in files: {count}.", count=len(found))

    async def _renew_password(self) -> None:
        try:
            new = await self._operators.renew(lambda: operators_password(self._config))
        except StartError as reason:
            _log.error("The operators' password stays as it was: {reason}", reason=str(reason))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The operators' password could not be renewed.")
        else:
            found = "is new, and signs all out" if new else "is the same as before"
            _log.info("The operators' password {found}.", found=found)
