"""Decrypts the secrets of providers, and accepts only those that an operator made."""

import hmac
import logging
import time
from collections.abc import Mapping, Sequence

from logs.warning_throttle import Reminder
from models.errors import BetcoreError
from models.keys import BadKey, NoKey, Purpose, require_ring
from models.secret_cipher import Encrypted, SecretCipher, SecretRow, Undecryptable
from settings import Settings

#: The provider's id and its active secrets, by `X-Counterparty-Id`. Each secret is an HMAC with
#: that key and no message. A copy costs less than a new one.
Secrets = Mapping[str, tuple[int, Sequence[hmac.HMAC]]]
#: A row of the database as it is.
Stored = tuple[SecretRow, Encrypted]

_LOG = logging.getLogger("betcore.directory")
_TELL_EVERY_SECONDS = 5.0
_TOLD_MAX = 10


class SecretsLocked(BetcoreError):  # noqa: N818
    """None of the providers' secrets can be decrypted here."""


class ProviderSecrets:
    """Decrypts the secrets of the database, each row once for as long as it stays the same.

    A row that cannot be decrypted was not put there by an operator, or was moved from elsewhere. It
    is not accepted as a secret, and the log names it.
    """

    def __init__(self, settings: Settings) -> None:
        self._known: dict[Stored, hmac.HMAC | Undecryptable] = {}
        self._told: set[Stored] = set()
        self._told_at = float("-inf")
        self._refusal: BetcoreError | None = None
        self._reminder = Reminder(_LOG)
        #: The missing key's id, by provider, for providers whose secrets all need a missing key.
        self.locked: Mapping[str, str] = {}
        try:
            self._cipher = SecretCipher(require_ring(settings, Purpose.SECRETS))
        except (NoKey, BadKey) as error:
            self._refusal = error

    def decrypted(self, stored: Sequence[Stored]) -> Secrets:
        """Return the secrets of every provider. Raises NoKey, BadKey, or SecretsLocked."""
        if self._refusal is not None:
            raise self._refusal
        if stored and not any(self._cipher.knows(encrypted.key) for _, encrypted in stored):
            raise SecretsLocked(
                f"None of the providers' secrets was encrypted with the key of"
                f" {Purpose.SECRETS.variable}: set the one that operators' commands have."
            )
        known = {one: self._known.get(one) or self._decrypt(one) for one in stored}
        self._known = known
        self._tell({one: why for one, why in known.items() if isinstance(why, Undecryptable)})
        found: dict[str, tuple[int, list[hmac.HMAC]]] = {}
        for (row, _), secret in known.items():
            if isinstance(secret, hmac.HMAC):
                of_provider = found.setdefault(row.counterparty_id, (row.provider_id, []))
                of_provider[1].append(secret)
        self.locked = {
            row.counterparty_id: encrypted.key
            for row, encrypted in stored
            if row.counterparty_id not in found and not self._cipher.knows(encrypted.key)
        }
        self._reminder.say(self._named())
        return found

    def plain(self, counterparty_id: str) -> list[str]:
        """The secrets of a provider themselves. A sandbox explains wrong signatures with them."""
        return [
            self._cipher.decrypt(encrypted, row)
            for (row, encrypted), secret in self._known.items()
            if row.counterparty_id == counterparty_id and isinstance(secret, hmac.HMAC)
        ]

    @property
    def warnings(self) -> list[str]:
        """The number of providers that cannot sign in for lack of a key. It is public: no names."""
        if not self.locked:
            return []
        line = (
            f"{len(self.locked)} of the providers get 401 for every request, because this gateway"
            " does not have the key of their secrets. Its log names them, and the remedy."
        )
        return [line]

    def _named(self) -> list[str]:
        """Which providers those are, and the remedy: one line per key."""
        of_key: dict[str, list[str]] = {}
        for provider, key in self.locked.items():
            of_key.setdefault(key, []).append(provider)
        return [_cannot_sign_in(key, of_key[key]) for key in sorted(of_key)[:_TOLD_MAX]]

    def _decrypt(self, stored: Stored) -> hmac.HMAC | Undecryptable:
        row, encrypted = stored
        try:
            return keyed(self._cipher.decrypt(encrypted, row))
        except Undecryptable as why:
            return why

    def _tell(self, bad: Mapping[Stored, Undecryptable]) -> None:
        """Log rows that cannot be decrypted: each once, and rarely even if rows keep changing."""
        now = time.monotonic()
        fresh = [one for one in bad if one not in self._told]
        if not fresh or now - self._told_at < _TELL_EVERY_SECONDS:
            return
        self._told, self._told_at = set(bad), now
        for one in fresh[:_TOLD_MAX]:
            who = f"secret {one[0].secret_id} of provider {one[0].counterparty_id!r}"
            _LOG.warning("%s is not accepted: %s", who, bad[one])
        if len(fresh) > _TOLD_MAX:
            _LOG.warning("%d more secrets are not accepted", len(fresh) - _TOLD_MAX)


def keyed(secret: str) -> hmac.HMAC:
    """Return a secret as `Secrets` has it."""
    return hmac.new(secret.encode(), digestmod="sha256")


def _cannot_sign_in(key: str, providers: Sequence[str]) -> str:
    names = ", ".join(map(repr, providers[:_TOLD_MAX]))
    more = len(providers) - _TOLD_MAX
    return (
        f"Every request of these providers is answered with 401: {names}"
        f"{f' and {more} more' if more > 0 else ''}. Their secrets are encrypted with the key"
        f" {key!r:.40}, which this gateway does not have. Add the key to"
        f" {Purpose.SECRETS.old_variable} and restart the gateway, then run"
        " `betcore provider secret reencrypt`."
    )
