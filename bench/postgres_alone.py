"""The limit: PostgreSQL alone doing the same writes, without HTTP, Redis or a rival's Python.

Rates are of the bets found in the table afterwards, over the time from the first to the last. The
cost of the journal is that of batches with it, less that of batches without it.
"""

import os
import random
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice

import psutil
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.contender import JOURNAL
from bench.contenders.functions import SERVER_SETTINGS, install
from bench.people import People
from bench.servers import query
from embedded import Urls
from embedded.binaries import find_postgres
from embedded.server import server_environment
from models.audit.journal import Strand
from models.commands import PayInOut
from models.database.transactions import Statement
from models.errors import BetcoreError
from models.ledger.ledger import Ledger, LedgerConnection
from models.ledger.state import State
from settings import Settings, settings

#: The number of commands in a batch: a worker's `batch_jobs_max`, as shipped.
BATCH_SIZE: int = Settings.model_fields["batch_jobs_max"].default
_STAKE, _WIN = "1", "1"  # nobody runs out of money
_ZIPF = 1.001  # the least that pgbench takes
_APPLY_WITHIN_SECONDS = 60.0
# Of one kind, before the other has its turn: CPU time is counted in hundredths of a second.
_BATCHES = 200
_TURNS = 9
_BACKEND = "select pid from pg_stat_activity where application_name = %(name)s"
_PLACES = "select provider_id, id, account_id from session"

# Drawn by pgbench in C; the seat is found in the same statement, by its number.
_SCRIPT = f"""
\\set seat {{seat}}
\\set bet random(1, 9223372036854775806)
select answer.code from bench.seat seat, lateral bench.take(seat.provider_id, seat.session_id,
    seat.account_id, 'alone-' || :bet, null, {_STAKE}, {_WIN}, null) answer
where seat.number = :seat;
"""  # noqa: S608 - all that is put in are constants


class PgbenchFailed(BetcoreError):  # noqa: N818 - named for what it is about
    """pgbench did not run."""


def one_statement(urls: Urls, people: People, connections: int, seconds: int) -> float:
    """Bets a second when each is one statement, and one transaction, on so many connections.

    It is the function of `tuned-direct`, called by pgbench with prepared statements; players are
    drawn by zipf 1.0, as in the traffic. Raises PgbenchFailed, psycopg.Error.
    """
    install(urls.database)
    _number_seats(urls.database, people)
    last = len(people.sessions)
    drawn = f"random_zipfian(1, {last}, {_ZIPF})" if last > 1 else "1"
    with _counted(urls.database) as rates, tempfile.NamedTemporaryFile("w") as script:
        script.write(_SCRIPT.format(seat=drawn))
        script.flush()
        _pgbench(urls.database, script.name, connections, seconds)
    return rates[0]


def batches(urls: Urls, people: People, seconds: float, batch_size: int = BATCH_SIZE) -> float:
    """Bets a second when each transaction is a whole batch, on one connection of one process.

    It is the inner loop of our worker, `Ledger.apply`, fed without a queue. Raises LedgerError.
    """
    drawn = _commands(urls, people)
    with _counted(urls.database) as rates, _ledger(Ledger, urls) as (ledger, _):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ledger.apply(list(islice(drawn, batch_size)), lambda _: True, _APPLY_WITHIN_SECONDS)
    return rates[0]


class UnjournaledLedger(Ledger):
    """Our ledger, but nothing vouches for what it writes."""

    def journal_rows(self, strand: Strand, state: State) -> list[Statement]:  # noqa: ARG002
        """Nothing."""
        return []


def measure_journal(urls: Urls, people: People) -> list[float]:
    """CPU microseconds a bet that the journal costs worker and PostgreSQL, one a turn.

    Raises what `Ledger.apply` raises.
    """
    drawn = _commands(urls, people)
    with _ledger(Ledger, urls) as journaled, _ledger(UnjournaledLedger, urls) as unjournaled:
        _cpu_us_per_bet(*journaled, drawn)
        _cpu_us_per_bet(*unjournaled, drawn)
        return [
            _cpu_us_per_bet(*journaled, drawn) - _cpu_us_per_bet(*unjournaled, drawn)
            for _ in range(_TURNS)
        ]


def _cpu_us_per_bet(ledger: Ledger, backend: psutil.Process, drawn: Iterator[PayInOut]) -> float:
    processes = (psutil.Process(), backend)
    batches = [list(islice(drawn, BATCH_SIZE)) for _ in range(_BATCHES)]
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    for batch in batches:
        ledger.apply(batch, lambda _: True, _APPLY_WITHIN_SECONDS)
    after = sum(sum(process.cpu_times()[:2]) for process in processes)
    return (after - before) / (_BATCHES * BATCH_SIZE) * 1e6


@contextmanager
def _ledger(kind: type[Ledger], urls: Urls) -> Iterator[tuple[Ledger, psutil.Process]]:
    """A ledger on a connection of its own, and the process of PostgreSQL that serves it."""
    configured = settings()
    name = f"bench-{kind.__name__}"
    connection = LedgerConnection(
        make_conninfo(urls.database, application_name=name),
        wait_seconds=configured.statement_wait_seconds,
        connect_seconds=configured.connect_timeout_seconds,
    )
    ledger = kind(connection, JOURNAL.current)
    ledger.recorded([])
    [(pid,)] = query(urls.database, _BACKEND, name=name)
    yield ledger, psutil.Process(pid)
    connection.close()


def _commands(urls: Urls, people: People) -> Iterator[PayInOut]:
    """PayInOut of players drawn as in the traffic, each a new bet."""
    chance = random.Random(1)  # noqa: S311 - which players play is no secret
    found = {place[1]: place for place in query(urls.database, _PLACES)}
    while True:
        for session in people.spread(1024, chance):
            provider_id, session_id, account_id = found[session]
            yield PayInOut(
                provider_id=provider_id,
                session_id=session_id,
                account_id=account_id,
                bet_id=f"alone-{uuid.uuid4().hex}",
                stake=Decimal(_STAKE),
                win=Decimal(_WIN),
            )


@contextmanager
def _counted(database_url: str) -> Iterator[list[float]]:
    """Fill the list with the rate of the bets that were settled in the body."""
    rates: list[float] = []
    [(before,)] = query(database_url, "select coalesce(max(id), 0) from bet")
    yield rates
    found = query(
        database_url,
        "select (count(*) - 1) / extract(epoch from max(created_at) - min(created_at))"
        " from bet where id > %(before)s and state = 'settled' having count(*) > 1",
        before=before,
    )
    rates.append(float(found[0][0]) if found else 0.0)


def _number_seats(database_url: str, people: People) -> None:
    """Number the sessions by rank, from 1, in a table that a script can look into."""
    query(database_url, "drop table if exists bench.seat")
    query(
        database_url,
        """
        create table bench.seat as
        select rank::integer as number, provider_id, id as session_id, account_id
        from unnest(%(sessions)s::text[]) with ordinality ranked(session, rank)
        join session on session.id = ranked.session
        """,
        sessions=list(people.sessions),
    )
    query(database_url, "alter table bench.seat add primary key (number)")
    query(database_url, "analyze bench.seat")


def _pgbench(database_url: str, script: str, connections: int, seconds: int) -> None:
    parts = conninfo_to_dict(database_url)
    programs, _ = find_postgres()
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    options = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
    environment = server_environment(os.environ) | {
        "PGOPTIONS": options,
        **{variable: str(parts.get(part) or "") for part, variable in names.items()},
    }
    done = subprocess.run(  # noqa: S603 - a program of the servers we run
        [
            str(programs / "pgbench"),
            *("--no-vacuum", "--protocol", "prepared", "--file", script),
            *("--client", str(connections), "--time", str(seconds)),
            str(parts.get("dbname") or ""),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PgbenchFailed(f"pgbench failed:\n{done.stderr.strip()[-2000:]}")
