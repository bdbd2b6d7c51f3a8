"""One whole benchmark: servers, people, rounds, and what comes after them."""

import logging
import time
from dataclasses import replace

from bench.against import measure_against
from bench.audit import verify_ledger
from bench.contenders.catalogue import CONTENDERS
from bench.growth import measure_growth, measure_redis_memory
from bench.machine import describe_machine
from bench.overload import measure_overload
from bench.people import ACCOUNTS, make_people
from bench.plan import Plan
from bench.postgres_alone import one_statement
from bench.queue_alone import measure_queue
from bench.results import Results, Run, save
from bench.rounds import Rounds
from bench.servers import bench_servers
from embedded import Urls

_log = logging.getLogger("bench")


def run_benchmark(plan: Plan, against: str | None = None) -> Results:
    """Run a plan on servers of its own and verify the ledger at the end.

    `against`: the git revision with which this tree is compared. Raises NoRevision, AuditFailed,
    LoadFailed, and what servers and contenders raise.
    """
    began = time.monotonic()
    if against is None:
        with bench_servers() as urls:
            results = measure(plan, urls, ACCOUNTS)
    else:
        results = measure_against(against, plan)
    if plan.growth_and_memory:
        save(results)  # what comes takes long, and much disk
        growth = measure_growth(CONTENDERS, plan.seconds, plan.repeats, ACCOUNTS)
        results = replace(results, growth=growth)
    return replace(results, seconds=round(time.monotonic() - began, 1))


def measure(plan: Plan, urls: Urls, accounts: int) -> Results:
    """All of a plan but growth, on servers that are migrated and empty. Raises as above."""
    results = Results.begun(plan.mode, describe_machine(urls))
    _log.info("%s accounts are opened", f"{accounts:,}")
    people = make_people(urls.database, accounts)
    rounds = Rounds(urls, people, CONTENDERS, plan.seconds)
    results = _rounds(plan, rounds, results)
    if plan.overload:
        overloads = list(measure_overload(rounds, plan.repeats, plan.overload))
        results = replace(results, overloads=overloads)
    if plan.queue_alone:
        results = replace(results, queue=list(measure_queue(urls, plan.seconds, plan.repeats)))
    if plan.growth_and_memory:
        results = replace(results, redis_memory_mb=measure_redis_memory(rounds))
    return replace(results, verified_transfers=verify_ledger(urls.database))


def _rounds(plan: Plan, rounds: Rounds, results: Results) -> Results:
    runs: list[Run] = []
    alone: list[float] = []
    if plan.settles_in and plan.visits:
        rounds.settle_in(plan.visits[0].points[0])
    for repeat in range(plan.repeats):
        for visit in plan.visits:
            runs += rounds.visit(visit, repeat)
        if plan.postgres_alone:
            alone.append(one_statement(rounds.urls, rounds.people, 128, plan.seconds))
            _log.info("%d. PostgreSQL alone: %s a second", repeat + 1, f"{alone[-1]:,.0f}")
    return replace(results, runs=runs, postgres_alone=alone)
