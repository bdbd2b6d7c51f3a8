"""One whole benchmark: servers, people, rounds, what comes after them, results and picture."""

import logging
import os
import platform
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from redis import Redis

from bench.audit import verify_ledger
from bench.contenders.catalogue import CONTENDERS
from bench.document import draw
from bench.figures import ONE_STATEMENT
from bench.growth import measure_growth, measure_redis_memory
from bench.overload import measure_overload
from bench.people import ACCOUNTS, make_people
from bench.plan import Plan
from bench.postgres_alone import BATCH_SIZE, batches, measure_journal, one_statement
from bench.results import Results, Run, save
from bench.rounds import Rounds
from bench.servers import bench_servers, query
from bench.wrk import require_wrk
from embedded import Urls

_log = logging.getLogger("bench")

_ALONE_CONNECTIONS = 128
_BATCHES = f"batches of {BATCH_SIZE}"


def run_benchmark(plan: Plan) -> Results:
    """Run a plan on servers of its own and verify the ledger at the end.

    Raises NoLoadGenerator, AuditFailed, LoadFailed, and what servers and contenders raise.
    """
    require_wrk()
    began = time.monotonic()
    with bench_servers() as urls:
        results = measure(plan, urls, ACCOUNTS)
    if plan.growth_and_memory:
        keep(results)  # what comes takes long, and much disk
        growth = measure_growth(CONTENDERS, plan.seconds, plan.repeats, ACCOUNTS)
        results = replace(results, growth=growth)
    return replace(results, seconds=round(time.monotonic() - began, 1))


def measure(plan: Plan, urls: Urls, accounts: int) -> Results:
    """All of a plan but growth, on servers that are migrated and empty. Raises as above."""
    machine, began_at = describe_machine(urls), datetime.now(UTC).isoformat(timespec="seconds")
    _log.info("%s accounts are opened", f"{accounts:,}")
    people = make_people(urls.database, accounts)
    rounds = Rounds(urls, people, CONTENDERS, plan.seconds)
    results = _rounds(plan, rounds, Results(plan.mode, began_at, machine))
    if plan.overload:
        overloads = list(measure_overload(rounds, plan.repeats, plan.overload))
        results = replace(results, overloads=overloads)
    if plan.postgres_alone:
        results = replace(results, journal=measure_journal(urls, people))
    if plan.growth_and_memory:
        results = replace(results, redis_memory_mb=measure_redis_memory(rounds))
    return replace(results, verified_transfers=verify_ledger(urls.database))


def keep(results: Results) -> list[Path]:
    """Write results and their picture beside the code; the files."""
    return [path for path in (save(results), draw(results)) if path]


def describe_machine(urls: Urls) -> dict[str, str]:
    """What the figures depend on: processor, memory, and versions."""
    with Redis.from_url(urls.redis) as redis:
        server = redis.info("server")
    [(postgres,)] = query(urls.database, "select split_part(version(), ' on ', 1)")
    valkey = server.get("valkey_version")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "PostgreSQL": str(postgres).removeprefix("PostgreSQL "),
        "Redis": f"Valkey {valkey}" if valkey else f"Redis {server['redis_version']}",
        "RQ": version("rq"),
    }


def _rounds(plan: Plan, rounds: Rounds, results: Results) -> Results:
    runs: list[Run] = []
    alone: dict[str, list[float]] = {}
    if plan.settles_in and plan.visits:
        rounds.settle_in(plan.visits[0].points[0])
    for repeat in range(plan.repeats):
        for visit in plan.visits:
            runs += rounds.visit(visit, repeat)
        if plan.postgres_alone:
            for name, rate in _postgres_alone(rounds, plan.seconds).items():
                alone.setdefault(name, []).append(rate)
                _log.info("%d. PostgreSQL alone, %s: %s a second", repeat + 1, name, f"{rate:,.0f}")
    return replace(results, runs=runs, postgres_alone=alone)


def _postgres_alone(rounds: Rounds, seconds: int) -> dict[str, float]:
    urls, people = rounds.urls, rounds.people
    return {
        ONE_STATEMENT: one_statement(urls, people, _ALONE_CONNECTIONS, seconds),
        _BATCHES: batches(urls, people, seconds),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    told = information.read_text() if information.exists() else ""
    named = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return named[1] if named else platform.processor()
