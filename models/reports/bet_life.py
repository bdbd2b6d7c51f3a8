"""What happened to a bet, from the session's opening to the last transfer, in order of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session as DbSession

from models.codes import Code
from models.reports.bet import ShownBet, show_bet
from models.reports.parties import ShownSession, show_session

#: The rows of the journal that vouch for a bet. A row has the time of the transaction whose records
#: it names, and `journal_by_time` finds the few rows of that time.
_JOURNAL = text("""
    select distinct j.strand, j.number, j.key, j.created_at
    from bet b
    join provider on provider.id = b.provider_id
    left join transfer t on t.bet = b.id
    join journal j on j.created_at in (b.created_at, t.created_at)
                  and (t.id = any(j.transfers) or b.id = any(j.bets))
    where provider.counterparty_id = :provider and b.bet_id = :bet_id
    order by j.created_at, j.strand, j.number
""")


#: When the round of a bet was finished for its account.
_FINISHED = text("""
    select f.created_at
    from bet b
    join provider on provider.id = b.provider_id
    join finished_round f on f.account_id = b.account_id and f.provider_id = b.provider_id
                         and f.round_id = b.round_id
    where provider.counterparty_id = :provider and b.bet_id = :bet_id
""")


class JournalPlace(NamedTuple):
    """A row of the journal: what vouches for a part of the bet, by an HMAC with this key."""

    strand: UUID
    number: int
    key: str
    created_at: datetime


class BetEvent(NamedTuple):
    """One thing that happened. `facts` have the names of the API."""

    at: datetime
    event: str  # session_opened, refused, round_finished, session_closed, or a transfer's kind
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BetLife:
    """A bet, its session with the player, what vouches for it, and its events in order.

    Requests that were refused without a record are not in it: code 2, 3, 6, 7 or 8, and wins above
    a limit. The log of answers has them.
    """

    bet: ShownBet
    session: ShownSession
    journal: tuple[JournalPlace, ...]
    events: tuple[BetEvent, ...]


def bet_life(database: DbSession, counterparty_id: str, bet_id: str) -> BetLife:
    """The life of a provider's bet. Raises NotFound, or InvalidRequest when the id is not valid."""
    bet = show_bet(database, counterparty_id, bet_id)
    session = show_session(database, bet.session_id)
    names = {"provider": bet.provider, "bet_id": bet.bet_id}
    journal = [JournalPlace(*row) for row in database.execute(_JOURNAL, names)]
    finished_at = database.execute(_FINISHED, names).scalar()
    return BetLife(bet, session, tuple(journal), _events(bet, session, finished_at))


def _events(
    bet: ShownBet, session: ShownSession, finished_at: datetime | None
) -> tuple[BetEvent, ...]:
    events = [BetEvent(session.opened_at, "session_opened", {"sessionId": session.session_id})]
    if bet.refused_with is not None:
        why = bet.reason or (
            "insufficient_funds" if bet.refused_with == Code.INSUFFICIENT_FUNDS else None
        )
        refused = {"code": bet.refused_with, "reason": why, "betAmount": bet.stake}
        events.append(BetEvent(bet.created_at, "refused", refused))
    if finished_at is not None:
        events.append(BetEvent(finished_at, "round_finished", {"gameRoundId": bet.round_id}))
    for transfer in bet.transfers:
        facts = {
            "transferId": str(transfer.transfer_id),
            "amount": transfer.amount,
            "balanceAfter": transfer.balance_after,
        }
        events.append(BetEvent(transfer.created_at, transfer.kind, facts))
    if session.closed_at is not None:
        events.append(BetEvent(session.closed_at, "session_closed", {}))
    return tuple(sorted(events, key=lambda event: event.at))
