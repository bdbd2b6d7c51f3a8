"""Guards of the product, and what the oracle says when one is missing.

A campaign that finds nothing proves something only if it would have found it. Here every guard is
taken away once (`tests/crash/unguarded.py`), in a campaign that strikes where it stood; one of the
rules named must speak then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.crash.installation import GATEWAYS, WORKERS
from tests.crash.plan import Fault, Plan, Step
from tests.crash.servers import POSTGRES, VALKEY

_PAUSE_SECONDS = 0.3
_DELETE = Fault("delete a job", "queue")


@dataclass(frozen=True)
class Guard:
    """A promise, the faults that test it, and the rules of which one must detect its breach."""

    promise: str
    steps: Sequence[Step]
    rules: frozenset[str]
    favourite: str = ""


def plan(name: str, seed: int = 1) -> Plan:
    """The campaign without a guard."""
    guard = GUARDS[name]
    return Plan(seed, tuple(guard.steps), guard.favourite, without=name)


def _rules(*names: str) -> frozenset[str]:
    return frozenset(names)


def _one_by_one(faults: Sequence[Fault]) -> list[Step]:
    return [step for fault in faults for step in _together(fault)]


def _together(*faults: Fault) -> list[Step]:
    return [Step(_PAUSE_SECONDS, faults)]


def _at(point: str, kind: str = "point", seconds: float = 0.0) -> list[Fault]:
    return [Fault(kind, worker, seconds, point) for worker in WORKERS]


def _between(kind: str, process: str, server: str, seconds: float = 0.0) -> Fault:
    return Fault(kind, f"{process} > {server}", seconds)


GUARDS: Final = {
    "nonce": Guard(
        "a captured request is not worked on again",
        _one_by_one([Fault("kill", WORKERS[0])]),
        _rules("a_nonce_is_accepted_once"),
        favourite="replay",
    ),
    "memory": Guard(
        "a captured request is not worked on by a Redis that lost its nonces",
        _one_by_one([Fault("empty", VALKEY, 0.5)] * 3),
        _rules("a_nonce_is_accepted_once"),
        favourite="replay",
    ),
    "timestamp": Guard(
        "a timestamp is valid for 30 s",
        _one_by_one([Fault("kill", WORKERS[0])]),
        _rules("a_clock_may_be_thirty_seconds_off"),
    ),
    "durable commit": Guard(
        "an answered bet is on the disk",
        _one_by_one([Fault("crash", POSTGRES, 0.2)] * 4),
        _rules("a_yes_has_its_transfers"),
    ),
    "answer after commit": Guard(
        "an answer follows its commit",
        _one_by_one([Fault("kill", worker) for worker in WORKERS]),
        _rules("a_yes_has_its_transfers"),
    ),
    "lost commit": Guard(
        "a commit without a reply is not answered with yes",
        _one_by_one([_between("lose a commit", worker, POSTGRES) for worker in WORKERS]),
        _rules("a_yes_has_its_transfers"),
    ),
    "lease": Guard(
        "a worker that stood still applies nothing that another may have answered",
        _one_by_one(_at("before load", "stop at a point", 2.8) * 4),
        _rules("a_no_has_none"),
        favourite="win_first",
    ),
    "deadline": Guard(
        "a job past its deadline is not applied",
        _one_by_one([Fault("outage", POSTGRES, 10.0)]),
        _rules("nothing_is_late"),
    ),
    "transaction limit": Guard(
        "a late job is not applied, also if its worker stood still within the transaction",
        _one_by_one(_at("after write", "stop at a point", 12.0)[:2]),
        _rules("nothing_is_late"),
    ),
    "unanswered": Guard(
        "a Redis that lost its data is not believed about what it had not admitted",
        _one_by_one([_between("forget an admission", gateway, VALKEY) for gateway in GATEWAYS * 2]),
        _rules("not_admitted_did_nothing"),
    ),
    "confirmed nonce": Guard(
        "a captured request learns nothing, also if its nonce was not confirmed",
        _one_by_one([_between("swallow", gateway, VALKEY, 4.0) for gateway in GATEWAYS * 3]),
        _rules("a_nonce_is_accepted_once"),
        favourite="replay",
    ),
    "id discard": Guard(
        "ids that a server may give out again are not used",
        _one_by_one([Fault("crash at a draw of ids", POSTGRES, 0.2)] * 5),
        _rules("no_job_fails", "nothing_stands_still"),
    ),
    "new strand": Guard(
        "the journal is not chained to a row that may not exist",
        # PostgreSQL ends the transaction meanwhile; then a batch comes that moves nothing.
        _one_by_one(_at("after write", "stop at a point", 6.5) * 4),
        _rules("the_ledger_verifies"),
        favourite="too_much",
    ),
    "sweep": Guard(
        "the jobs of a dead worker are resumed",
        _one_by_one(_at("after take")[:1]),
        _rules("nothing_stands_still", "no_job_is_left"),
    ),
    "vanished group": Guard(
        "a player whose group vanished is free again",
        # While no worker takes it: a worker that has the group frees its players itself.
        _together(*[Fault("stop", worker, 3.0) for worker in WORKERS], _DELETE),
        _rules("nothing_stands_still", "no_player_is_held"),
    ),
    "win limits": Guard(
        "a provider pays no more in a day than its limit",
        _one_by_one([Fault("kill", worker) for worker in WORKERS] * 2),
        _rules("no_limit_of_wins_is_passed"),
        favourite="win_within_limits",
    ),
}
