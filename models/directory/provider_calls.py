"""Where we call a provider, and the secret that signs our calls: the newest that is not revoked."""

from typing import NamedTuple

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.addresses import CallPolicy, read_provider_url
from models.audit.facts import UNSET
from models.audit.log import Action, record
from models.directory.providers import find_provider
from models.errors import InvalidRequest, NotCallable
from models.secret_cipher import Encrypted, SecretCipher, SecretRow, Undecryptable
from models.tables import Provider, ProviderSecret


class CalledProvider(NamedTuple):
    """Whom to call. The secret is in plain text: it is never shown."""

    provider_id: int
    counterparty_id: str
    url: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"CalledProvider({self.counterparty_id!r}, {self.url!r})"


def set_url(
    database: DbSession, counterparty_id: str, url: str | None, policy: CallPolicy
) -> str | None:
    """Call the provider at this URL from now on, or nowhere if it is None. A repeat is harmless.

    Returns the URL as it is recorded. Raises NotFound, or InvalidRequest for a URL that may not be
    called. What its name resolves to is checked at each call.
    """
    read = None if url is None else read_provider_url(url, policy)
    provider = find_provider(database, counterparty_id, lock=True)
    provider.url = read
    record(database, Action.PROVIDER_URL, provider.id, url=UNSET if read is None else read)
    return read


def called_provider(
    database: DbSession, counterparty_id: str, cipher: SecretCipher, policy: CallPolicy
) -> CalledProvider:
    """How to call a provider. Raises NotFound.

    Raises NotCallable if it has no URL or no secret, or if the settings do not allow its URL any
    more.
    """
    provider = find_provider(database, counterparty_id)
    if provider.url is None:
        raise NotCallable(
            f"The provider {counterparty_id!r} has no URL: set it (betcore provider set-url)."
        )
    try:
        read_provider_url(provider.url, policy)
    except InvalidRequest as error:
        raise NotCallable(
            f"The provider's URL {provider.url!r} may not be called: {error}"
        ) from None
    secret = _secret(database, provider, cipher)
    return CalledProvider(provider.id or 0, counterparty_id, provider.url, secret)


def _secret(database: DbSession, provider: Provider, cipher: SecretCipher) -> str:
    newest = database.exec(
        select(ProviderSecret)
        .where(ProviderSecret.provider_id == provider.id, col(ProviderSecret.revoked_at).is_(None))
        .order_by(col(ProviderSecret.id).desc())
        .limit(1)
    ).first()
    if newest is None:
        raise NotCallable(
            f"The provider {provider.counterparty_id!r} has no secret to sign with: add one."
        )
    row = SecretRow(newest.id or 0, provider.id or 0, provider.counterparty_id)
    try:
        return cipher.decrypt(Encrypted(newest.key or "", newest.ciphertext or b""), row)
    except Undecryptable as why:
        raise NotCallable(f"The secret {newest.id} cannot sign: {why}.") from None
