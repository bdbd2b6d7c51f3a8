"""Demo sessions: the play money that a player begins with."""

from collections.abc import Sequence
from decimal import Decimal

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.commands import Deposit
from models.directory.accounts import request_cash
from models.directory.sessions import DEMO, Opening, open_accounts
from models.money import subtract
from models.tables import Account


def order_play_money(
    database: DbSession, opening: Opening, external_ids: Sequence[str], start: int
) -> list[Deposit]:
    """The deposits of play money with which these players have at least `start` each.

    Send them after the commit, and open the sessions after that. There are none for a session that
    is played with money. A repeat orders nothing twice: the reference names the account and the
    number of transfers that it had. Raises what `open_sessions` raises.
    """
    if opening.mode != DEMO:
        return []
    accounts = open_accounts(database, opening, external_ids)
    ids = [account.account_id for account in accounts]
    rows = select(Account.id, Account.last_seq).where(col(Account.id).in_(ids))
    numbers = dict(database.exec(rows).all())
    deposits = []
    for account in accounts:
        missing = subtract(Decimal(start), account.balance)
        if missing > 0:
            reference = f"demo-{account.account_id}-{numbers[account.account_id]}"
            deposits.append(Deposit(account.account_id, reference, missing))
            request_cash(database, deposits[-1])
    return deposits
