"""The limit: PostgreSQL alone doing the same writes, without HTTP, Redis or a rival's Python.

Rates are of the bets found in the table afterwards, over the time from the first to the last.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.conninfo import conninfo_to_dict

from bench.contenders.functions import SERVER_SETTINGS, install
from bench.people import People
from bench.servers import query
from embedded import Urls
from embedded.binaries import find_postgres
from embedded.server import server_environment
from models.errors import BetcoreError

_STAKE, _WIN = "1", "1"  # nobody runs out of money
_ZIPF = 1.001  # the least that pgbench takes
_CONNECTS_WITHIN_SECONDS = 2  # pgbench counts that as part of its time; the rate does not

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
        _pgbench(urls.database, script.name, connections, seconds + _CONNECTS_WITHIN_SECONDS)
    if not rates[0]:
        raise PgbenchFailed("pgbench settled no bet.")
    return rates[0]


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
