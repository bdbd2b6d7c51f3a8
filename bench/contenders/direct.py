"""The rival `direct`: no queue; each request is one transaction on a pool of psycopg connections.

The number of connections is `BENCH_POOL` (bench/contenders/catalogue.py says how it was chosen).

The ledger is load -> decide -> write for one command. The rules are ours
(`models.ledger.rules.decide`, `models.ledger.ledger.advance`). The statements are ours too
(`models/ledger/load.py`, `write.py`), with values instead of arrays. In psycopg's pipeline mode a
transaction is two round trips, as ours is.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from api.wallet.app import create_app
from api.wallet.errors import try_later
from bench.contenders.front import (
    RedisPyNonces,
    Rival,
    RivalServices,
    serve_inherited,
)
from broker.admission import Result
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import BetTaken, LedgerUnavailable
from models.ledger.columns import BET, names
from models.ledger.ledger import IdBlock, advance
from models.ledger.load import NEXT_IDS
from models.ledger.rules import decide
from models.ledger.state import Account, Bet, BetState, Kind, OpenedBy, Session, State
from models.outcome import Outcome
from models.reason import Reason
from settings import Settings, settings

Row = tuple[Any, ...]
Pool = AsyncConnectionPool[AsyncConnection[Row]]

#: How each connection of the pool is made.
#: The plans are those of models/database/prepared_connection.py.
CONNECTION: dict[str, Any] = {
    "autocommit": True,  # a transaction begins where it says so
    "prepare_threshold": 0,
    "options": "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
    " -c synchronous_commit=on -c timezone=UTC",
}

_TRIES = 10
_IDS_PER_COMMAND = 3

_LOCK = "select id, balance, last_seq from account where id = %s for no key update"
_SESSION = """
    select s.id, s.provider_id, s.account_id, house.id, s.min_bet, s.max_bet,
           s.closed_at is not null, s.expires_at <= clock_timestamp(),
           player.status <> 'active', provider.status <> 'active'
    from session s
    join provider on provider.id = s.provider_id
    join account a on a.id = s.account_id
    join player on player.id = a.player_id
    join account house on house.provider_id = s.provider_id and house.currency = a.currency
    where s.id = %s
"""
_BET = f"""
    select {names(BET, "b.")},
           date_trunc('month', b.created_at at time zone 'UTC')::date::text, t.kind, t.id
    from bet b left join transfer t on t.bet = b.id
    where b.provider_id = %s and b.bet_id = %s
"""  # noqa: S608 - the names are constants
#: Of `models.ledger.state.Bet`, as `_BET` selects them.
_BET_FIELDS = (*(column.name for column in BET), "month")
_INSERT_BET = f"insert into bet ({names(BET)}) values ({', '.join(['%s'] * len(BET))})"  # noqa: S608
_UPDATE_BET = "update bet set state = %s, win = %s, odd = %s, updated_at = now() where id = %s"
_INSERT_TRANSFER = """
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, month)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s,
            coalesce(%s::date, date_trunc('month', now() at time zone 'UTC')::date))
"""
_BALANCE = "select currency, balance from account where id = %s"
_UPDATE_ACCOUNT = "update account set balance = %s, last_seq = %s where id = %s"


class Direct(Rival):
    """Applies single commands, many at a time, each on a connection of its own."""

    async def apply(self, command: BetCommand) -> Result:
        """Load, decide, write and commit; again after a conflict. Raises LedgerError."""
        try:
            for _ in range(_TRIES):
                try:
                    async with self._pool.connection() as connection:
                        ids = await self._take_ids(connection)
                        return (await _apply(connection, command, ids)).to_json()
                except (UniqueViolation, SerializationFailure, DeadlockDetected):
                    continue
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise LedgerUnavailable(str(error)) from error
        raise BetTaken

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:
        """Currency and balance of a player's account. Raises ApiError, 99."""
        try:
            async with self._pool.connection(deadline.seconds_left()) as connection:
                cursor = await connection.execute(_BALANCE, (account_id,))
                row = await cursor.fetchone()
        except (psycopg.OperationalError, PoolTimeout):
            row = None
        if row is None:
            raise try_later("The balance cannot be read at the moment.")
        return row[0], row[1]

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Its connections."""
        nonces = RedisPyNonces(self._settings.redis_url)
        self.nonces = nonces
        self._ids = IdBlock()
        self._refilling = asyncio.Lock()
        size = int(os.environ["BENCH_POOL"])
        self._pool: Pool = AsyncConnectionPool(
            self._settings.database_url,
            min_size=size,
            max_size=size,
            timeout=self._settings.answer_within_seconds,
            kwargs=CONNECTION,
            open=False,
        )
        async with self._pool:
            await self._pool.wait()
            yield
        await nonces.close()

    async def _take_ids(self, connection: AsyncConnection[Row]) -> list[int]:
        """Ids for one command, from a block that all connections share."""
        while self._ids.left < _IDS_PER_COMMAND:
            async with self._refilling:
                if self._ids.left < _IDS_PER_COMMAND:
                    cursor = await connection.execute(NEXT_IDS.sql)
                    row = await cursor.fetchone()
                    self._ids.add(row[0] if row else 0)
        return [next(self._ids) for _ in range(_IDS_PER_COMMAND)]


async def _apply(
    connection: AsyncConnection[Row], command: BetCommand, ids: Sequence[int]
) -> Outcome:
    async with connection.pipeline(), connection.transaction():
        accounts = await connection.execute(_LOCK, (command.account_id,))
        sessions = await connection.execute(_SESSION, (command.session_id,))
        bets = await connection.execute(_BET, (command.provider_id, command.bet_id))
        state = State(iter(ids))
        for row in await accounts.fetchall():
            state.accounts[row[0]] = Account(*row)
        for row in await sessions.fetchall():
            state.sessions[row[0]] = Session(*row)
        for row in await bets.fetchall():
            bet = state.bets.setdefault((row[1], row[2]), _bet(row))
            kind, transfer_id = row[-2:]
            if kind is not None:
                bet.ids[Kind(kind)] = transfer_id
        decision = decide(
            state.bets.get((command.provider_id, command.bet_id)),
            state.accounts.get(command.account_id),
            state.sessions.get(command.session_id),
            command,
        )
        outcome = advance(state, command, decision)
        await _write(connection, state)
    return outcome


async def _write(connection: psycopg.AsyncConnection[Row], state: State) -> None:
    for bet in state.bets.values():
        if bet.month is None:
            await connection.execute(_INSERT_BET, _bet_row(bet))
        elif bet.changed:
            await connection.execute(_UPDATE_BET, (bet.state.value, bet.win, bet.odd, bet.id))
    for t in state.transfers:
        bet_id, month = (t.bet.id, t.bet.month) if t.bet else (None, None)
        sides = (t.debit_account_id, t.credit_account_id)
        chain = (t.amount, t.account_id, t.account_seq, t.balance_after)
        values = (t.id, bet_id, t.kind.value, *sides, *chain, month)
        await connection.execute(_INSERT_TRANSFER, values)
    for account in state.accounts.values():
        if account.seq != account.loaded_seq:
            changed = (account.balance, account.seq, account.id)
            await connection.execute(_UPDATE_ACCOUNT, changed)


def _bet(row: Row) -> Bet:
    named: dict[str, Any] = dict(zip(_BET_FIELDS, row, strict=False))
    named |= {"opened_by": OpenedBy(row[6]), "state": BetState(row[7])}
    named |= {"reason": None if row[12] is None else Reason(row[12])}
    return Bet(**named)


def _bet_row(bet: Bet) -> Row:
    of = (bet.id, bet.provider_id, bet.bet_id, bet.account_id, bet.session_id, bet.round_id)
    states = (bet.opened_by.value, bet.state.value)
    amounts = (bet.stake, bet.win, bet.odd)
    return (*of, *states, *amounts, bet.refused_with, bet.reason and bet.reason.value, bet.game)


def main(configured: Settings) -> None:
    """Serve until SIGTERM."""
    services = RivalServices(configured, Direct(configured))
    serve_inherited(create_app(services), configured)


if __name__ == "__main__":
    main(settings())
