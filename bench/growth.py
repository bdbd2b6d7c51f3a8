"""What bets cost as they pile up: CPU per bet, and the memory of Redis."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import LiteralString

from bench.audit import verify_ledger
from bench.contender import Contender
from bench.people import CURRENCY, make_people
from bench.plan import Visit
from bench.results import Point
from bench.rounds import Rounds
from bench.servers import bench_servers, connected, settle
from models.ledger.load import ID_BLOCK

_log = logging.getLogger("bench")

STORED = (10_000, 10_000_000)
REMEMBERED = 200_000  # bets after which the memory of Redis is looked at
_LOAD_SECONDS = 10  # its requests must be sent while their timestamps are good
_IDS_PER_BET = 3
_BETS_PER_BLOCK = ID_BLOCK // _IDS_PER_BET
_STAKE, _WIN = Decimal("10.5"), Decimal("5.25")

# One pay-in-out of each of so many accounts, in rows exactly as models/ledger/ledger.py writes
# them: ids from blocks of the sequence, the transfer of the stake before that of the win.
_BETS = """
    with numbered as (
        select id, balance, last_seq, row_number() over (order by id) - 1 as number
        from account where kind = 'player' order by id limit %(bets)s
    ), block as materialized (
        select n, nextval('ledger_ids') as first
        from generate_series(0, (%(bets)s - 1) / %(per_block)s) n
    ), placed as (
        select numbered.id as account, session.id as session, session.provider_id,
               house.id as house, block.first + numbered.number %% %(per_block)s * 3 as bet,
               numbered.last_seq + 2 * %(round)s as seq,
               numbered.balance + (%(win)s - %(stake)s) * %(round)s as balance
        from numbered
        join block on block.n = numbered.number / %(per_block)s
        join session on session.account_id = numbered.id
        join account house
          on house.provider_id = session.provider_id and house.currency = %(currency)s
    ), bets as (
        insert into bet (id, provider_id, bet_id, account_id, session_id, round_id, opened_by,
                         state, stake, win, odd)
        select bet, provider_id, replace(gen_random_uuid()::text, '-', ''), account, session,
               gen_random_uuid()::text, 'pay_in_out', 'settled', %(stake)s, %(win)s, 0.5
        from placed
    )
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, month)
    select bet + leg.number, bet, leg.kind,
           case leg.kind when 'stake' then account else house end,
           case leg.kind when 'stake' then house else account end,
           leg.amount, account, seq + leg.number, balance + leg.change,
           date_trunc('month', now() at time zone 'UTC')::date
    from placed, (values (1, 'stake', %(stake)s, -%(stake)s),
                         (2, 'win', %(win)s, %(win)s - %(stake)s)) leg(number, kind, amount, change)
"""
_ACCOUNTS = """
    update account set last_seq = last_seq + 2 * %(rounds)s,
                       balance = balance + (%(win)s - %(stake)s) * %(rounds)s
    where id in (select id from account where kind = 'player' order by id limit %(bets)s)
"""


def measure_growth(
    contenders: Mapping[str, Contender], seconds: int, repeats: int, accounts: int
) -> dict[str, list[float]]:
    """CPU microseconds per bet, one a repeat, by number of stored bets; needs some 10 GB of disk.

    Each size has servers of its own, so that its runs alternate with those of the other. Raises
    AuditFailed, also when the ledger that was filled in does not verify.
    """
    found: dict[str, list[float]] = {str(stored): [] for stored in STORED}
    with ExitStack() as stack:
        rounds = {}
        for stored in STORED:
            urls = stack.enter_context(bench_servers())
            people = make_people(urls.database, accounts)
            fill(urls.database, stored, accounts)
            rounds[stored] = Rounds(urls, people, contenders, seconds)
        for repeat in range(repeats):
            for stored, of in rounds.items():
                for run in of.visit(Visit("ours", [Point("ours", 64)]), repeat):
                    found[str(stored)].append(run.cost.cpu_us)
        for of in rounds.values():
            verify_ledger(of.urls.database)
    return found


def measure_redis_memory(rounds: Rounds) -> float:
    """Megabytes that Redis uses after so many bets without a pause, at the most of any moment.

    Results are kept for as long as shipped. Raises AuditFailed or LoadFailed.
    """
    point, done, per_second, most = Point("ours", 64), 0, 0.0, 0.0
    with rounds.started("ours") as running:
        while done < REMEMBERED:
            sent, cost = rounds.closed_loop(point, running, _LOAD_SECONDS, per_second)
            done, per_second = done + sent.good, sent.good / _LOAD_SECONDS
            most = max(most, cost.redis_memory_mb)
            _log.info("Redis takes %.1f MB after %s bets", cost.redis_memory_mb, f"{done:,}")
    return most


def fill(database_url: str, bets: int, accounts: int) -> None:
    """Record so many bets, the same number for each account or one for each of the first ones."""
    rounds, a_round = max(1, bets // accounts), min(bets, accounts)
    values = {"bets": a_round, "stake": _STAKE, "win": _WIN}
    for number in range(rounds):
        each = {"round": number, "per_block": _BETS_PER_BLOCK, "currency": CURRENCY}
        _run(database_url, _BETS, values | each)
        if number % 10 == 9:
            _log.info("%s of %s bets are filled in", f"{(number + 1) * a_round:,}", f"{bets:,}")
    _run(database_url, _ACCOUNTS, values | {"rounds": rounds})
    settle(database_url)


def _run(database_url: str, statement: LiteralString, values: Mapping[str, object]) -> None:
    with connected(database_url) as connection:
        # Foreign keys are checked row by row, which would take as long again; `verify_ledger`
        # checks all of them at the end. Unique keys and checks stay on.
        connection.execute("set local session_replication_role = replica")
        connection.execute(statement, values)
