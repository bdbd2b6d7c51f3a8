"""What must hold after every run: each bet that was answered is recorded, each balance adds up."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.servers import query
from bench.traffic import Signed
from models.audit.verify import verify
from models.errors import BetcoreError

# Without anything new: longer than any contender's workers stand still on a busy machine.
_QUIET_AFTER_SECONDS = 5.0
_QUIET_WITHIN_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.1

_TOTALS = """
    select (select count(*) from bet), (select sum(last_seq) from account)
"""
_WRONG_BALANCES = """
    select a.id, a.balance, a.last_seq, t.moved, t.transfers
    from account a
    left join (
        select account, count(*) as transfers,
               sum(case when credit_account = account then amount else -amount end) as moved
        from transfer group by account
    ) t on t.account = a.id
    where a.kind = 'player'
      and (a.balance <> coalesce(t.moved, 0) or a.last_seq <> coalesce(t.transfers, 0))
    limit 3
"""


class AuditFailed(BetcoreError):  # noqa: N818 - named for what it is about
    """The tables do not hold what was answered."""


class Totals(NamedTuple):
    """How much is recorded."""

    bets: int
    transfers: int


def totals(database_url: str) -> Totals:
    """How much is recorded now."""
    [(bets, transfers)] = query(database_url, _TOTALS)
    return Totals(int(bets), int(transfers or 0))


def audit(database_url: str, before: Totals, sent: Sequence[Signed], unknown: int) -> Totals:
    """Check a run once all it began has ended; returns what is recorded then.

    `before`: what was recorded before it. `unknown`: how many of the requests that were sent had
    no good answer, so that each of them may have been applied or not. Raises AuditFailed.
    """
    bets, transfers = sum(s.bets for s in sent), sum(s.transfers for s in sent)
    everything = Totals(before.bets + bets, before.transfers + transfers)
    after = _wait_until_quiet(database_url, everything)
    least = Totals(
        everything.bets - unknown * max((s.bets for s in sent), default=0),
        everything.transfers - unknown * max((s.transfers for s in sent), default=0),
    )
    for name, fewest, found, most in zip(Totals._fields, least, after, everything, strict=True):
        if not fewest <= found <= most:
            raise AuditFailed(
                f"{found} {name} are recorded; {fewest} to {most} should be, of {len(sent)}"
                f" requests sent and {len(sent) - unknown} answered with code 1."
            )
    if wrong := query(database_url, _WRONG_BALANCES):
        raise AuditFailed(f"Account, balance, last number, sum, count of transfers: {wrong}")
    return after


def verify_ledger(database_url: str) -> int:
    """Verify the whole ledger; the number of its transfers. Raises AuditFailed with a problem."""
    report = verify(database_url, problems_max=3)
    if not report.ok:
        raise AuditFailed(f"The ledger has problems: {' '.join(report.problems)}")
    return report.transfers


def _wait_until_quiet(database_url: str, everything: Totals) -> Totals:
    """Wait until all that was sent is recorded, or nothing more is; what is recorded then."""
    deadline = time.monotonic() + _QUIET_WITHIN_SECONDS
    found, since = totals(database_url), time.monotonic()
    while found != everything and time.monotonic() < since + _QUIET_AFTER_SECONDS:
        if time.monotonic() > deadline:
            raise AuditFailed("Bets are still being written long after the load has ended.")
        time.sleep(_LOOK_EVERY_SECONDS)
        now = totals(database_url)
        if now != found:
            found, since = now, time.monotonic()
    return found
