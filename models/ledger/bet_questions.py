"""What providers ask about bets: one by its id, those of a round, that of a transfer."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from models.database.pipeline import Row, maybe_exact, present
from models.database.query import BOOL, INT4, INT4S, INT8, INT8S, TEXT, TEXTS, Query

_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'  # RFC 3339, of a time in UTC

BETS = Query(
    b"recorded_bets",
    f"""
    select b.provider_id, b.bet_id, b.state, b.stake, b.win, a.currency,
           (select id from transfer t where t.bet = b.id and t.kind = 'stake'),
           (select id from transfer t where t.bet = b.id and t.kind = 'win'),
           (select id from transfer t where t.bet = b.id and t.kind = 'refund'),
           b.refused_with, to_char(b.created_at, '{_TIME}'), to_char(b.updated_at, '{_TIME}'),
           b.reason, b.round_id,
           coalesce(b.game, (select game from session where id = b.session_id))
    from unnest($1, $2) wanted(provider_id, bet_id),
         lateral (select id, provider_id, bet_id, account_id, session_id, round_id, state, stake,
                         win, refused_with, reason, created_at, updated_at, game from bet
                  where provider_id = wanted.provider_id and bet_id = wanted.bet_id offset 0) b,
         lateral (select currency from account where id = b.account_id offset 0) a
    """,  # noqa: S608 - the only thing put in is a constant
    (INT4S, TEXTS),
)

_PART_OF_ROUND = """(
    select bet_id, account_id, id from bet
    where hashtextextended(round_id, provider_id) = hashtextextended($2, $1)
      and (state = 'open') = {is_open} and (account_id, id) > ($3, $4)
      and round_id = $2 and provider_id + 0 = $1
    order by account_id, id limit $5)
"""
#: The first of a provider's bets in a round after a place in the order of accounts and bets. The
#: index has open bets apart. $6 and $7 are true and false: `models.ledger.load.ROUNDS` says why.
BETS_OF_ROUND = Query(
    b"bets_of_round",
    f"""
    select b.bet_id, b.account_id, b.id
    from ({_PART_OF_ROUND.format(is_open="$6")} union all {_PART_OF_ROUND.format(is_open="$7")}) b
    order by b.account_id, b.id limit $5
    """,  # noqa: S608 - a constant, twice
    (INT4, TEXT, INT8, INT8, INT8, BOOL, BOOL),
)

#: The bet of each transfer, if it is of that provider.
BETS_OF_TRANSACTIONS = Query(
    b"bets_of_transactions",
    """
    select wanted.provider_id, wanted.id, b.bet_id
    from unnest($1, $2) wanted(provider_id, id),
         lateral (select bet from transfer where id = wanted.id offset 0) t,
         lateral (select bet_id, provider_id from bet where id = t.bet offset 0) b
    where b.provider_id = wanted.provider_id
    """,
    (INT4S, INT8S),
)


@dataclass(frozen=True, slots=True)
class BetQuestion:
    """A bet that a caller asks about. `doubtful` are accounts of jobs about it without a known end.

    A transaction of these jobs may still be open. It has ended once the accounts' rows could be
    locked.
    """

    provider_id: int
    bet_id: str
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedBet:
    """A bet as it is recorded. Ids of transfers that it does not have are None."""

    state: str
    stake: Decimal | None
    win: Decimal | None
    currency: str
    stake_id: str | None
    win_id: str | None
    refund_id: str | None
    refused_with: int | None
    reason: str | None  # if the code is 5; a bet older than reasons has None
    created_at: str  # RFC 3339 in UTC
    updated_at: str
    round_id: str | None
    game: str | None  # of the call, otherwise of the session


class RoundQuestion(NamedTuple):
    """A provider's bets in a round, after a place in the list. (0, 0) is before the first one."""

    provider_id: int
    round_id: str
    after: tuple[int, int]  # account, row of the bet
    rows: int


class RoundBet(NamedTuple):
    """A bet of a round, and its place in the list."""

    bet_id: str
    place: tuple[int, int]


class TransactionQuestion(NamedTuple):
    """A transfer that a provider asks about."""

    provider_id: int
    transfer_id: int


#: What may be asked of `GatewayReads.recorded`.
Question = BetQuestion | RoundQuestion | TransactionQuestion


@dataclass(frozen=True, slots=True)
class BetAnswer:
    """What is recorded, and whether that is certain.

    `certain` is False if a row could not be locked.
    """

    bet: RecordedBet | None
    certain: bool


def recorded_bet(row: Row) -> RecordedBet:
    """A row of `BETS`."""
    return RecordedBet(
        state=present(row[2]),
        stake=maybe_exact(row[3]),
        win=maybe_exact(row[4]),
        currency=present(row[5]),
        stake_id=row[6],
        win_id=row[7],
        refund_id=row[8],
        refused_with=None if row[9] is None else int(row[9]),
        reason=row[12],
        created_at=present(row[10]),
        updated_at=present(row[11]),
        round_id=row[13],
        game=row[14],
    )
