"""Rules about what is left after a campaign, and about the form of answers."""

from collections.abc import Iterator

from tests.crash.evidence import Evidence
from tests.crash.finding import Finding

_UNDER_WAY = ("started", "queued", "scheduled")
# Collections of RQ's that hold jobs under way; Redis has no empty ones.
_OF_JOBS = ("rq:queue:", "rq:wip:", "rq:execution:", "betcore:returned:", "betcore:parked")
_OF_PLAYERS = ("betcore:waiting:", "betcore:leases")
_STATUSES = {
    1: (200,),
    2: (400, 402, 404, 405, 413, 431),
    3: (402,),
    4: (402,),
    5: (402,),
    6: (402,),
    7: (402,),
    8: (401,),
    0: (504, 500, 409),
    99: (503,),
}
STUCK_AFTER_SECONDS = 30.0


def no_job_is_left(evidence: Evidence) -> Iterator[Finding]:
    """No job stays queued, started, parked or on an intermediate list."""
    for job, status in evidence.jobs.items():
        if status in _UNDER_WAY:
            yield Finding(f"{job} is {status} for ever")
    for key in evidence.keys:
        if key.startswith(_OF_JOBS):
            yield Finding(f"{key} is left")


def no_player_is_held(evidence: Evidence) -> Iterator[Finding]:
    """No job holds a player, no command waits for one, and no lease stays."""
    for account, holder in evidence.held.items():
        yield Finding(f"player {account} is held by {holder}")
    for key in evidence.keys:
        if key.startswith(_OF_PLAYERS):
            yield Finding(f"{key} is left")


def no_job_fails(evidence: Evidence) -> Iterator[Finding]:
    """Every job is done or its deadline passes, whatever breaks. None fails for another reason."""
    for job, why in evidence.failures.items():
        if not why.startswith("DeadlineExpired"):
            yield Finding(f"{job} failed: {why[-200:]}")


def the_ledger_verifies(evidence: Evidence) -> Iterator[Finding]:
    """The product's own verification finds nothing either, and its journal vouches for all."""
    for problem in evidence.problems:
        yield Finding(problem)


def nothing_stands_still(evidence: Evidence) -> Iterator[Finding]:
    """30 s after a fault, bets succeed again and every earlier bet has its outcome."""
    for fault in evidence.named("fault"):
        if fault["trouble"]:
            yield Finding(f"{fault['name']}: {fault['trouble']}")
    for event in evidence.named("unresolved"):
        asks = [ask for ask in evidence.asks if ask.bet == event["bet"]]
        yield Finding("nobody could learn what became of it", event["bet"], asks)


def answers_have_a_form(evidence: Evidence) -> Iterator[Finding]:
    """Every answer is JSON with a code, and the status that belongs to it."""
    for ask in evidence.asks:
        statuses = () if ask.code is None else _STATUSES.get(ask.code, ())
        if ask.status and ask.status not in statuses:
            yield Finding(f"status {ask.status} with {str(ask.answer)[:80]!r}", ask.bet, [ask])
