"""For tests of the ledger alone: a player's commands, connections, a chain that must be whole."""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from functools import partial
from time import time
from typing import Any, TypeVar

import psycopg

from broker.codec import BadJob, Work, decode_command, encode_command
from broker.ended import FinishedCommand
from broker.keys import command_id
from broker.taken import TakenCommand
from embedded import Urls
from models.commands import CashCommand, Command, Deposit, PayInOut
from models.deadline import Deadline
from models.ledger.ledger import Ledger, LedgerConnection
from models.outcome import Outcome
from tests.service.support import keys
from tests.service.support.processes import until
from tests.service.support.world import World
from workers.jobs import run as run_batch

Result = TypeVar("Result")
Amount = str | int | Decimal

#: Arithmetic that raises rather than round; Python's own keeps 28 digits.
EXACT = Context(prec=100, traps=[Inexact])

#: Where the results of `job` go.
STREAM = "betcore:replies:of-a-test"
_LEDGER_ON = "ledger_on"
_WRITE_TRANSFER = """
    with moved as (
        update account set balance = balance + %(change)s, last_seq = last_seq + 1
        where id = %(account)s returning *
    )
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, reference, month)
    select %(id)s, %(bet)s, %(kind)s, case when %(kind)s = 'stake' then id else 1 end,
           case when %(kind)s = 'stake' then 1 else id end, abs(%(change)s), id,
           last_seq, balance, %(reference)s, now()
    from moved
"""


@dataclass(frozen=True)
class LedgerPlayer:
    """A player in a session, without a client: makes the commands that a gateway would read."""

    provider_id: int
    session_id: str
    account_id: int

    def bet(self, stake: Amount, win: Amount = 0, bet_id: str = "", **changed: Any) -> PayInOut:
        """A PayInOut; of a fresh betId unless one is given, its other fields may be `changed`."""
        fields: dict[str, Any] = {
            "provider_id": self.provider_id,
            "session_id": self.session_id,
            "account_id": self.account_id,
            "bet_id": bet_id or uuid.uuid4().hex,
            "round_id": None,
            "stake": Decimal(stake),
            "win": Decimal(win),
            "odd": None,
        }
        return PayInOut(**(fields | changed))

    def deposit(self, amount: Amount, reference: str = "") -> Deposit:
        """A deposit; of a fresh reference unless one is given."""
        return Deposit(self.account_id, reference or uuid.uuid4().hex, Decimal(amount))


def new_players(
    world: World, balance: Amount = "100", count: int = 1, **options: Any
) -> list[LedgerPlayer]:
    """`count` new players of one new provider; `options` are those of `World.open_session`."""
    client = world.provider()
    provider_id = world.provider_row(client)
    players = [world.open_session(client, str(balance), **options) for _ in range(count)]
    return [LedgerPlayer(provider_id, player.session_id, player.account_id) for player in players]


def in_time(_: int) -> bool:
    """Every command may still be applied."""
    return True


def apply(world: World, *commands: Command) -> list[Outcome]:
    """Apply a batch that is in time."""
    outcomes = world.ledger.apply(commands, in_time, 5)
    return [outcome for outcome in outcomes if outcome is not None]


@contextmanager
def ledger_on(servers: World | Urls, wait_seconds: float = 8) -> Iterator[Ledger]:
    """A ledger on a connection of its own."""
    urls = servers.urls if isinstance(servers, World) else servers
    url = f"{urls.database}&application_name={_LEDGER_ON}"
    connection = LedgerConnection(url, wait_seconds=wait_seconds, connect_seconds=2)
    try:
        yield Ledger(connection, keys.JOURNAL.current)
    finally:
        connection.close()


@contextmanager
def running(function: Callable[[], Result]) -> Iterator[Future[Result]]:
    """A function in a thread of its own, which has ended when the block has."""
    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(function)


@contextmanager
def locked(world: World, account_id: int) -> Iterator[psycopg.Connection]:
    """Another transaction that holds an account's row until the block ends, or it commits."""
    with psycopg.connect(world.urls.database) as connection:
        connection.execute("select from account where id = %s for update", [account_id])
        yield connection
        connection.rollback()


@contextmanager
def written(world: World, command: Command) -> Iterator[psycopg.Connection]:
    """A transaction that has written a new command, and holds it back until it commits or ends."""
    amounts = (
        [("deposit", command.amount)]
        if isinstance(command, CashCommand)
        else [("stake", -(command.stake or 0)), ("win", command.win)]
    )
    with psycopg.connect(world.urls.database) as connection:
        [(bet,)] = connection.execute("select nextval('ledger_ids')").fetchall()
        if isinstance(command, PayInOut):
            values = (bet, command.provider_id, command.bet_id, command.account_id)
            connection.execute(
                "insert into bet (id, provider_id, bet_id, account_id, session_id, opened_by,"
                " state, stake, win)"
                " values (%s, %s, %s, %s, %s, 'pay_in_out', 'settled', %s, %s)",
                [*values, command.session_id, command.stake, command.win],
            )
        for number, (kind, change) in enumerate(amounts, start=1):
            connection.execute(
                _WRITE_TRANSFER,
                {
                    "account": command.account_id,
                    "bet": bet if isinstance(command, PayInOut) else None,
                    "reference": command.reference if isinstance(command, Deposit) else None,
                    "id": bet + number,
                    "kind": kind,
                    "change": change,
                },
            )
        yield connection
        connection.rollback()


def taken(
    command: Command, seconds: float = 5, *, signed: bool = True, now: float = 0
) -> TakenCommand:
    """A command as a worker takes it, with that much time left; one that moves cash is signed.

    `now` is the Unix time at which it was signed; 0: this moment.
    """
    token, order = uuid.uuid4().hex, None
    id_ = command_id(command.account_id, token)
    if signed and isinstance(command, CashCommand):
        order = keys.ORDERS.sign(command, id_, STREAM, now or time())
    form = json.loads(encode_command(command, token, STREAM, order))
    work: Work | BadJob
    try:
        work = decode_command(form)
    except BadJob as error:
        work = error
    return TakenCommand(id_, work, Deadline.within(seconds), form=form)


#: Runs a batch as a worker does.
run = partial(run_batch, orders=keys.ORDERS)


def by_id(ends: list[FinishedCommand]) -> dict[str, FinishedCommand]:
    """The end of every command, of which each has one."""
    found = {end.id: end for end in ends}
    assert len(found) == len(ends)
    return found


def until_waiting(world: World, count: int = 1) -> None:
    """Wait until so many transactions wait for a lock of another one."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    until(lambda: world.rows(waiting)[0][0] == count, lambda: f"there are not {count} that wait")


def end_sessions(world: World) -> int:
    """End the sessions of all `ledger_on`, as an operator or a failover would; how many."""
    ending = "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
    return len(world.rows(f"{ending} where application_name = %s", _LEDGER_ON))


def recorded_rows(world: World, player: LedgerPlayer) -> tuple[int, int]:
    """How many bets and transfers the ledger holds of a player."""
    bets = "select count(*) from bet where account_id = %s"
    transfers = "select count(*) from transfer where account = %s"
    id_ = player.account_id
    return world.rows(bets, id_)[0][0], world.rows(transfers, id_)[0][0]


def balance_of(world: World, player: LedgerPlayer) -> Decimal:
    """The balance of a player, after a look at its chain of transfers, which must be whole."""
    chain = world.rows(
        "select kind, amount, account_seq, balance_after, debit_account, credit_account"
        " from transfer where account = %s order by account_seq",
        player.account_id,
    )
    balance = Decimal(0)
    for number, (kind, amount, seq, after, debit, credit) in enumerate(chain, start=1):
        pays_player = kind in ("win", "refund", "deposit")
        balance = (EXACT.add if pays_player else EXACT.subtract)(balance, amount)
        assert (seq, after) == (number, balance), chain
        assert (credit if pays_player else debit) == player.account_id, chain
    account = "select balance, last_seq from account where id = %s"
    assert world.rows(account, player.account_id) == [(balance, len(chain))]
    return balance
