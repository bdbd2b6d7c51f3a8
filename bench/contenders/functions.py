"""One call of one function of PostgreSQL per request, for the rivals that work so.

The functions are in functions.sql. A rival brings its own way to call them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.servers import connected
from broker.admission import Result
from models.commands import BetCommand, PayIn, PayInOut, PayOut, Refund

_FUNCTIONS = Path(__file__).with_name("functions.sql")

#: As those of models/database/prepared_connection.py. JIT is off: it costs more than it saves here.
SERVER_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
}

BALANCE = "select currency, balance from account where id = $1"
_TAKE = "select * from bench.take($1, $2, $3, $4, $5, $6, $7, $8)"
_PAY_OUT = "select * from bench.pay_out($1, $2, $3, $4, $5, $6)"
_REFUND = "select * from bench.refund($1, $2, $3, $4, $5)"
_STATEMENTS = {PayInOut: _TAKE, PayIn: _TAKE, PayOut: _PAY_OUT, Refund: _REFUND}
#: All that a rival may call.
ALL = (_TAKE, _PAY_OUT, _REFUND, BALANCE)


def install(database_url: str) -> None:
    """Create the functions, or replace them. Raises psycopg.Error."""
    with connected(database_url) as connection:
        connection.execute(_FUNCTIONS.read_bytes())


def call_of(command: BetCommand) -> tuple[str, Sequence[Any]]:
    """The statement that applies a command, and its parameters."""
    place = (command.provider_id, command.session_id, command.account_id, command.bet_id)
    statement = _STATEMENTS[type(command)]
    match command:
        case PayOut():
            return statement, (*place, command.win, command.odd)
        case Refund():
            return statement, (*place, command.round_id)
        case _:
            amounts = (command.stake, command.win, command.odd)
            return statement, (*place, command.round_id, *amounts)


def result_of(command: BetCommand, row: Sequence[Any]) -> Result:
    """The outcome of a command in the row that its statement returned."""
    code, *ids, balance = row
    named = [str(id_) for id_ in ids[: len(command.answers)]] if code == 1 else []
    return {"code": code, "balance": balance, "ids": named}
