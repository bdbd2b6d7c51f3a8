"""One campaign: an installation, clients, every fault of a seed's plan, and the judgement."""

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from embedded.places import SOCKETS_BELOW
from tests.crash import oracle_quiet
from tests.crash.crowd import Crowd
from tests.crash.evidence import (
    Evidence,
    add_redis,
    add_tables,
    add_verdict,
    read_failures,
    read_lines,
)
from tests.crash.faults import Broken, break_and_mend
from tests.crash.installation import Installation
from tests.crash.oracle import judge
from tests.crash.plan import Plan, Step
from tests.crash.record import Record, read
from tests.crash.results import summary
from tests.crash.servers import VALKEY
from tests.service.support.processes import until

_ASKED_MAX = 300  # bets whose state is asked at the end
_QUIET_WITHIN_SECONDS = 30.0
_REMEMBERS_AFTER_SECONDS = 7.0  # what was in flight when Redis forgot it has ended by then


def run(plan: Plan, results: Path) -> dict[str, Any]:
    """Run a campaign; its result, as `results.summary` gives it.

    Record and logs are in a folder of its own below `results`; they stay if a rule was broken.
    """
    began = time.time()
    folder = results / (plan.without or f"seed-{plan.seed}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    record = Record(folder / "record.jsonl")
    chance = random.Random(plan.seed)
    with _temporary_folder() as data, Installation(data, folder, chance, plan.without) as broken:
        record.note("begin")
        with Crowd(record, broken.seats, broken.fronts, chance, plan.favourite) as crowd:
            until(lambda: record.has_recovered_since(began), lambda: "nothing goes", seconds=60)
            failures: dict[str, str] = {}
            for step in plan.steps:
                failures |= read_failures(broken.urls.redis)  # Redis may lose them in this step
                _take(step, broken, record)
            crowd.end()
            _wait_until_quiet(broken, record)
            record.note("quiet")
            crowd.ask_what_became(_doubtful(record, chance))
        evidence = read_lines(read(record.path))
        evidence.failures = failures
        add_tables(evidence, broken.urls.database)
        add_redis(evidence, broken.urls.redis)
        add_verdict(evidence, broken.urls.database)
    record.close()
    found = summary(plan.seed, began, evidence, judge(evidence))
    if not found["violations"]:
        shutil.rmtree(folder)
    return found


def _take(step: Step, installation: Installation, record: Record) -> None:
    """Inject the faults of a step, then wait for new successes and the outcome of earlier bets."""
    Event().wait(step.pause)
    name = ", ".join(map(str, step.faults))
    record.note("break", name=name)
    troubles = []
    broken = []
    with ThreadPoolExecutor(len(step.faults)) as hands:
        for doing in [hands.submit(break_and_mend, installation, f) for f in step.faults]:
            try:
                broken.append(doing.result())
            except AssertionError as error:
                troubles.append(str(error))
                broken.append(Broken(time.time(), time.time()))
    at, back = min(one.at for one in broken), max(one.back for one in broken)
    try:
        until(
            lambda: record.has_recovered_since(back),
            lambda: f"stands still: {record.unresolved()}",
            seconds=oracle_quiet.STUCK_AFTER_SECONDS,
        )
    except AssertionError as error:
        troubles.append(str(error))
    faults = [{"kind": f.kind, "target": f.target, "detail": f.detail} for f in step.faults]
    trouble = "; ".join(troubles)
    record.note("fault", name=name, faults=faults, broke=at, back=back, trouble=trouble)


def _wait_until_quiet(installation: Installation, record: Record) -> None:
    """Wait until the queue is empty, and Redis sure of what is in flight; the oracle looks then."""
    began = time.time()
    events = read_lines(read(record.path))
    new = [event["at"] for event in events.named("begin")]
    new += [fault["back"] for fault in events.named("fault") if _lost(fault)]
    sure = _REMEMBERS_AFTER_SECONDS + max(new)
    while time.time() - began < _QUIET_WITHIN_SECONDS:
        evidence = Evidence()
        add_redis(evidence, installation.urls.redis)
        rules = (oracle_quiet.no_job_is_left, oracle_quiet.no_player_is_held)
        is_quiet = not judge(evidence, rules)
        if is_quiet and time.time() > sure:
            return
        Event().wait(0.2)


def _lost(fault: dict[str, Any]) -> bool:
    """Whether Redis lost its data in a fault."""
    return any(
        one["target"] in (VALKEY, "everything") or one["kind"] == "forget an admission"
        for one in fault["faults"]
    )


def _doubtful(record: Record, chance: random.Random) -> list[tuple[str, str]]:
    """Bets whose client did not get an answer at once, and some others."""
    asked = read_lines(read(record.path)).asked
    doubtful = [key for key, asks in asked.items() if any(ask.code != 1 for ask in asks)]
    others = [key for key in asked if key not in set(doubtful)]
    chance.shuffle(doubtful)
    chance.shuffle(others)
    few = doubtful[: _ASKED_MAX * 3 // 4]
    return few + others[: _ASKED_MAX - len(few)]


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for servers, short enough for the paths of their sockets, and removed."""
    folder = Path(tempfile.mkdtemp(prefix="betcore-crash-", dir=SOCKETS_BELOW))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
