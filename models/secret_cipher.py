"""Encrypts the providers' secrets. Each is bound to its row, and decrypts in no other row.

AES-256-GCM uses a key derived from the secrets key, which the database does not know. So nobody can
sign with read access to the database. Nobody can become a provider with write access: not by a new
row, nor by a row moved to another provider, nor by a renamed provider.
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
    """The content of the row is no secret that an operator put there."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """The row to which a secret is bound, and its owner."""

    secret_id: int
    provider_id: int
    counterparty_id: str

    def form(self) -> bytes:
        """The data with which its ciphertext is authenticated."""
        said = f"{self.secret_id}|{self.provider_id}|{self.counterparty_id}"
        return f"betcore provider secret 1|{said}".encode()


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A secret in the form that the database holds."""

    key: str  # the id of the key
    ciphertext: bytes  # after its nonce


class SecretCipher:
    """Encrypts with the current key, and decrypts with every key of the ring."""

    def __init__(self, ring: KeyRing) -> None:
        self.current = ring.current.id
        self._ciphers: Mapping[str, AESGCM] = {
            id_: AESGCM(key.derive(_LABEL)) for id_, key in ring.by_id.items()
        }

    def knows(self, key: str) -> bool:
        """Whether this cipher can decrypt what this key encrypted."""
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
