"""What the journal costs a bet: batches with and without it, in turns, each on its connection."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import psutil
from psycopg.conninfo import make_conninfo

from bench.contender import JOURNAL
from bench.contenders.postgres_alone import BATCH_SIZE, Seat, commands
from bench.servers import connected
from embedded import Urls
from models.audit.journal import Strand
from models.commands import PayInOut
from models.database.transactions import Call
from models.ledger.ledger import Ledger, LedgerConnection
from models.ledger.state import State
from settings import settings

# Of one kind, before the other has its turn: CPU time is counted in hundredths of a second.
_BATCHES = 200
_TURNS = 9
_APPLY_WITHIN_SECONDS = 30.0
_BACKEND = "select pid from pg_stat_activity where application_name = %s"


class UnjournaledLedger(Ledger):
    """Our ledger, but nothing vouches for what it writes."""

    def journaled(self, strand: Strand, state: State) -> list[Call]:  # noqa: ARG002
        """Nothing."""
        return []


def measure_journal(urls: Urls, seats: Sequence[Seat]) -> list[float]:
    """CPU microseconds a bet that the journal costs worker and PostgreSQL, one a turn.

    Raises what `Ledger.apply` raises.
    """
    drawn = commands(seats)
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
    with connected(urls.database) as asking:
        row = asking.execute(_BACKEND, (name,)).fetchone()
    assert row is not None  # noqa: S101 - it has just answered
    yield ledger, psutil.Process(row[0])
    connection.close()
