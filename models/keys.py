"""Keys kept outside the database: with write access to it alone nobody can forge or decrypt."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from models.errors import BetcoreError

if TYPE_CHECKING:
    from settings import Settings

_BYTES_MIN = 32
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_MAKE_ONE = "`openssl rand -hex 32` makes one"


class BadKey(BetcoreError):  # noqa: N818
    """A key cannot be read, or it is also the key of another purpose."""


class NoKey(BetcoreError):  # noqa: N818
    """There is no key for this purpose: 32 bytes or more that the database does not know."""


class Purpose(StrEnum):
    """The purpose of a key. Each purpose has its own key, and other processes hold it."""

    JOURNAL = "journal"  # workers: vouches for transfers
    OPERATOR = "operator"  # operators' commands and workers: vouches for operators' orders
    SECRETS = "secrets"  # gateways and operators' commands: encrypts the providers' secrets

    @property
    def setting(self) -> str:
        """The name of the key's setting, such as `journal_key`."""
        return f"{self}_key"

    @property
    def old_setting(self) -> str:
        """The name of the setting for replaced keys, such as `journal_keys_old`."""
        return f"{self}_keys_old"

    @property
    def variable(self) -> str:
        """The environment variable of the key's setting."""
        return f"BETCORE_{self.setting.upper()}"

    @property
    def old_variable(self) -> str:
        """The environment variable for replaced keys."""
        return f"BETCORE_{self.old_setting.upper()}"

    @property
    def holders(self) -> str:
        """The processes that need the key, in the words of a message."""
        return _HOLDERS[self]


_HOLDERS = {
    Purpose.JOURNAL: "workers and `betcore ledger`",
    Purpose.OPERATOR: "workers and operators' commands",
    Purpose.SECRETS: "gateways and operators' commands",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its id. Rows name the key that made them by this id, which does not reveal the key.

    The same bytes have a different id for each purpose.
    """

    purpose: Purpose
    secret: bytes = field(repr=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        label = f"betcore {self.purpose} key id\0".encode()
        digest = hashlib.sha256(label + self.secret).hexdigest()
        object.__setattr__(self, "id", digest[:16])

    @classmethod
    def read(cls, purpose: Purpose, text: str, variable: str) -> Self:
        """The key in hex or base64, at least 32 bytes.

        Raises BadKey, whose text does not reveal the key.
        """
        given = text.strip()
        try:
            if _HEX.fullmatch(given):
                secret = bytes.fromhex(given)
            else:
                secret = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) < _BYTES_MIN:
            raise BadKey(
                f"{variable} must be at least {_BYTES_MIN} bytes in hex or base64: {_MAKE_ONE}."
            )
        return cls(purpose, secret)

    def derive(self, label: str) -> bytes:
        """A key of 32 bytes for one use, by HKDF (RFC 5869).

        It reveals nothing about the other keys.
        """
        # Only processes that use a key pay for the import.
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), 32, None, f"betcore {label}".encode()).derive(self.secret)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The current key, and the replaced keys, which still verify or decrypt older data."""

    current: Key
    by_id: Mapping[str, Key]

    @classmethod
    def read(cls, purpose: Purpose, current: str, old: str = "") -> Self:
        """The keys of the two variables of a purpose. Commas separate replaced keys.

        Raises BadKey, which names the variable.
        """
        newest = Key.read(purpose, current, purpose.variable)
        others = [part for part in old.split(",") if part.strip()]
        keys = [newest, *(Key.read(purpose, part, purpose.old_variable) for part in others)]
        return cls(newest, {key.id: key for key in keys})


def find_ring(settings: "Settings", purpose: Purpose) -> KeyRing | None:
    """The keys that the settings give for a purpose, or None without one. Raises BadKey."""
    current: str = getattr(settings, purpose.setting)
    if not current.strip():
        return None
    return KeyRing.read(purpose, current, getattr(settings, purpose.old_setting))


def require_ring(settings: "Settings", purpose: Purpose) -> KeyRing:
    """Like `find_ring`. Raises NoKey, which names the variable, if the settings give no key."""
    ring = find_ring(settings, purpose)
    if ring is None:
        raise NoKey(
            f"The {purpose} key is missing: set {purpose.variable}, the same for all"
            f" {purpose.holders} ({_MAKE_ONE})."
        )
    return ring


def require_distinct(settings: "Settings") -> None:
    """Raises BadKey when one key has two purposes: its holders could then do more than intended."""
    known: dict[bytes, Purpose] = {}
    for purpose in Purpose:
        ring = find_ring(settings, purpose)
        for key in () if ring is None else ring.by_id.values():
            other = known.setdefault(key.secret, purpose)
            if other is not purpose:
                raise BadKey(
                    f"{other.variable} and {purpose.variable} share a key: each needs one of its"
                    f" own ({_MAKE_ONE})."
                )
