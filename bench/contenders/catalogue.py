"""The contenders by name: ours and its rivals, and why each has so many processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.contender import Contender, Running
from bench.contenders.functions import install
from bench.contenders.processes import started
from embedded import Urls

_QUEUE = "bench-stock"


@contextmanager
def _ours(gateways: int, workers: int, urls: Urls) -> Iterator[Running]:
    with started(urls) as processes:
        processes.log_in()
        processes.workers(workers, "ops.cli", "worker")
        url = processes.gateways(gateways, "ops.cli", "gateway")
        yield processes.running(url)


@contextmanager
def _stock(workers: int, worker_class: str, urls: Urls) -> Iterator[Running]:
    with started(urls) as processes:
        # RQ's own command; quieter than by default, which spares it three log lines a job.
        options = ("--url", urls.redis, "--worker-class", worker_class, "--quiet")
        processes.workers(workers, "rq.cli", "worker", _QUEUE, *options)
        url = processes.gateways(1, "bench.contenders.stock_rq")
        yield processes.running(url)


@contextmanager
def _direct(module: str, gateways: int, pool: int, urls: Urls) -> Iterator[Running]:
    """`BENCH_GATEWAYS` and `BENCH_POOL` (connections a gateway) win, for a sweep."""
    count = int(os.environ.get("BENCH_GATEWAYS", gateways))
    size = os.environ.get("BENCH_POOL", str(pool))
    with started(urls, BENCH_POOL=size) as processes:
        yield processes.running(processes.gateways(count, module))


@contextmanager
def _by_functions(module: str, gateways: int, pool: int, urls: Urls) -> Iterator[Running]:
    install(urls.database)
    with _direct(module, gateways, pool, urls) as running:
        yield running


# The best of those swept at 64 and 128 connections on two cores. `direct` and `sql-function` spend
# their time in Python, so they have a process per core: one process was 6 to 40 % slower with 4 to
# 24 connections. `tuned-direct` has one process with 12 of 4 to 24: a second one only takes
# PostgreSQL's core.
_ALL = (
    Contender("ours", "one gateway, one worker, as shipped", partial(_ours, 1, 1)),
    Contender(
        "ours-2x2", "two gateways on one port, two workers, as shipped", partial(_ours, 2, 2)
    ),
    Contender(
        "stock-rq",
        "the same gateway and ledger, stock RQ with two SimpleWorkers",
        partial(_stock, 2, "rq.SimpleWorker"),
    ),
    Contender(
        "stock-rq-default",
        "the same, with one of RQ's default workers, which forks for each job",
        partial(_stock, 1, "rq.Worker"),
    ),
    Contender(
        "direct",
        "the same gateway and rules, no queue, a pool of psycopg connections",
        partial(_direct, "bench.contenders.direct", 2, 8),
    ),
    Contender(
        "sql-function",
        "Starlette and uvicorn as they come, a pool of psycopg, one PL/pgSQL call a request",
        partial(_by_functions, "bench.contenders.sql_function", 2, 8),
    ),
    Contender(
        "tuned-direct",
        "the strongest rival without a queue: bare ASGI, asyncpg, one PL/pgSQL call a request",
        partial(_by_functions, "bench.contenders.tuned_direct", 1, 12),
    ),
)
#: In the order in which a table shows them.
CONTENDERS: dict[str, Contender] = {contender.name: contender for contender in _ALL}
