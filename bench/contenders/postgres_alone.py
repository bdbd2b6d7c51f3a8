"""The limit: PostgreSQL alone doing the same writes, without HTTP, Redis or a rival's Python.

Rates are of the bets found in the table afterwards, over the time from the first to the last.
"""

import os
import random
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

from psycopg.conninfo import conninfo_to_dict

from bench.contender import JOURNAL
from bench.contenders.tuned_direct import SERVER_SETTINGS, install
from bench.servers import connected
from embedded import Urls
from embedded.binaries import find_postgres
from embedded.server import server_environment
from models.commands import PayInOut
from models.errors import BetcoreError
from models.ledger.ledger import Ledger, LedgerConnection
from settings import Settings, settings

#: The number of commands in a batch: a worker's `batch_jobs_max`, as shipped.
BATCH_SIZE: int = Settings.model_fields["batch_jobs_max"].default
_STAKE, _WIN = "1", "1"  # nobody runs out of money
_ZIPF = 1.001  # the least that pgbench takes
_APPLY_WITHIN_SECONDS = 60.0

# Drawn by pgbench in C; the seat is found in the same statement, by its number.
_SCRIPT = f"""
\\set seat {{seat}}
\\set bet random(1, 9223372036854775806)
select answer.code from bench.seat seat, lateral bench.take(seat.provider_id, seat.session_id,
    seat.account_id, 'alone-' || :bet, null, {_STAKE}, {_WIN}, null) answer
where seat.number = :seat;
"""  # noqa: S608 - all that is put in are constants


class Seat(NamedTuple):
    """Where a bet is placed."""

    provider_id: int
    session_id: str
    account_id: int


class PgbenchFailed(BetcoreError):  # noqa: N818 - named for what it is about
    """pgbench did not run."""


def one_statement(urls: Urls, seats: Sequence[Seat], connections: int, seconds: int) -> float:
    """Bets a second when each is one statement, and one transaction, on so many connections.

    It is the function of `tuned-direct`, called by pgbench with prepared statements; players are
    drawn by zipf 1.0 in the order of `seats`. Raises PgbenchFailed, psycopg.Error.
    """
    install(urls.database)
    _seat(urls.database, seats)
    last = len(seats)
    drawn = f"random_zipfian(1, {last}, {_ZIPF})" if last > 1 else "1"
    with _counted(urls.database) as rates, tempfile.NamedTemporaryFile("w") as script:
        script.write(_SCRIPT.format(seat=drawn))
        script.flush()
        _pgbench(urls.database, script.name, connections, seconds)
    return rates[0]


def batches(
    urls: Urls, seats: Sequence[Seat], seconds: float, batch_size: int = BATCH_SIZE
) -> float:
    """Bets a second when each transaction is a whole batch, on one connection of one process.

    It is the inner loop of our worker, `Ledger.apply`, fed without a queue. Raises LedgerError.
    """
    configured = settings()
    connection = LedgerConnection(
        urls.database,
        wait_seconds=configured.statement_wait_seconds,
        connect_seconds=configured.connect_timeout_seconds,
    )
    ledger = Ledger(connection, JOURNAL.current)
    drawn = commands(seats)
    with _counted(urls.database) as rates:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            batch = [next(drawn) for _ in range(batch_size)]
            ledger.apply(batch, lambda _: True, _APPLY_WITHIN_SECONDS)
        connection.close()
    return rates[0]


def commands(seats: Sequence[Seat]) -> Iterator[PayInOut]:
    """PayInOut of players drawn by zipf 1.0, each a new bet."""
    weights = list(accumulate(1 / rank for rank in range(1, len(seats) + 1)))
    generator = random.Random(1)  # noqa: S311 - which players play is no secret
    while True:
        for seat in generator.choices(seats, cum_weights=weights, k=1024):
            yield PayInOut(
                provider_id=seat.provider_id,
                session_id=seat.session_id,
                account_id=seat.account_id,
                bet_id=f"alone-{uuid.uuid4().hex}",
                stake=Decimal(_STAKE),
                win=Decimal(_WIN),
            )


@contextmanager
def _counted(database_url: str) -> Iterator[list[float]]:
    """Fill the list with the rate of the bets that were settled in the body."""
    rates: list[float] = []
    with connected(database_url) as connection:
        row = connection.execute("select coalesce(max(id), 0) from bet").fetchone()
    before = row[0] if row else 0
    yield rates
    with connected(database_url) as connection:
        row = connection.execute(
            "select (count(*) - 1) / extract(epoch from max(created_at) - min(created_at))"
            " from bet where id > %s and state = 'settled' having count(*) > 1",
            (before,),
        ).fetchone()
    rates.append(float(row[0]) if row else 0.0)


def _seat(database_url: str, seats: Sequence[Seat]) -> None:
    """Number the seats, from 1, in a table that a script can look into."""
    with connected(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists bench.seat")
        cursor.execute(
            "create table bench.seat (number integer primary key, provider_id integer,"
            " session_id text, account_id bigint)"
        )
        with cursor.copy("copy bench.seat from stdin") as copy:
            for number, seat in enumerate(seats, start=1):
                copy.write_row((number, *seat))
        cursor.execute("analyze bench.seat")


def _pgbench(database_url: str, script: str, connections: int, seconds: int) -> None:
    parts = conninfo_to_dict(database_url)
    programs, _ = find_postgres()
    options = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
    environment = server_environment(os.environ) | {
        "PGHOST": str(parts.get("host") or ""),
        "PGPORT": str(parts.get("port") or ""),
        "PGUSER": str(parts.get("user") or ""),
        "PGPASSWORD": str(parts.get("password") or ""),
        "PGOPTIONS": options,
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
