"""Before and after: this tree against a git revision of it, in one interleaved run.

Each has its own processes, PostgreSQL and Redis. Both are driven by the same code, through what
every revision has: the commands `migrate`, `provider add`, `session open`, `gateway`, `worker` and
`ledger verify`, and the calls of docs/PROTOCOL.md. Both run with the packages of this tree.
"""

import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.audit import AuditFailed
from bench.contender import Contender, Running
from bench.contenders.processes import ROOT, DidNotStart, Processes, started
from bench.machine import describe_machine
from bench.people import CURRENCY, DEPOSIT, People, ranked_by_chance
from bench.plan import THIS, Plan, Visit
from bench.results import Results, Run
from bench.rounds import Rounds
from bench.servers import bare_servers, query, settle
from embedded import Urls
from models.errors import BetcoreError

_log = logging.getLogger("bench")

#: Each is paid in by a job, at some thousand per second.
ACCOUNTS = 20_000
_SESSIONS_LAST_MINUTES = "2880"
_COMMAND = "ops.cli"  # `betcore`, as a module of the tree


class NoRevision(BetcoreError):  # noqa: N818 - named for what it is about
    """There is no such revision, or no git."""


@contextmanager
def checked_out(revision: str) -> Iterator[tuple[str, Path]]:
    """The short name of a revision, and a folder that has its files until the block ends.

    Raises NoRevision.
    """
    name = _git("rev-parse", "--short", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="betcore-bench-") as folder:
        tree = Path(folder, name)
        _git("worktree", "add", "--detach", str(tree), name)
        try:
            yield name, tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def measure_against(revision: str, plan: Plan) -> Results:
    """Run the visits of a plan for a revision and for this tree, and verify both ledgers.

    Raises NoRevision, and as `measure_trees`.
    """
    with checked_out(revision) as (before, tree):
        return measure_trees({before: tree, THIS: ROOT}, plan, ACCOUNTS)


def measure_trees(
    trees: Mapping[str, Path], plan: Plan, accounts: int, *, durable: bool = True
) -> Results:
    """Run the visits of a plan for the code in each folder by turns, and verify each ledger.

    The first is the one before the others. Raises DidNotStart, AuditFailed and LoadFailed.
    """
    with ExitStack() as stack:
        rounds = {}
        for name, tree in trees.items():
            urls = stack.enter_context(bare_servers(durable=durable))
            people = _people(urls, tree, accounts)
            contender = Contender(name, f"the code in {tree}", partial(_started, tree))
            rounds[name] = Rounds(urls, people, {name: contender}, plan.seconds)
        before = next(iter(rounds))
        results = Results.begun(plan.mode, describe_machine(rounds[before].urls))
        runs = list(_runs(plan, rounds))
        verified = sum(_verify(of.urls, trees[name]) for name, of in rounds.items())
    return replace(results, before=before, runs=runs, verified_transfers=verified)


def _runs(plan: Plan, rounds: dict[str, Rounds]) -> Iterator[Run]:
    for name, of in rounds.items():
        if plan.settles_in:
            of.settle_in(replace(plan.visits[0].points[0], contender=name))
    for repeat in range(plan.repeats):
        # A B, then B A: a machine that slows down slows both alike.
        for name in list(rounds)[:: -1 if repeat % 2 else 1]:
            for visit in plan.visits:
                points = [replace(point, contender=name) for point in visit.points]
                yield from rounds[name].visit(Visit(name, points, visit.appendfsync), repeat)


@contextmanager
def _started(tree: Path, urls: Urls) -> Iterator[Running]:
    with started(urls, tree) as processes:
        yield _serving(processes)


def _serving(processes: Processes) -> Running:
    processes.workers(1, _COMMAND, "worker")
    return processes.running(processes.gateways(1, _COMMAND, "gateway"))


def _people(urls: Urls, tree: Path, accounts: int) -> People:
    """Everybody who plays, made by the tree's own commands. Raises DidNotStart."""
    _log.info("%s accounts are opened by %s", f"{accounts:,}", tree)
    with started(urls, tree) as processes:
        processes.run(_COMMAND, "migrate")
        processes.workers(1, _COMMAND, "worker")  # it pays the deposits in
        provider = json.loads(processes.run(_COMMAND, "provider", "add", "bench", "--json"))
        processes.run(
            *(_COMMAND, "session", "open", "--provider", provider["counterpartyId"]),
            *("--player", "bench", "--currency", CURRENCY, "--deposit", str(DEPOSIT)),
            *("--reference", "bench", "--ttl-minutes", _SESSIONS_LAST_MINUTES),
            *("--count", str(accounts)),
        )
    settle(urls.database)
    sessions = [
        row[0] for row in query(urls.database, "select id from session order by account_id")
    ]
    return ranked_by_chance(provider["counterpartyId"], provider["secret"], sessions)


def _verify(urls: Urls, tree: Path) -> int:
    """Verify a ledger and its journal by the tree's own command; the number of transfers.

    Raises AuditFailed with what it said.
    """
    with started(urls, tree) as processes:
        try:
            report = json.loads(processes.run(_COMMAND, "ledger", "verify", "--json"))
        except DidNotStart as error:
            raise AuditFailed(f"The ledger of {tree.name} has problems: {error}") from error
    return int(report["transfers"])


def _git(*arguments: str) -> str:
    """What git prints, in this tree. Raises NoRevision."""
    git = shutil.which("git")
    if git is None:
        raise NoRevision("There is no git on this machine.")
    # The variables of a hook of git would name another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - git, with arguments that are no options
        [git, *arguments], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoRevision(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()
