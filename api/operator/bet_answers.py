"""What is answered about bets: searches, a bet's life, and reports of many bets."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field

from api.operator.answers import NEXT, Session
from api.shared.answers import Amount, Answer, Moment, RowId


class Transfer(Answer):
    """One movement of money of a bet."""

    transfer_id: RowId
    kind: str
    amount: Amount
    debit_account: RowId
    credit_account: RowId
    balance_after: Amount
    created_at: Moment


class Bet(Answer):
    """A bet with its transfers. What does not apply is null."""

    bet_id: str
    provider_id: str = Field(validation_alias="provider")
    state: str
    opened_by: str
    stake: Amount | None = Field(serialization_alias="betAmount")
    win: Amount | None = Field(serialization_alias="winAmount")
    odd: Amount | None = Field(serialization_alias="winOdd")
    round_id: str | None = Field(serialization_alias="gameRoundId")
    currency: str
    account_id: RowId
    player: str
    session_id: str
    refused_with: int | None
    reason: str | None
    created_at: Moment
    updated_at: Moment
    game: str | None = Field(serialization_alias="gameId")
    transfers: list[Transfer]


class BetPage(Answer):
    """Bets."""

    items: list[Bet]
    next: str | None = NEXT


class BetEvent(Answer):
    """One thing that happened to a bet. `facts` depend on the event."""

    at: Moment
    event: str
    facts: Mapping[str, Any]


class JournalPlace(Answer):
    """A row of the journal that vouches for a part of the bet."""

    strand: str
    number: int
    key: str
    created_at: Moment


class BetLife(Answer):
    """A bet, its session, its events in the order of time, and what vouches for it."""

    bet: Bet
    session: Session
    events: list[BetEvent]
    journal: list[JournalPlace]


class OpenBet(Answer):
    """A stake that was taken, and whose outcome is not known yet."""

    created_at: Moment
    bet_id: str
    round_id: str | None = Field(serialization_alias="gameRoundId")
    stake: Amount = Field(serialization_alias="betAmount")
    currency: str
    player: str
    account_id: RowId
    session_id: str


class OpenBetPage(Answer):
    """Open bets, the oldest first."""

    items: list[OpenBet]
    next: str | None = NEXT


class OpenAge(Answer):
    """The open bets of a provider and currency that are at least as old as `age` says."""

    provider_id: str = Field(validation_alias="provider")
    name: str
    currency: str
    age: str
    bets: int
    stakes: Amount
    oldest_at: Moment


class OpenAges(Answer):
    """Open bets by provider, currency and age. Ages without bets are left out."""

    items: list[OpenAge]


class HouseDay(Answer):
    """Bets of one provider, game and currency on one day (UTC). `result` is what the house won."""

    day: date
    provider_id: str = Field(validation_alias="provider")
    name: str
    game: str | None
    currency: str
    bets: int
    stakes: Amount
    refunds: Amount
    wins: Amount
    win_reversals: Amount
    result: Amount


class HouseResult(Answer):
    """The result by day, provider, game and currency. `game` is null if nothing names it."""

    items: list[HouseDay]


class Difference(Answer):
    """A difference between there (the provider) and here. `what` is the reason, or what differs."""

    kind: str = Field(serialization_alias="difference")
    line: int | None
    bet_id: str | None
    stake_there: Amount | None
    stake_here: Amount | None
    win_there: Amount | None
    win_here: Amount | None
    state_there: str | None
    state_here: str | None
    what: str | None


class Reconciliation(Answer):
    """How a provider's list compares with ours. The counts are of all differences."""

    provider_id: str
    ok: bool
    listed: int
    missing_here: int
    missing_there: int
    differing: int
    bad_lines: int
    differences: list[Difference]
