"""Encrypts the providers' secrets, each bound to its row: elsewhere it is no secret of anybody.

AES-256-GCM under a key derived from the secrets key, which the database does not know. So whoever
reads the database can sign nothing, and whoever writes there becomes no provider: neither by a
new row, nor by a row that is moved to another provider, nor by a provider that is renamed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import BetcoreError
from models.keys import KeyRing

_LABEL = "provider secrets 1"
_NONCE_BYTES = 12


class Undecryptable(BetcoreError):  # noqa: N818
    """What is in the row is no secret that an operator put there."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """The row that a secret is bound to, and whose it is."""

    secret_id: int
    provider_id: int
    counterparty_id: str

    def form(self) -> bytes:
        """What its ciphertext is authenticated with."""
        said = f"{self.secret_id}|{self.provider_id}|{self.counterparty_id}"
        return f"betcore provider secret 1|{said}".encode()


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A secret as the database holds it."""

    key: str  # the id of the key
    ciphertext: bytes  # behind its nonce


class SecretCipher:
    """Encrypts with the key in use, and decrypts with every key of the ring."""

    def __init__(self, ring: KeyRing) -> None:
        self.current = ring.current.id
        self._ciphers: Mapping[str, AESGCM] = {
            id_: AESGCM(key.derive(_LABEL)) for id_, key in ring.by_id.items()
        }

    def knows(self, key: str) -> bool:
        """Whether what was encrypted with this key can be decrypted."""
        return key in self._ciphers

    def encrypt(self, secret: str, row: SecretRow) -> Encrypted:
        """Encrypt a secret for one row."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.current].encrypt(nonce, secret.encode(), row.form())
        return Encrypted(self.current, nonce + sealed)

    def decrypt(self, encrypted: Encrypted, row: SecretRow) -> str:
        """The secret of a row. Raises Undecryptable with the reason."""
        cipher = self._ciphers.get(encrypted.key)
        if cipher is None:
            raise Undecryptable(
                f"its key {encrypted.key!r:.40} is not given (BETCORE_SECRETS_KEY,"
                " BETCORE_SECRETS_KEYS_OLD)"
            )
        nonce, sealed = encrypted.ciphertext[:_NONCE_BYTES], encrypted.ciphertext[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, row.form()).decode()
        except (InvalidTag, ValueError):
            raise Undecryptable(
                "it was not encrypted for this row: the row was inserted, moved or edited"
            ) from None
