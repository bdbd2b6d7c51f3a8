"""A bet as it is recorded, with its transfers, for an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.commands import read_text
from models.directory.providers import find_provider
from models.errors import NotFound
from models.tables import Account, Bet, Player, Session, Transfer


@dataclass(frozen=True, slots=True)
class ShownTransfer:
    """One movement of money of a bet."""

    transfer_id: int
    kind: str
    amount: Decimal
    debit_account: int
    credit_account: int
    balance_after: Decimal  # of the player's account
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShownBet:
    """A bet. What does not apply is None. `transfers` are in the order in which they were made."""

    bet_id: str
    provider: str  # its `X-Counterparty-Id`
    state: str
    opened_by: str
    stake: Decimal | None
    win: Decimal | None
    odd: Decimal | None
    round_id: str | None
    currency: str
    account_id: int
    player: str  # its id in the operator's own system
    session_id: str
    refused_with: int | None
    reason: str | None  # the cause of a 5
    created_at: datetime
    updated_at: datetime
    game: str | None  # that of the session, otherwise as the bet names it
    transfers: tuple[ShownTransfer, ...]


def show_bet(session: DbSession, counterparty_id: str, bet_id: str) -> ShownBet:
    """The provider's bet. Raises NotFound, or InvalidRequest when the id is not valid."""
    provider = find_provider(session, counterparty_id)
    # One statement, so that a bet and its transfers are always of the same moment.
    found = session.exec(
        select(Bet, Account.currency, Player.external_id, Transfer)
        .join(Account, col(Account.id) == col(Bet.account_id))
        .join(Player, col(Player.id) == col(Account.player_id))
        .outerjoin(Transfer, col(Transfer.bet) == col(Bet.id))
        .where(Bet.provider_id == provider.id, Bet.bet_id == read_text(bet_id, "betId"))
        .order_by(col(Transfer.account_seq))
    ).all()
    if not found:
        raise NotFound(f"The provider {counterparty_id!r} has no bet {bet_id!r}.")
    bet, currency, player, _ = found[0]
    of_session = session.exec(select(Session.game).where(Session.id == bet.session_id)).first()
    return ShownBet(
        bet_id=bet.bet_id,
        provider=provider.counterparty_id,
        state=bet.state,
        opened_by=bet.opened_by,
        stake=bet.stake,
        win=bet.win,
        odd=bet.odd,
        round_id=bet.round_id,
        currency=currency,
        account_id=bet.account_id,
        player=player,
        session_id=bet.session_id,
        refused_with=bet.refused_with,
        reason=bet.reason,
        created_at=_recorded(bet.created_at),
        updated_at=_recorded(bet.updated_at),
        game=of_session or bet.game,
        transfers=tuple([_shown(transfer) for *_, transfer in found if transfer is not None]),
    )


def bet_transfers(session: DbSession, ids: Sequence[int]) -> dict[int, list[ShownTransfer]]:
    """The transfers of these rows of bets, in the order in which they were made.

    A bet without transfers is not in it.
    """
    found: dict[int, list[ShownTransfer]] = {}
    wanted = select(Transfer).where(col(Transfer.bet).in_(ids))
    for transfer in session.exec(wanted.order_by(col(Transfer.account_seq))):
        found.setdefault(transfer.bet or 0, []).append(_shown(transfer))
    return found


def _shown(transfer: Transfer) -> ShownTransfer:
    return ShownTransfer(
        transfer_id=transfer.id,
        kind=transfer.kind,
        amount=transfer.amount,
        debit_account=transfer.debit_account,
        credit_account=transfer.credit_account,
        balance_after=transfer.balance_after,
        created_at=_recorded(transfer.created_at),
    )


def _recorded(moment: datetime | None) -> datetime:
    """A time that PostgreSQL fills in. It is absent only before a row is written."""
    if moment is None:
        raise ValueError("a row without the time of its recording")
    return moment
