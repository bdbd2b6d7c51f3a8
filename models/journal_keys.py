"""The keys of the journal: kept outside the database, so that who can write there cannot forge."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from models.errors import BetcoreError

_BYTES_MIN = 32
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_ID_LABEL = b"betcore journal key id\0"


class BadJournalKey(BetcoreError):  # noqa: N818
    """A key of the journal cannot be read."""


class NoJournalKey(BetcoreError):  # noqa: N818
    """There is no key for the journal: 32 bytes or more that the database does not know."""


@dataclass(frozen=True, slots=True)
class JournalKey:
    """A key and its id: rows name the key they were made with by that, which does not tell it."""

    secret: bytes = field(repr=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(_ID_LABEL + self.secret).hexdigest()
        object.__setattr__(self, "id", digest[:16])

    @classmethod
    def read(cls, text: str, variable: str) -> Self:
        """The key in hex or base64, at least 32 bytes. Raises BadJournalKey, not telling it."""
        given = text.strip()
        try:
            if _HEX.fullmatch(given):
                secret = bytes.fromhex(given)
            else:
                secret = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) < _BYTES_MIN:
            raise BadJournalKey(
                f"{variable} must be at least {_BYTES_MIN} bytes in hex or base64: "
                "`openssl rand -hex 32` makes one."
            )
        return cls(secret)


@dataclass(frozen=True, slots=True)
class JournalKeys:
    """The key in use, and older ones by which old rows are still verified."""

    current: JournalKey
    by_id: Mapping[str, JournalKey]

    @classmethod
    def read(cls, current: str, old: str = "") -> Self:
        """The keys of BETCORE_JOURNAL_KEY and BETCORE_JOURNAL_KEYS_OLD (separated by commas).

        Raises BadJournalKey, naming the variable.
        """
        newest = JournalKey.read(current, "BETCORE_JOURNAL_KEY")
        others = [part for part in old.split(",") if part.strip()]
        keys = [newest, *(JournalKey.read(part, "BETCORE_JOURNAL_KEYS_OLD") for part in others)]
        return cls(newest, {key.id: key for key in keys})
