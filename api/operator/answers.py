"""What the operator API answers, as pydantic models (`api/shared/answers.py`)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.shared.answers import Amount, Answer, Moment, RowId

#: The cursor of the next page, or null after the last one.
NEXT: Any = Field(description="The cursor of the next page, or null after the last one.")


class OpenedSession(Answer):
    """A session that was opened."""

    session_id: str
    player: str
    account_id: RowId
    expires_at: Moment
    balance: Amount


class Session(Answer):
    """A session. `state` is open, expired or closed; `endReason` is closed or expired."""

    session_id: str
    state: str
    provider_id: str = Field(validation_alias="provider")
    player: str
    account_id: RowId
    currency: str
    game: str | None
    language: str | None
    mode: str
    min_bet: Amount | None
    max_bet: Amount | None
    opened_at: Moment
    expires_at: Moment
    closed_at: Moment | None
    ended_at: Moment | None
    end_reason: str | None


class SessionPage(Answer):
    """Sessions, the newest first."""

    items: list[Session]
    next: str | None = NEXT


class ShownAccount(Answer):
    """An account. `owner` is the player's id, or the provider's. Only a player's has a balance."""

    account_id: RowId
    kind: str
    owner: str | None
    currency: str
    balance: Amount | None


class Account(Answer):
    """An account of a player."""

    account_id: RowId
    currency: str
    balance: Amount


class AccountList(Answer):
    """The accounts of a player, by currency."""

    items: list[Account]


class Currency(Answer):
    """A currency, and how many decimals its amounts have."""

    code: str
    decimals: int


class CurrencyList(Answer):
    """The currencies that were used or added so far, by code."""

    items: list[Currency]


class ListedPlayer(Answer):
    """A player."""

    player: str
    status: str
    created_at: Moment


class Player(ListedPlayer):
    """A player with its accounts."""

    accounts: list[Account]


class PlayerPage(Answer):
    """Players, the oldest first."""

    items: list[ListedPlayer]
    next: str | None = NEXT


class StatementLine(Answer):
    """One transfer. The amount is below 0 when the account paid."""

    created_at: Moment
    kind: str
    amount: Amount
    balance_after: Amount
    bet_id: str | None
    reference: str | None
    provider_id: str | None = Field(validation_alias="provider")
    transfer_id: RowId


class Statement(Answer):
    """Lines of an account, the oldest first. The balances are those of the whole period."""

    account_id: RowId
    currency: str
    opening_balance: Amount
    closing_balance: Amount
    items: list[StatementLine]
    next: str | None = NEXT


class Movement(Answer):
    """A deposit or withdrawal. `status` is committed, pending or not_committed.

    `transferId` and `balance` are null unless it is committed.
    """

    status: str
    player: str
    currency: str
    amount: Amount
    reference: str
    account_id: RowId
    transfer_id: RowId | None
    balance: Amount | None


class AuditEntry(Answer):
    """Who did what, to whom, and why. `facts` are the columns that were set."""

    id: RowId
    created_at: Moment
    actor: str
    action: str
    kind: str
    key: str
    name: str
    facts: Mapping[str, Any]
    note: str | None


class AuditPage(Answer):
    """Entries of the audit log, the newest first."""

    items: list[AuditEntry]
    next: str | None = NEXT


class Fault(Answer):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemDetails(BaseModel):
    """An error (RFC 9457). `code` is a stable word; other fields depend on it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] = []
