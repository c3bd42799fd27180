"""TLS 1.3 records that no library would send."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_HANDSHAKE: Final = b"\x16"
_DATA: Final = b"\x17"
_KEY_UPDATE: Final = b"\x18\x00\x00\x01"


class Forge:
    """
    Makes the records of a client, for TLS_AES_256_GCM_SHA384 (RFC 8446, section 5.2).
    """

    def __init__(self, keys: Path, sent: int) -> None:
        """
        @param keys: where the client has written the keys of its only connection.
        @param sent: how many records it has sent with them.
        """
        found = {line.split()[0]: line.split()[-1] for line in keys.read_text().splitlines()}
        self._secret = bytes.fromhex(found["CLIENT_TRAFFIC_SECRET_0"])
        self._sent = sent

    def data(self, content: bytes) -> bytes:
        return self._record(content + _DATA)

    def key_update(self) -> bytes:
        """New keys from here on, which the other end is asked for too (section 4.6.3)."""
        made = self._record(_KEY_UPDATE + b"\x01" + _HANDSHAKE)
        self._renew()
        return made

    def key_update_in_two(self) -> tuple[bytes, bytes]:
        """New keys from here on, said in two records."""
        made = self._record(_KEY_UPDATE + _HANDSHAKE), self._record(b"\x00" + _HANDSHAKE)
        self._renew()
        return made

    def _renew(self) -> None:
        self._secret = self._expand(b"traffic upd", 48)
        self._sent = 0

    def _record(self, content: bytes) -> bytes:
        head = b"\x17\x03\x03" + (len(content) + 16).to_bytes(2, "big")
        nonce = int.from_bytes(self._expand(b"iv", 12), "big") ^ self._sent
        self._sent += 1
        cipher = AESGCM(self._expand(b"key", 32))
        return head + cipher.encrypt(nonce.to_bytes(12, "big"), content, head)

    def _expand(self, label: bytes, size: int) -> bytes:
        """HKDF-Expand-Label (section 7.1)."""
        label = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00"
        return HKDFExpand(SHA384(), size, info).derive(self._secret)
