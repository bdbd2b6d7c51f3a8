"""An installation whose servers can be stopped, started, frozen and emptied under its processes."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import cast

import psycopg
from redis import Redis

from embedded import Server, Urls, start_postgres, start_redis
from embedded.places import SOCKETS_BELOW
from tests.service.support.load import Bet, ask
from tests.service.support.processes import WorkerProcess, until
from tests.service.support.world import PlayerSession, World

DEPOSIT = 100_000  # more than a player can lose in a test


class FaultWorld(World):
    """A World on durable servers of its own, which its user may break and mend."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for the servers' files."""
        self._folder = folder
        self.redis_server = start_redis(folder)
        self.postgres_server: Server | None = None
        try:
            self.postgres_server = start_postgres(folder)
            super().__init__(Urls(self.postgres_server.url, self.redis_server.url))
        except BaseException:
            self.close_servers()
            raise

    def stop_redis(self) -> None:
        """Kill Redis; what it has written to its log stays."""
        self.redis_server.stop(immediate=True)

    def start_redis(self, *, emptied: bool = False) -> None:
        """Start Redis again, perhaps without all it held."""
        if emptied:
            # Its log; not the folder, because another one would have another URL.
            shutil.rmtree(self._folder / "redis" / "appendonlydir")
        self.redis_server = start_redis(self._folder)

    def stop_postgres(self) -> None:
        """Stop PostgreSQL as a crash would."""
        assert self.postgres_server is not None
        self.postgres_server.stop(immediate=True)

    def start_postgres(self) -> None:
        """Start PostgreSQL again; it recovers from its log."""
        self.postgres_server = start_postgres(self._folder)
        self._connection.close()  # of the tests' own ledger: it is made again when it is needed

    @contextmanager
    def frozen_redis(self) -> Iterator[None]:
        """Redis neither runs nor ends, as on a machine that hangs."""
        with frozen(self.redis_server.pid):
            yield

    @contextmanager
    def frozen_postgres(self) -> Iterator[None]:
        """PostgreSQL neither runs nor ends: not the postmaster, nor any process of its."""
        assert self.postgres_server is not None
        with frozen(self.postgres_server.pid, *self._backends()):
            yield

    def close_servers(self) -> None:
        """Stop both servers."""
        self.redis_server.stop()
        if self.postgres_server is not None:
            self.postgres_server.stop()

    def _backends(self) -> list[int]:
        return [pid for (pid,) in self.rows("select pid from pg_stat_activity")]


@contextmanager
def fault_world() -> Iterator[FaultWorld]:
    """A FaultWorld in a folder of its own, with two gateways and two workers."""
    folder = Path(tempfile.mkdtemp(prefix="betcore-", dir=SOCKETS_BELOW))
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        world = FaultWorld(folder)
        ending.callback(world.close_servers)
        ending.callback(world.close)
        world.start(gateways=2, workers=2)
        yield world


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """These processes are frozen within the block, and run again afterwards."""
    with ExitStack() as thawing:
        for pid in pids:
            with suppress(ProcessLookupError):  # one that had just ended
                os.kill(pid, signal.SIGSTOP)
                thawing.callback(_go_on, pid)
        yield


@contextmanager
def locked(world: World, *account_ids: int) -> Iterator[None]:
    """Lock these accounts within the block: whoever changes one waits in PostgreSQL."""
    with psycopg.connect(world.urls.database) as connection:
        connection.execute("select from account where id = any(%s) for update", [list(account_ids)])
        yield


def freeze_with_a_batch(world: World, worker: WorkerProcess) -> str:
    """SIGSTOP a worker at a moment when it has a batch. Returns the batch's id."""
    found: list[str] = []

    def is_caught() -> bool:
        worker.signal(signal.SIGSTOP)
        _batches_of(world.redis, worker)
        found.extend(_batches_of(world.redis, worker))  # again: what it had sent has arrived now
        if not found:
            worker.signal(signal.SIGCONT)
        return bool(found)

    until(is_caught, lambda: f"it never had a batch in hand: {worker.output}")
    return found[0]


def stop_inside_the_transaction(world: World, bet: Bet) -> WorkerProcess:
    """A worker that stands still in the middle of a bet, its player locked; another one runs."""
    sleeper = world.worker()
    with ThreadPoolExecutor(1) as sender:
        with locked(world, bet.player.account_id):
            answered = sender.submit(ask, bet, world.gateways[0].url)
            until(lambda: _waits_for_a_lock(world))
            sleeper.signal(signal.SIGSTOP)
        world.worker()  # the sleeper's transaction has the lock now
        assert answered.result() in (0, 1)
    return sleeper


def wake(sleeper: WorkerProcess) -> None:
    """Let the worker run again, and wait until it has noticed that it lost its batch."""
    sleeper.signal(signal.SIGCONT)
    until(lambda: "was taken over" in sleeper.output, lambda: sleeper.output)


def twelve_players(world: World) -> list[PlayerSession]:
    """Twelve new players who have `DEPOSIT`."""
    client = world.provider()
    return [world.open_session(client, str(DEPOSIT)) for _ in range(12)]


def _waits_for_a_lock(world: World) -> bool:
    """Whether any connection to PostgreSQL waits for another's row."""
    return bool(world.rows("select from pg_stat_activity where wait_event_type = 'Lock'"))


def _batches_of(redis: Redis, worker: WorkerProcess) -> list[str]:
    """The batches that a worker has taken and not finished."""
    found = set()
    for entry in cast("list[bytes]", redis.zrange("rq:wip:bets", 0, -1)):
        job_id, _, batch = entry.decode().rpartition(":")
        if redis.hget(f"rq:job:{job_id}", "worker_name") == worker.name.encode():
            found.add(batch)
    return sorted(found)


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
