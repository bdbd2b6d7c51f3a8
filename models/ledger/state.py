"""The part of the ledger that one batch touches, in memory. Each decision advances it.

A batch loads it once. Its commands that touch the same bet or player see each other, because they
share it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from models.money import add, subtract
from models.reason import Reason


class Kind(StrEnum):
    """The purpose of a transfer. It also determines the direction, see `CREDITS_PLAYER`."""

    STAKE = "stake"
    WIN = "win"
    REFUND = "refund"
    WIN_REVERSAL = "win_reversal"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


#: Kinds that pay the player. The others take from the player.
CREDITS_PLAYER = frozenset({Kind.WIN, Kind.REFUND, Kind.DEPOSIT})


class BetState(StrEnum):
    """The recorded states of a bet. `rules.TableRow` has two rows for a settled one."""

    OPEN = "open"
    SETTLED = "settled"
    REFUNDED = "refunded"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class OpenedBy(StrEnum):
    """The call that recorded a bet."""

    PAY_IN = "pay_in"
    PAY_IN_OUT = "pay_in_out"
    REFUND = "refund"


@dataclass(slots=True)
class Account:
    """A player's account with its row locked. `seq` counts its transfers from 1 without a gap."""

    id: int
    balance: Decimal
    seq: int
    loaded_seq: int = field(init=False)

    def __post_init__(self) -> None:
        self.loaded_seq = self.seq


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it is now.

    PostgreSQL's clock decides `expired`, after the lock of the account.
    """

    id: str
    provider_id: int
    account_id: int
    house_account_id: int
    min_bet: Decimal | None
    max_bet: Decimal | None
    closed: bool
    expired: bool
    player_blocked: bool
    provider_suspended: bool
    max_win: Decimal | None = None  # of one bet
    max_daily_win: Decimal | None = None  # of all bets of the provider and currency on one day


@dataclass(slots=True)
class Bet:
    """One bet. `ids` are the transfers that it has so far."""

    id: int
    provider_id: int
    bet_id: str
    account_id: int
    session_id: str
    round_id: str | None
    opened_by: OpenedBy
    state: BetState
    stake: Decimal | None  # None: a tombstone, which never had a stake
    win: Decimal | None = None
    odd: Decimal | None = None
    refused_with: int | None = None
    reason: Reason | None = None  # if the code is 5; a bet older than reasons has None
    game: str | None = None  # as the call named it, if the session names none
    month: str | None = None  # in which it was recorded, as an ISO date; None: by this batch
    changed: bool = False  # whether this batch changed the state of a recorded bet
    ids: dict[Kind, int] = field(default_factory=dict)


class Transfer(NamedTuple):
    """One movement of money between a player's account and another one."""

    id: int
    kind: Kind
    account_id: int
    other_account_id: int
    amount: Decimal
    account_seq: int
    balance_after: Decimal
    bet: Bet | None = None
    reference: str | None = None

    @property
    def debit_account_id(self) -> int:
        """The account that pays."""
        return self.other_account_id if self.kind in CREDITS_PLAYER else self.account_id

    @property
    def credit_account_id(self) -> int:
        """The account that is paid."""
        return self.account_id if self.kind in CREDITS_PLAYER else self.other_account_id


@dataclass(frozen=True, slots=True)
class Booked:
    """A deposit or withdrawal that is already in the ledger, found by its reference."""

    id: int
    account_id: int
    kind: Kind
    amount: Decimal


#: What names a round: account, provider, and the provider's `gameRoundId`.
RoundKey = tuple[int, int, str]


@dataclass(slots=True)
class Round:
    """The part of a round that concerns one account.

    `bets` are its bets that were open when they were loaded or recorded, by betId. It has them only
    if a command of the batch finishes the round, and then at most as many as were loaded.
    """

    key: RoundKey
    finished: bool = False  # whether it takes no new stake
    bets: dict[str, Bet] = field(default_factory=dict)
    id: int | None = None  # of its row, which this batch inserts; None: it did not finish it
    account_seq: int = 0  # how many transfers the account had when it was finished

    def finish(self, id_: int, account_seq: int) -> None:
        """Note that this batch finishes it, after so many transfers of the account."""
        self.finished, self.id, self.account_seq = True, id_, account_seq

    def open_besides(self, bet_id: str) -> list[Bet]:
        """The bets of the round that are still open, without one of them."""
        bets = self.bets.values()
        return [bet for bet in bets if bet.state is BetState.OPEN and bet.bet_id != bet_id]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a transaction began, by PostgreSQL: the `created_at` of all that it inserts."""

    micros: str  # since 1970, UTC
    month: str  # its first day, as an ISO date


@dataclass(slots=True)
class WinDay:
    """The wins that a house account has paid on the day of the transaction, with its row locked.

    There is one only for a house account with a limit per day.
    """

    account_id: int
    day: str  # UTC, as an ISO date
    total: Decimal
    changed: bool = False


@dataclass(slots=True)
class State:
    """All that a batch has loaded, and all that it will write."""

    ids: Iterator[int]  # fresh ids for bets and transfers
    accounts: dict[int, Account] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    bets: dict[tuple[int, str], Bet] = field(default_factory=dict)
    booked: dict[str, Booked] = field(default_factory=dict)
    cash_accounts: dict[int, int] = field(default_factory=dict)  # player's account -> cash account
    rounds: dict[RoundKey, Round] = field(default_factory=dict)  # finished, or to be finished
    win_days: dict[int, WinDay] = field(default_factory=dict)  # by house account
    refused_orders: set[str] = field(default_factory=set)  # orders of cash, by this batch or before
    new_refusals: list[str] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    rejected: list[Bet] = field(default_factory=list)  # recorded by this batch, without a transfer
    moment: Moment | None = None  # None: loaded only to read

    @property
    def finished(self) -> list[Round]:
        """The rounds that this batch finishes, by their key."""
        finished = [of_round for of_round in self.rounds.values() if of_round.id is not None]
        return sorted(finished, key=lambda of_round: of_round.key)

    def refuse(self, order_id: str) -> None:
        """Remember that an order was refused."""
        if order_id not in self.refused_orders:
            self.refused_orders.add(order_id)
            self.new_refusals.append(order_id)

    def move(
        self,
        kind: Kind,
        account: Account,
        other_account_id: int,
        amount: Decimal,
        *,
        bet: Bet | None = None,
        reference: str | None = None,
    ) -> Transfer:
        """Append one transfer, and advance the account's balance and sequence by it."""
        change = add if kind in CREDITS_PLAYER else subtract
        account.balance = change(account.balance, amount)
        account.seq += 1
        transfer = Transfer(
            id=next(self.ids),
            kind=kind,
            account_id=account.id,
            other_account_id=other_account_id,
            amount=amount,
            account_seq=account.seq,
            balance_after=account.balance,
            bet=bet,
            reference=reference,
        )
        self.transfers.append(transfer)
        if bet is not None:
            bet.ids[kind] = transfer.id
        if kind is Kind.WIN and amount and (of_day := self.win_days.get(other_account_id)):
            of_day.total = add(of_day.total, amount)
            of_day.changed = True
        return transfer
