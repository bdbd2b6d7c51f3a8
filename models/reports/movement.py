"""What has become of a deposit or withdrawal, by its reference."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy import text
from sqlmodel import Session as DbSession

from models.audit.log import Action
from models.commands import CashCommand, Deposit, read_text
from models.errors import NotFound

_COMMITTED = text("""
    select account.id, account.currency, t.amount, t.id, t.balance_after
    from transfer t
    join account on account.id = t.account
    join player on player.id = account.player_id
    where t.reference = :reference and t.kind = :kind and player.external_id = :player
""")

# The newest request counts. An entry that somebody planted may name anything.
_REQUESTED = text("""
    select account.id, account.currency, e.facts ->> 'amount',
           e.created_at + cast(:certain_after as interval) > clock_timestamp()
    from (
        select * from audit_log
        where subject_table = 'account' and facts ->> 'reference' = :reference
          and action = :action and subject ~ '^[0-9]{1,18}$'
        order by id desc limit 100
    ) e
    join account on account.id = cast(e.subject as bigint)
    join player on player.id = account.player_id
    where player.external_id = :player
    order by e.id desc limit 1
""")


@dataclass(frozen=True, slots=True)
class Movement:
    """A deposit or withdrawal.

    `pending`: it may still be committed. `not_committed`: it was not, and nothing that was ordered
    so far can commit it any more.
    """

    status: Literal["committed", "pending", "not_committed"]
    account_id: int
    currency: str
    amount: Decimal
    transfer_id: int | None = None
    balance: Decimal | None = None  # after it


def find_movement(
    database: DbSession,
    kind: type[CashCommand],
    external_id: str,
    reference: str,
    certain_after: timedelta,
) -> Movement:
    """The movement of a player's money that has this reference.

    Nothing that was requested longer ago than `certain_after` is on its way. Raises NotFound if it
    was never requested, and InvalidRequest.
    """
    is_deposit = issubclass(kind, Deposit)
    names = {
        "player": read_text(external_id, "player"),
        "reference": read_text(reference, "reference"),
        "kind": "deposit" if is_deposit else "withdrawal",
        "action": Action.DEPOSIT_REQUESTED if is_deposit else Action.WITHDRAWAL_REQUESTED,
        "certain_after": certain_after,
    }
    # The request is read first: a commit in between is found by the second statement.
    requested = database.execute(_REQUESTED, names).first()
    committed = database.execute(_COMMITTED, names).first()
    if committed is not None:
        return Movement("committed", *committed)
    if requested is None:
        raise NotFound(f"The player {external_id!r} has no {names['kind']} {reference!r}.")
    account_id, currency, amount, is_recent = requested
    status: Literal["pending", "not_committed"] = "pending" if is_recent else "not_committed"
    return Movement(status, account_id, currency, Decimal(amount))
