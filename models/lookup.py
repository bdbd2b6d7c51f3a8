"""What a gateway reads outside the ledger's transactions: providers' secrets, sessions' places."""

from collections.abc import Sequence
from typing import Any

import psycopg

from models.commands import Place
from models.errors import LedgerUnavailable

#: Every active secret, a row each.
_ACTIVE_SECRETS = """
    select p.counterparty_id, p.id, s.secret
    from provider p join provider_secret s on s.provider_id = p.id
    where s.revoked_at is null
"""

#: Facts of a session that never change.
_PLACES = """
    select s.id, s.provider_id, s.account_id, c.decimals
    from session s join account a on a.id = s.account_id join currency c on c.code = a.currency
    where s.id = any(%s)
"""


class Lookup:
    """One connection for look-ups, used by one thread; made when needed, again when lost."""

    def __init__(self, database_url: str, *, connect_seconds: int, answer_seconds: float) -> None:
        """`answer_seconds`: PostgreSQL gives a look-up up after this."""
        self._url = database_url
        self._connect_seconds = connect_seconds
        self._answer_ms = int(answer_seconds * 1000)
        self._connection: psycopg.Connection | None = None

    def secrets(self) -> dict[str, tuple[int, list[bytes]]]:
        """For each `X-Counterparty-Id` the provider's id and its active secrets.

        Raises LedgerUnavailable.
        """
        found: dict[str, tuple[int, list[bytes]]] = {}
        for counterparty_id, provider_id, secret in self._rows(_ACTIVE_SECRETS):
            found.setdefault(counterparty_id, (provider_id, []))[1].append(secret.encode())
        return found

    def places(self, session_ids: Sequence[str]) -> list[Place | None]:
        """Where each session acts; None: there is no such session. Raises LedgerUnavailable."""
        rows = self._rows(_PLACES, list(session_ids))
        found = {id_: Place(provider, id_, account, d) for id_, provider, account, d in rows}
        return [found.get(session_id) for session_id in session_ids]

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=self._connect_seconds,
                    options=f"-c statement_timeout={self._answer_ms}",
                    target_session_attrs="read-write",
                )
            return self._connection.execute(query, parameters, prepare=True).fetchall()
        except psycopg.OperationalError as error:
            self.close()
            raise LedgerUnavailable(str(error).strip()) from error
