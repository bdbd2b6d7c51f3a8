"""The ledger of the rival `tuned-direct`: one call of a PL/pgSQL function a request, by asyncpg."""

import asyncio
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import asyncpg

from bench.servers import connected
from broker.admission import Result
from models.commands import BetCommand, PayIn, PayInOut, PayOut, Refund
from models.errors import LedgerUnavailable

FUNCTIONS = Path(__file__).with_name("tuned_direct.sql")

#: As those of models/database/prepared_connection.py. JIT is off: it costs more than it saves here.
SERVER_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
}

_TAKE = "select * from bench.take($1, $2, $3, $4, $5, $6, $7, $8)"
_PAY_OUT = "select * from bench.pay_out($1, $2, $3, $4, $5, $6)"
_REFUND = "select * from bench.refund($1, $2, $3, $4, $5)"
_BALANCE = "select currency, balance from account where id = $1"
_STATEMENTS = {PayInOut: _TAKE, PayIn: _TAKE, PayOut: _PAY_OUT, Refund: _REFUND}


class TunedLedger:
    """A fixed number of connections, each with its statements prepared, used in turn.

    Not asyncpg's pool: that sends a reset after every use, and costs as much again as the call.
    """

    def __init__(self, connections: Sequence["_Connection"]) -> None:
        self._all = connections
        self._idle = list(connections)
        self._waiting: deque[asyncio.Future[_Connection]] = deque()

    @classmethod
    async def open(cls, database_url: str, connections: int) -> Self:
        """Connect and prepare. Raises OSError or asyncpg.PostgresError."""
        return cls([await _Connection.open(database_url) for _ in range(connections)])

    async def apply(self, command: BetCommand) -> Result:
        """The outcome of a command, as `Outcome.to_json`. Raises LedgerUnavailable."""
        row = await self._ask(_STATEMENTS[type(command)], *_arguments(command))
        code, *ids, balance = row
        named = [str(id_) for id_ in ids[: len(command.answers)]] if code == 1 else []
        return {"code": code, "balance": balance, "ids": named}

    async def balance(self, account_id: int) -> tuple[str, Decimal]:
        """Currency and balance of an account. Raises LedgerUnavailable."""
        currency, balance = await self._ask(_BALANCE, account_id)
        return currency, balance

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._all:
            await connection.close()

    async def _ask(self, statement: str, *arguments: Any) -> Any:
        connection = self._idle.pop() if self._idle else await self._wait()
        try:
            row = await connection.ask(statement, *arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise LedgerUnavailable(str(error)) from error
        finally:
            self._give_back(connection)
        if row is None:
            raise LedgerUnavailable
        return row

    async def _wait(self) -> "_Connection":
        """The next connection that somebody gives back; who came first is served first."""
        waiting: asyncio.Future[_Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._give_back(waiting.result())
            raise

    def _give_back(self, connection: "_Connection") -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        self._idle.append(connection)


class _Connection:
    """One connection and its prepared statements."""

    def __init__(self, connection: asyncpg.Connection, statements: dict[str, Any]) -> None:
        self._connection = connection
        self._statements = statements

    @classmethod
    async def open(cls, database_url: str) -> Self:
        connection = await asyncpg.connect(database_url, server_settings=SERVER_SETTINGS)
        statements = (_TAKE, _PAY_OUT, _REFUND, _BALANCE)
        return cls(connection, {sql: await connection.prepare(sql) for sql in statements})

    async def ask(self, statement: str, *arguments: Any) -> Any:
        return await self._statements[statement].fetchrow(*arguments)

    async def close(self) -> None:
        await self._connection.close()


def install(database_url: str) -> None:
    """Create the functions, or replace them. Raises psycopg.Error."""
    with connected(database_url) as connection:
        connection.execute(FUNCTIONS.read_bytes())


def _arguments(call: BetCommand) -> tuple[Any, ...]:
    place = (call.provider_id, call.session_id, call.account_id, call.bet_id)
    match call:
        case PayOut():
            return (*place, call.win, call.odd)
        case Refund():
            return (*place, call.round_id)
        case _:
            return (*place, call.round_id, call.stake, call.win, call.odd)
